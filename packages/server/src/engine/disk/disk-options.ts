/** The options of the disk engine, the bounds that it keeps, and how much of them is used. */
import type { Clock, Random } from "../../base/clock.js";
import { membersOf } from "../../base/known-names.js";
import type { Log } from "../../base/log.js";
import { DEFAULT_LIMITS, type MemoryEngineLimits } from "../memory/memory-options.js";
import type { AskFree } from "./store/free-space.js";

export interface DiskEngineOptions extends Partial<DiskEngineLimits> {
  /** The folder; made where there is none, with mode 0700. @default "fanfare-data" */
  readonly dataDir?: string;
  /** @default the machine's clock */
  readonly clock?: Clock;
  /** @default the machine's randomness */
  readonly random?: Random;
  /** A pino logger, or anything with its four methods: told of a full disk, a folder that is gone, damaged records. @default nothing is logged */
  readonly logger?: Log;
  /** Asks how much room the disk has. @default the system */
  readonly askFree?: AskFree;
}

/** `maxBytes` is what messages take on the disk; everything else is as in memory. */
export interface DiskEngineLimits extends MemoryEngineLimits {
  /**
   * How long a channel without listeners must be idle to be forgotten though its log still holds messages, in milliseconds.
   * @default no limit: it waits until they have grown old
   */
  readonly forgetHeldAfterMs: number;
  /** Below this many free bytes on the disk, publishers are refused. @default 64 MiB */
  readonly reserveBytes: number;
}

export const DEFAULT_DATA_DIR = "fanfare-data";

export const DEFAULT_DISK_LIMITS: DiskEngineLimits = {
  ...DEFAULT_LIMITS,
  forgetHeldAfterMs: Number.POSITIVE_INFINITY,
  reserveBytes: 64 * 2 ** 20,
};

export const DISK_OPTIONS = [
  ...membersOf<Omit<DiskEngineOptions, keyof DiskEngineLimits>>({
    dataDir: true,
    clock: true,
    random: true,
    logger: true,
    askFree: true,
  }),
  ...Object.keys(DEFAULT_DISK_LIMITS),
];
