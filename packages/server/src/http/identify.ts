/** Who calls: for the routes where that matters, found out before they are asked. */
import { FanfareError, quote } from "@fanfare/protocol";
import type { Context } from "hono";
import type { Access } from "../access/access.js";
import { bearerOf, type Credentials } from "../access/credentials.js";
import type { Entrance } from "../access/entrance.js";
import type { Principal } from "../access/principal.js";
import { JSON_TYPE } from "./body.js";
import type { HttpContext, HttpEnv } from "./context.js";
import { headerOf } from "./header.js";

const READING = new Set(["GET", "HEAD"]);

/** Sets `principal` and `party`; `caller` has been set. @throws FanfareError `not_logged_in`, `unavailable`, `rate_limited` */
export type Identify = (c: Context<HttpEnv>) => void | Promise<void>;

/** The second step, where it matters who calls. It is done at once where nobody has to be asked. */
export function identification(access: Access, entrance: Entrance, count: HttpContext["count"]): Identify {
  const isKnown = (c: Context<HttpEnv>, principal: Principal) => {
    c.set("principal", principal);
    c.set("party", entrance.rates.partyOf(c.get("caller"), principal));
    count(c, "frames");
  };
  return (c) => {
    const credentials = credentialsOf(c, entrance);
    const mayGoByCookies = credentials.token === undefined && access.asking.possible;
    if (mayGoByCookies && !READING.has(c.req.method) && access.asking.goesByCookies(c.req.raw.headers)) {
      checkOwnPage(c);
    }
    const found = access.authenticate(credentials);
    return found instanceof Promise ? found.then((principal) => isKnown(c, principal)) : isKnown(c, found);
  };
}

/** What a request says in its headers. @throws FanfareError `not_logged_in` */
export function credentialsOf(c: Context<HttpEnv>, entrance: Entrance): Credentials {
  const { url, raw } = c.req;
  // Now: it depends on the socket, which may be gone when somebody is asked again.
  const host = hostOf(c, entrance);
  return {
    token: bearerOf(c.req.header("authorization")),
    csrf: headerOf(c, "x-csrf-token"),
    from: entrance.rates.addressOf(c.get("caller").line),
    request: () => ({ url, headers: raw.headers, host }),
  };
}

function hostOf(c: Context<HttpEnv>, entrance: Entrance): string {
  const incoming = c.env?.incoming;
  const called = incoming && entrance.hostOf(incoming.socket.remoteAddress, incoming.headers);
  // A `Request` that did not come over the wire names its host in the URL, if not in a header.
  return called ?? c.req.header("host") ?? new URL(c.req.url).host;
}

/**
 * A browser sends cookies along whatever page asks it to. So a call that changes something has to show that a page of ours made it,
 * by what no other page can send.
 *
 * @throws FanfareError `unsupported_media_type`, `forbidden`, `origin_not_allowed`
 */
function checkOwnPage(c: Context<HttpEnv>): void {
  const type = headerOf(c, "content-type") ?? "";
  if (c.req.method === "POST" && !JSON_TYPE.test(type)) {
    throw new FanfareError("unsupported_media_type", `the Content-Type is ${type ? quote(type) : "missing"}`);
  }
  if (headerOf(c, "x-csrf-token") === undefined) {
    throw new FanfareError("forbidden", "the call comes with cookies, and without the header X-Csrf-Token", {
      remedy: "Send the CSRF token of your application as X-Csrf-Token, or a token as Authorization: Bearer.",
    });
  }
  if (saysItsPage(c)) return;
  throw new FanfareError(
    "origin_not_allowed",
    "the call comes with cookies, and does not say from which page",
    {
      remedy: "Call from a page of the same origin, or send a token as Authorization: Bearer.",
    },
  );
}

/** Does it say that a page of ours made it? The origin has been compared already, where there is one. */
export function saysItsPage(c: Context<HttpEnv>): boolean {
  return headerOf(c, "origin") !== undefined || headerOf(c, "sec-fetch-site") === "same-origin";
}
