/** The decision: who may do what. Every door and the HTTP API ask here, and nowhere else. */
import { type ChannelName, FanfareError } from "@fanfare/protocol";
import { ACTIONS, type Action } from "./actions.js";
import type { Grant } from "./grants.js";
import type { Principal } from "./principal.js";

/** The channel `null` is the server as a whole. */
export function authorize(principal: Principal, action: Action, channel: ChannelName | null): boolean {
  return principal.grants.find(action, channel) !== null;
}

/** What an anonymous caller is told: over HTTP the next request may log in, a connection stays anonymous. */
export type ToUnknown = "not_logged_in" | "forbidden";

/**
 * Returns when the principal may do this, and throws otherwise.
 *
 * @param canLogIn whether there are keys or users at all, so that an anonymous caller could log in
 * @param unknown the code for anonymous callers who could log in
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
  const { reason, remedy } = explain(principal, action, channel);
  if (principal.kind !== "nobody") throw new FanfareError("forbidden", reason, { remedy });
  if (canLogIn) throw new FanfareError(unknown, reason, { remedy: `${remedy} ${ALLOW_WITHOUT_LOG_IN}` });
  const grant = JSON.stringify([wantedGrant(action, channel)]);
  throw new FanfareError("forbidden", reason, {
    remedy: `Set the option anonymous: ${grant} on the server to allow this, or access: "open" to let all clients do everything.`,
  });
}

/** Why a principal may do something, or may not. Speaks of their own grants only, never of whether a channel exists. */
export interface Explanation {
  readonly allowed: boolean;
  /** The grant that allows it. */
  readonly grant: Grant | null;
  /** One sentence. */
  readonly reason: string;
  /** What would allow it; empty where it is allowed. */
  readonly remedy: string;
}

const ALLOW_WITHOUT_LOG_IN =
  "To allow this to clients that do not log in, add this grant to the server's option anonymous.";

function wantedGrant(action: Action, channel: ChannelName | null): Grant {
  return { channels: channel ?? "**", actions: [action] };
}

export function explain(principal: Principal, action: Action, channel: ChannelName | null): Explanation {
  const { grants } = principal;
  const who = WHO[principal.kind];
  const { does, on } = ACTIONS[action];
  const isSomewhere = channel === null && on === "channel";
  const what = on === "server" ? does : `${does} ${channel ?? "any channel"}`;
  const grant = grants.find(action, channel);
  if (grant)
    return { allowed: true, grant, reason: `${who} may ${what}: ${JSON.stringify(grant)}.`, remedy: "" };
  const wanted = isSomewhere
    ? `a grant with the action ${action}`
    : `the grant ${JSON.stringify(wantedGrant(action, channel))}, or one with a pattern that covers it`;
  return {
    allowed: false,
    grant: null,
    reason: `${who} may not ${what} (${missing(principal, channel)}).`,
    remedy: `${WHERE[principal.kind]} ${wanted}.`,
  };
}

/** Where the missing grant would have to be. */
const WHERE: Readonly<Record<Principal["kind"], string>> = {
  nobody: "Use an API key or the token of a user who has",
  key: "Use a key with",
  user: "Put into the user's token",
};

const WHO: Readonly<Record<Principal["kind"], string>> = {
  nobody: "Anonymous clients",
  key: "This API key",
  user: "This user",
};

function missing({ grants }: Principal, channel: ChannelName | null): string {
  const { list } = grants;
  if (list.length === 0) return "no grants";
  const others = channel === null ? [] : grants.actionsOn(channel);
  if (others.length > 0) return `allowed: ${others.join(", ")}`;
  return list.length === 1
    ? "the only grant is for something else"
    : `none of the ${list.length} grants covers it`;
}
