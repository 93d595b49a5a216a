/** The things that the parts of the Socket.IO door share. */
import type { Services } from "../../feathers/services.js";
import type { DoorHost } from "../door.js";
import type { SocketIoEncoding } from "./encoding.js";

/** The name of this door. */
export const SOCKETIO = "socketio";

export interface SocketIoContext extends DoorHost {
  readonly services: Services;
  readonly encoding: SocketIoEncoding;
  /** Bytes that a packet of a client may have. */
  readonly maxPayload: number;
}
