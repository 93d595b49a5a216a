/** Shared by the resources of the HTTP API. */
import type { ChannelName } from "@fanfare/protocol";
import type { Context } from "hono";
import type { Access } from "../../access/access.js";
import type { Entrance } from "../../access/entrance.js";
import type { Action } from "../../access/grants/actions.js";
import type { Caller } from "../../access/grants/addresses.js";
import type { ReadWork } from "../../access/rates/call-cost.js";
import type { Counted } from "../../access/rates/rates.js";
import type { RequestCaller } from "../../access/request-caller.js";
import type { Tickets } from "../../access/tickets.js";
import type { Log } from "../../base/log.js";
import type { SseDoor } from "../../doors/sse/door.js";
import type { AllConnections } from "../../hub/all-connections.js";
import type { Hub } from "../../hub/hub.js";
import type { Nodes } from "../../hub/nodes.js";
import type { Locks } from "../../locks/locks.js";
import type { Sequences } from "../../locks/sequences.js";
import type { Arriving } from "../../wire/arriving.js";
import type { Exchange } from "./exchange.js";

export interface HttpEnv {
  Bindings: Exchange;
  Variables: {
    caller: Caller;
    /** The caller, for the routes that ask for one. */
    requestCaller: RequestCaller;
  };
}

export interface HttpContext {
  readonly hub: Hub;
  readonly locks: Locks;
  readonly sequences: Sequences;
  readonly nodes: Nodes;
  readonly allConnections: AllConnections;
  readonly access: Access;
  readonly entrance: Entrance;
  readonly sse: SseDoor;
  readonly arriving: Arriving;
  readonly tickets: Tickets;
  readonly log: Log;
  /** Is the server on its way out? */
  readonly stopping: () => boolean;
  /**
   * Lets the caller of a request go on if it may do this; `null` is the server as a whole.
   *
   * Publishing and reading are counted.
   *
   * @throws FanfareError `forbidden`, `not_logged_in`, `rate_limited`
   */
  readonly allow: (c: Context<HttpEnv>, action: Action, channel: ChannelName | null) => void;
  /**
   * Counts what a caller does.
   *
   * @throws FanfareError `rate_limited`
   */
  readonly count: (c: Context<HttpEnv>, what: Counted) => void;
  /** Counts what a call that reads has cost, once that is known: the caller's next one may have to wait. */
  readonly hasRead: (c: Context<HttpEnv>, work: ReadWork) => void;
}
