/** The parts of the WebSocket door share this. */
import type { DoorHost } from "../door.js";

/** The door, as its transports see it. */
export interface DoorContext extends DoorHost {
  /** Bytes that a frame of a client may have. */
  readonly maxPayload: number;
}
