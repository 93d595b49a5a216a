/** The bytes of all states in memory. States cannot be let go of, so what would be too much is refused. */
import { FanfareError } from "@fanfare/protocol";
import { COSTS } from "../../base/costs.js";

/** The part of the engine's bytes that states may take; logs get the rest. */
const PART = 1 / 2;

export class StateBytes {
  readonly #most: number;
  /** Roughly. */
  count = 0;

  /** @param maxBytes of logs and states together */
  constructor(maxBytes: number) {
    this.#most = maxBytes * PART;
  }

  changed(before: string | null | undefined, after: string | null | undefined): void {
    this.count += costOf(after) - costOf(before);
  }

  /** @throws FanfareError `insufficient_storage` */
  assertRoom(before: string | null | undefined, after: string | null): void {
    const more = costOf(after) - costOf(before);
    if (more <= 0 || this.count + more <= this.#most) return;
    throw new FanfareError(
      "insufficient_storage",
      `the states of all channels together would take more than ${this.#most} bytes`,
      { remedy: "Remove states that are no longer needed, or raise `limits.historyBytes`." },
    );
  }
}

function costOf(json: string | null | undefined): number {
  return json == null ? 0 : COSTS.state + json.length;
}
