/** The refusal of a change of a state that builds on another state than there is: another node was faster. */
import { type ChannelName, FanfareError, formatPosition, type Position } from "@fanfare/protocol";
import type { PresentState } from "./logs.js";

export class StateConflictError extends FanfareError {
  /** The state that the next try has to build on. As lasting as the engine is. */
  readonly present: PresentState;

  /** @param base the state that the change builds on; `null` when it expects none */
  constructor(channel: ChannelName, present: PresentState, base: Position | null) {
    const found = present.json === null ? null : present;
    super("version_mismatch", `the state of ${channel} is ${shown(found)}, and ${shown(base)} was expected`);
    this.present = present;
  }
}

function shown(position: Position | null): string {
  return position ? formatPosition(position) : "none";
}
