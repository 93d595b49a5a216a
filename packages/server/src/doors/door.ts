/**
 * The seam for protocols: a door lets in clients that speak one of them, and translates between them and the hub. It keeps no messages
 * and no positions of its own. `docs/doors.md` says how to write one; `door.contract.ts` is what each has to pass.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Access } from "../access/access.js";
import type { Entrance } from "../access/entrance.js";
import type { Failures } from "../base/failures.js";
import type { Log } from "../base/log.js";
import type { TimingWheel } from "../base/timing-wheel.js";
import type { Hub } from "../hub/hub.js";
import type { Sessions } from "../hub/sessions.js";
import type { Locks } from "../locks/locks.js";
import type { Sequences } from "../locks/sequences.js";
import type { Arriving } from "../wire/arriving.js";
import type { Bodies } from "../wire/bodies.js";
import type { Clients } from "./clients.js";

/** The things that a protocol can say. */
export interface DoorCapabilities {
  /**
   * How a client that comes back says where it was. `positions`: by the position of each channel. `cursor`: by a text that the door
   * gave it. `none`: not at all, and it is told so; then it begins at the newest message.
   */
  readonly recovery: "positions" | "cursor" | "none";
  /** A client can ask for a channel from any position on, and is told where delivery starts. */
  readonly positions: boolean;
  /** Messages tell their offsets, and gaps are announced at their place. */
  readonly offsets: boolean;
  /** A connection can take up and give up channels while it lives. */
  readonly unsubscribes: boolean;
  /** Clients can publish over the connection itself. */
  readonly publishes: boolean;
  /** A client can show a new token of its user while it is connected. */
  readonly renews: boolean;
  /** Clients hear the channels of `auto` rules without asking. */
  readonly auto: boolean;
}

/** The parts that a door is given: everything that there is one of in a Fanfare. */
export interface DoorHost {
  readonly hub: Hub;
  readonly locks: Locks;
  readonly sequences: Sequences;
  readonly sessions: Sessions;
  readonly access: Access;
  readonly entrance: Entrance;
  readonly log: Log;
  /** Where every callback of a library ends its exceptions. */
  readonly failures: Failures;
  /** One timer for the clients of all doors. */
  readonly wheel: TimingWheel;
  /** The clients of all doors: counted together, told together when access has changed, sent away together. */
  readonly clients: Clients;
  /** Counts input of all requests and clients that has not come whole. */
  readonly arriving: Arriving;
  /** Reads the bodies of requests. */
  readonly bodies: Bodies;
}

/** An address of a Node server, outside the server's own path, where a protocol has its place, such as `/socket.io`. */
export interface Place {
  readonly path: string;
  request(request: IncomingMessage, response: ServerResponse): void;
  upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void;
}

export interface Door {
  /** For lists, figures and logs, such as `websocket`. */
  readonly name: string;
  readonly can: DoorCapabilities;
  /** Served on every Node server that the Fanfare is attached to. @default none: it is served under the server's path */
  readonly places?: readonly Place[];
  /** Lets go of what the door has beside its clients, who have been sent away by then. */
  close?(): void | Promise<void>;
}
