/** What the resources of the HTTP API share. */
import type { ChannelName } from "@fanfare/protocol";
import type { Action } from "../access/policy.js";
import type { Hub } from "../hub/hub.js";
import type { NodeBindings } from "./body.js";

export interface HttpEnv {
  Bindings: NodeBindings;
}

export interface HttpContext {
  readonly hub: Hub;
  /** @throws FanfareError `forbidden` */
  readonly allow: (action: Action, channel: ChannelName) => void;
}
