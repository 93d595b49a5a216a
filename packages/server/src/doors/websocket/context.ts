/** What the parts of the WebSocket door share. */
import type { Access } from "../../access/access.js";
import type { Entrance } from "../../access/entrance.js";
import type { Hub } from "../../hub/hub.js";
import type { Sessions } from "../../hub/sessions.js";
import type { Log } from "../../log.js";
import type { TimingWheel } from "../timing-wheel.js";

export interface DoorOptions {
  readonly hub: Hub;
  readonly sessions: Sessions;
  readonly access: Access;
  readonly entrance: Entrance;
  readonly log: Log;
}

/** A client whom the door can send away. */
export interface Leaving {
  goodbye(retryAfter: number): void;
  /** Keys, tokens or grants have changed: it may have to go, or to hear less. */
  accessChanged(): void;
  destroy(): void;
}

/** What a peer needs of its door. */
export interface DoorContext extends DoorOptions {
  readonly wheel: TimingWheel;
  /** Bytes that a frame of a client may have. */
  readonly maxPayload: number;
  gone(peer: Leaving): void;
}
