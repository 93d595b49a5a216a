/** The options of the memory engine, the bounds that it keeps, and how much of them is used. */
import { z } from "zod";
import type { Clock, Random } from "../../base/clock.js";
import type { Log } from "../../base/log.js";
import { described, type Given } from "../../base/option.js";
import { checkedOptions } from "../../base/option-checks.js";
import { CLOCK_METHODS, LOGGER_METHODS, objectInCode, RANDOM_METHODS } from "../../base/option-kinds.js";
import type { Holdings } from "../engine.js";
import { DEFAULT_SHARE } from "../shares.js";

/** The comments are what editors show. */
export const memoryLimits = {
  /**
   * Bytes of all logs and states together; beyond it the logs of an owner who has more than a quarter lose their oldest messages
   * first, then the largest. States may take half of it; one more is refused. @default 256 MiB
   */
  maxBytes: bound(256 * 2 ** 20, "Bytes of all logs and states together."),
  /** Channels that have a log or a listener; one more is refused. @default 1,000,000 */
  maxChannels: bound(1_000_000, "Channels that have a log or a listener."),
  /** The most channels, states, sequences and locks of one owner; one more is refused. @default see `DEFAULT_SHARE` */
  share: z
    .strictObject({
      channels: bound(DEFAULT_SHARE.channels, "Channels of one owner."),
      states: bound(DEFAULT_SHARE.states, "States of one owner."),
      stateBytes: bound(DEFAULT_SHARE.stateBytes, "Bytes of all states of one owner."),
      sequences: bound(DEFAULT_SHARE.sequences, "Sequences of one owner."),
      locks: bound(DEFAULT_SHARE.locks, "Locks of one owner."),
    })
    .prefault({}),
  /** Forgotten channels whose position is still known; beyond it the least recently used go. One owner has a quarter at most. @default 100,000 */
  maxStubs: bound(100_000, "Forgotten channels whose position is still known."),
  /** Idempotency keys; beyond it the oldest go. One owner has a quarter at most. @default 100,000 */
  maxIdempotencyKeys: bound(100_000, "Idempotency keys."),
  /** How long an idempotency key is remembered, in milliseconds. @default 300,000 (5 minutes) */
  idempotencyTtlMs: bound(300_000, "How long an idempotency key is remembered, in milliseconds."),
  /** How long a channel without listeners must be idle to be forgotten, in milliseconds. @default 3,600,000 (1 hour) */
  forgetAfterMs: bound(3_600_000, "How long a channel must be idle to be forgotten, in milliseconds."),
  /** Sessions; beyond it those that expire first go. One owner has a quarter at most. @default 100,000 */
  maxSessions: bound(100_000, "Sessions."),
};

/** Options that engines of one process have alike. */
export const processOptions = {
  /** @default the machine's clock */
  clock: objectInCode<Clock>("Time.", { clock: CLOCK_METHODS }),
  /** @default the machine's randomness */
  random: objectInCode<Random>("Randomness.", { random: RANDOM_METHODS }),
  /** A pino logger, or anything with its four methods: told of mistakes and troubles of the engine itself. @default nothing is logged */
  logger: objectInCode<Log>("A logger.", { logger: LOGGER_METHODS }),
};

const memoryOptions = {
  /**
   * Folder for what has to outlive the process: API keys that were made while running, and what was revoked. It is made when there is
   * something to keep. Channels, sessions and idempotency keys end with the process.
   *
   * @default none: everything ends with the process
   */
  dataDir: described(z.string().optional(), { text: "Folder for keys and revocations.", allowed: "a text" }),
  /** Runs even in one of several processes, each of which then has channels of its own. @default false */
  allowIsolated: described(z.boolean().default(false), {
    text: "Runs even in one of several processes.",
    allowed: "true or false",
  }),
};

const MEMORY = z.strictObject({ ...memoryLimits, ...processOptions, ...memoryOptions });

export type MemoryEngineOptions = Given<typeof memoryLimits> &
  Given<typeof processOptions> &
  Given<typeof memoryOptions>;
export type MemoryEngineLimits = Readonly<z.output<z.ZodObject<typeof memoryLimits>>>;

/** @throws TypeError */
export function memorySettings(given: MemoryEngineOptions): z.output<typeof MEMORY> {
  return checkedOptions("MemoryEngine", MEMORY, given, "");
}

/** A number that may be without an end. */
export function bound(value: number, text: string) {
  const schema = z.custom<number>((given) => typeof given === "number" && given >= 0);
  return described(schema.default(value), { text, allowed: "a number from 0 up" });
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
