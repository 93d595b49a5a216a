/**
 * Who may do what: one seam, asked by every door and by HTTP. The real decision (tokens, grants) is to live behind it; until
 * then there are API keys that may do everything, and two ways to treat everybody else.
 */
import { type ChannelName, FanfareError, quote } from "@fanfare/protocol";

/** `admin`: look after the server itself: its channels, connections and figures. */
export type Action = "subscribe" | "publish" | "history" | "admin";

/** Who is asking. */
export interface Principal {
  /** `key`: another server, with an API key. */
  readonly kind: "nobody" | "key";
}

export const NOBODY: Principal = { kind: "nobody" };
export const KEY: Principal = { kind: "key" };

/** Decides whether somebody may do something on a channel; `null` is the server as a whole. */
export type Authorize = (principal: Principal, action: Action, channel: ChannelName | null) => boolean;

/**
 * What callers without a key may do. `open`: everything. `listen`: subscribe and read history; publishing is for API keys, and in
 * process.
 */
export type AccessMode = "open" | "listen";

/** @throws TypeError */
export function policyOf(mode: AccessMode): Authorize {
  switch (mode) {
    case "open":
      return () => true;
    case "listen":
      return ({ kind }, action) => kind === "key" || action === "subscribe" || action === "history";
    default:
      throw new TypeError(`access is ${quote(String(mode))}. Give "listen" or "open".`);
  }
}

/** The error for somebody who may not do this. */
export function refusal(action: Action, channel: ChannelName | null): FanfareError {
  const what = channel === null ? "look after this server" : `${action} on ${channel}`;
  return new FanfareError("forbidden", `may not ${what}`, {
    remedy:
      'Use an API key over HTTP, publish in process with fanfare.publish(), or pass access: "open" where everybody who can reach the server may do everything.',
  });
}
