/** The decision: who may do what. Every door and the HTTP API ask here, and nowhere else. */
import { type ChannelName, FanfareError } from "@fanfare/protocol";
import { ACTIONS, type Action } from "./actions.js";
import type { Grant } from "./grants.js";
import type { Principal } from "./principal.js";

/** The channel `null` is the server as a whole. */
export function authorize(principal: Principal, action: Action, channel: ChannelName | null): boolean {
  return principal.grants.find(action, channel) !== null;
}

/** What somebody is told who did not say who he is: over HTTP the next request may say it, a connection stays nobody's. */
export type ToUnknown = "not_logged_in" | "forbidden";

/**
 * Lets somebody go on who may do this.
 *
 * @param canLogIn whether there are keys or users at all, so that somebody who said nothing could say who he is
 * @param unknown what such a one is told
 * @throws FanfareError `forbidden`, `not_logged_in`
 */
export function allow(
  principal: Principal,
  action: Action,
  channel: ChannelName | null,
  canLogIn: boolean,
  unknown: ToUnknown = "not_logged_in",
): void {
  if (principal.grants.find(action, channel) !== null) return;
  const { why, remedy } = explain(principal, action, channel);
  if (principal.kind !== "nobody") throw new FanfareError("forbidden", why, { remedy });
  if (canLogIn) throw new FanfareError(unknown, why, { remedy });
  throw new FanfareError("forbidden", why, { remedy: `${remedy} ${NOBODY_CAN}` });
}

/** Why somebody may do something, or may not. Speaks of his own grants only, never of whether a channel exists. */
export interface Explanation {
  readonly allowed: boolean;
  /** The grant that allows it. */
  readonly grant: Grant | null;
  /** One sentence. */
  readonly why: string;
  /** What would allow it; empty where it is allowed. */
  readonly remedy: string;
}

/** For a server that knows neither keys nor users. */
const NOBODY_CAN =
  'This server has neither: set apiKeys or tokens, publish in process, or pass access: "open" where whoever reaches the server may do everything.';

export function explain(principal: Principal, action: Action, channel: ChannelName | null): Explanation {
  const { grants } = principal;
  const who = nameOf(principal);
  const words = (has: boolean) =>
    channel === null
      ? `${who} may ${has ? "" : "not "}${ACTIONS[action].meaning}`
      : `${who} ${has ? "has" : "lacks"} the action ${action} on ${channel}`;
  const grant = grants.find(action, channel);
  if (grant) return { allowed: true, grant, why: `${words(true)}: ${JSON.stringify(grant)}`, remedy: "" };
  const wanted = JSON.stringify({ channels: channel ?? "**", actions: [action] });
  return {
    allowed: false,
    grant: null,
    why: `${words(false)}: ${missing(principal, channel)}`,
    remedy: `${WHERE[principal.kind]} the grant ${wanted}, or one with a pattern that covers it.`,
  };
}

/** Where the missing grant would have to be. */
const WHERE: Readonly<Record<Principal["kind"], string>> = {
  nobody: "Use an API key or the token of a user who has",
  key: "Use a key with",
  user: "Put into the user's token",
};

function missing({ grants }: Principal, channel: ChannelName | null): string {
  const { list } = grants;
  if (list.length === 0) return "there is no grant at all";
  const others = channel === null ? [] : grants.actionsOn(channel);
  if (others.length > 0) return `the grants for this channel are for ${others.join(", ")}`;
  return list.length === 1
    ? "the one grant is for something else"
    : `none of the ${list.length} grants is for it`;
}

function nameOf(principal: Principal): string {
  switch (principal.kind) {
    case "nobody":
      return "who does not log in";
    case "key":
      return "this API key";
    case "user":
      return "this user";
  }
}
