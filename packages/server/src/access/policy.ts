/**
 * Who may do what: one seam, asked by every door and by HTTP. The real decision (keys, tokens, grants) is to live behind it;
 * until then there are the two policies below.
 */
import { type ChannelName, quote } from "@fanfare/protocol";

export type Action = "subscribe" | "publish" | "history";

/** Who is asking. */
export interface Principal {
  readonly kind: "nobody";
}

export const NOBODY: Principal = { kind: "nobody" };

/** Decides whether somebody may do something on a channel. */
export type Authorize = (principal: Principal, action: Action, channel: ChannelName) => boolean;

/** `open`: everybody may do everything. `listen`: everybody may subscribe and read history; publishing is in process only. */
export type AccessMode = "open" | "listen";

/** @throws TypeError */
export function policyOf(mode: AccessMode): Authorize {
  switch (mode) {
    case "open":
      return () => true;
    case "listen":
      return (_principal, action) => action !== "publish";
    default:
      throw new TypeError(`access is ${quote(String(mode))}. Give "listen" or "open".`);
  }
}

/** What to do when the policy of a mode says no. */
export const FORBIDDEN_REMEDY =
  'Publish in process with fanfare.publish(), or pass access: "open" where everybody who can reach the server may publish.';
