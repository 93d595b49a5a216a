/** The options of the memory engine, the bounds that it keeps, and how much of them is used. */
import type { Clock, Random } from "../../base/clock.js";
import { membersOf } from "../../base/known-names.js";
import type { Log } from "../../base/log.js";
import type { Holdings } from "../engine.js";
import { DEFAULT_SHARE, type Share } from "../shares.js";

export interface MemoryEngineOptions extends Partial<MemoryEngineLimits> {
  /** @default the machine's clock */
  readonly clock?: Clock;
  /** @default the machine's randomness */
  readonly random?: Random;
  /** A pino logger, or anything with its four methods: told of mistakes of the engine itself. @default nothing is logged */
  readonly logger?: Log;
  /**
   * Folder for what has to outlive the process: API keys that were made while running, and what was revoked. It is made when there is
   * something to keep. Channels, sessions and idempotency keys end with the process.
   *
   * @default none: everything ends with the process
   */
  readonly dataDir?: string;
  /** Runs even in one of several processes, each of which then has channels of its own. @default false */
  readonly allowIsolated?: boolean;
}

export interface MemoryEngineLimits {
  /**
   * Bytes of all logs and states together; beyond it the logs of an owner who has more than a quarter lose their oldest messages
   * first, then the largest. States may take half of it; one more is refused.
   *
   * @default 256 MiB
   */
  readonly maxBytes: number;
  /** Channels that have a log or a listener; one more is refused. @default 1,000,000 */
  readonly maxChannels: number;
  /** The most channels, states, sequences and locks of one owner; one more is refused. @default see `DEFAULT_SHARE` */
  readonly share: Share;
  /** Forgotten channels whose position is still known; beyond it the least recently used go. One owner has a quarter at most. @default 100,000 */
  readonly maxStubs: number;
  /** Idempotency keys; beyond it the oldest go. One owner has a quarter at most. @default 100,000 */
  readonly maxIdempotencyKeys: number;
  /** How long an idempotency key is remembered, in milliseconds. @default 300,000 (5 minutes) */
  readonly idempotencyTtlMs: number;
  /** How long a channel without listeners must be idle to be forgotten, in milliseconds. @default 3,600,000 (1 hour) */
  readonly forgetAfterMs: number;
  /** Sessions; beyond it those that expire first go. One owner has a quarter at most. @default 100,000 */
  readonly maxSessions: number;
}

/** How much there is, for metrics; compare with `limits`. */
export interface MemoryEngineStats {
  readonly channels: number;
  readonly messages: number;
  readonly bytes: number;
  readonly stubs: number;
  readonly owned: Holdings;
  readonly mostOwned: Holdings;
  readonly refusedShares: Holdings;
  readonly idempotencyKeys: number;
  readonly sessions: number;
}

export const DEFAULT_LIMITS: MemoryEngineLimits = {
  maxBytes: 256 * 2 ** 20,
  maxChannels: 1_000_000,
  share: DEFAULT_SHARE,
  maxStubs: 100_000,
  maxIdempotencyKeys: 100_000,
  idempotencyTtlMs: 300_000,
  forgetAfterMs: 3_600_000,
  maxSessions: 100_000,
};

export const MEMORY_OPTIONS = [
  ...membersOf<Omit<MemoryEngineOptions, keyof MemoryEngineLimits>>({
    clock: true,
    random: true,
    allowIsolated: true,
    logger: true,
    dataDir: true,
  }),
  ...Object.keys(DEFAULT_LIMITS),
];
