/** What the parts of the WebSocket door share. */
import type { DoorHost } from "../door.js";

/** What a peer needs of its door. */
export interface DoorContext extends DoorHost {
  /** Bytes that a frame of a client may have. */
  readonly maxPayload: number;
}
