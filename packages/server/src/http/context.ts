/** What the resources of the HTTP API share. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { ChannelName } from "@fanfare/protocol";
import type { Context } from "hono";
import type { Access } from "../access/access.js";
import type { Action } from "../access/actions.js";
import type { Caller } from "../access/addresses.js";
import type { Entrance } from "../access/entrance.js";
import type { Principal } from "../access/principal.js";
import type { Counted, Party } from "../access/rates.js";
import type { Tickets } from "../access/tickets.js";
import type { SseDoor } from "../doors/sse/door.js";
import type { Disconnects } from "../hub/disconnects.js";
import type { Hub } from "../hub/hub.js";
import type { Log } from "../log.js";

/** What a Node server hands on to the HTTP application beside the request. */
export interface NodeBindings {
  readonly incoming?: IncomingMessage;
  readonly outgoing?: ServerResponse;
}

export interface HttpEnv {
  Bindings: NodeBindings;
  Variables: {
    caller: Caller;
    principal: Principal;
    /** Whose rates count; `null` is nobody's. */
    party: Party | null;
  };
}

export interface HttpContext {
  readonly hub: Hub;
  readonly disconnects: Disconnects;
  readonly access: Access;
  readonly entrance: Entrance;
  readonly sse: SseDoor;
  readonly tickets: Tickets;
  readonly log: Log;
  /** Is the server on its way out? */
  readonly stopping: () => boolean;
  /**
   * Lets the caller of a request go on if it may do this; `null` is the server as a whole.
   *
   * Publishing is counted.
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
}
