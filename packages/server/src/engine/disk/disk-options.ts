/** The options of the disk engine, the bounds that it keeps, and how much of them is used. */
import { z } from "zod";
import { described, type Given } from "../../base/option.js";
import { checkedOptions } from "../../base/option-checks.js";
import { inCode } from "../../base/option-kinds.js";
import { bound, memoryLimits, processOptions } from "../memory/memory-options.js";
import type { AskFree } from "./store/free-space.js";

export const DEFAULT_DATA_DIR = "fanfare-data";

/** `maxBytes` is what messages take on the disk; everything else is as in memory. The comments are what editors show. */
const diskLimits = {
  /**
   * How long a channel without listeners must be idle to be forgotten though its log still holds messages, in milliseconds.
   * @default no limit: it waits until they have grown old
   */
  forgetHeldAfterMs: bound(
    Number.POSITIVE_INFINITY,
    "How long a channel that still holds messages must be idle to be forgotten, in milliseconds.",
  ),
  /** Below this many free bytes on the disk, publishers are refused. @default 64 MiB */
  reserveBytes: bound(64 * 2 ** 20, "Free bytes on the disk below which publishers are refused."),
};

const diskOptions = {
  /** The folder; made where there is none, with mode 0700. @default "fanfare-data" */
  dataDir: described(z.string().default(DEFAULT_DATA_DIR), { text: "The folder.", allowed: "a text" }),
  /** Asks how much room the disk has. @default the system */
  askFree: inCode<AskFree>({
    text: "Asks how much room the disk has.",
    allowed: "a function",
    isRight: (given) => typeof given === "function",
  }),
};

const DISK = z.strictObject({ ...memoryLimits, ...diskLimits, ...processOptions, ...diskOptions });

export type DiskEngineOptions = Given<typeof memoryLimits> &
  Given<typeof diskLimits> &
  Given<typeof processOptions> &
  Given<typeof diskOptions>;
export type DiskEngineLimits = Readonly<z.output<z.ZodObject<typeof memoryLimits & typeof diskLimits>>>;

/** @throws TypeError */
export function diskSettings(given: DiskEngineOptions): z.output<typeof DISK> {
  return checkedOptions("DiskEngine", DISK, given, "");
}
