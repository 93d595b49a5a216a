/** The error of an engine that reads something else than it wrote. Nothing of it is shown to anybody. */
import { FanfareError, type Position } from "@fanfare/protocol";
import type { LossReason } from "./engine.js";

/** Where in a log something is damaged, and how to go on around it. */
export interface DamagedEntry {
  /** The position that cannot be read. */
  readonly position: Position;
  /** How many entries before it the same call would have read. */
  readonly before: number;
  /** The page's answer to the position that was asked for, had it been read. */
  readonly lost: LossReason | undefined;
}

export class DamagedError extends FanfareError {
  /** Set where it is an entry of a log. */
  readonly entry: DamagedEntry | null;

  /** @param what is damaged, such as "the state of order:7" */
  constructor(what: string, cause?: unknown, entry: DamagedEntry | null = null) {
    super("internal", `${what} is damaged in the store`, {
      remedy: "The operator has to restore a backup (docs/storage.md). Everything else can be used.",
      cause,
    });
    this.entry = entry;
  }
}
