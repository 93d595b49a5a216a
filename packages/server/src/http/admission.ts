/** What every HTTP request passes, whatever it is for: the entrance, and the rules of browsers; and what its caller may do. */
import type { Context } from "hono";
import type { Access } from "../access/access.js";
import type { Action } from "../access/actions.js";
import type { Caller } from "../access/addresses.js";
import type { Entrance } from "../access/entrance.js";
import type { Rates } from "../access/rates.js";
import { setHeader } from "./answer.js";
import type { HttpContext, HttpEnv } from "./context.js";
import { headerOf } from "./header.js";
import type { Identify } from "./identify.js";
import type { Handle } from "./route.js";

/** What is appended to a log counts as published; a change of a state, a lock and a number are. */
const APPENDING: ReadonlySet<Action> = new Set(["publish", "patch", "lock", "sequence"] as const);

const ALLOWED_HEADERS =
  "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, X-Csrf-Token";

/** Sets `caller`, and answers the browser that asks before it calls. @throws FanfareError `host_not_allowed`, `origin_not_allowed` */
export type Admit = (c: Context<HttpEnv>) => Response | null;

/** The first step of every request. */
export function admission(entrance: Entrance): Admit {
  return (c) => {
    const caller = callerOf(c, entrance);
    const origin = headerOf(c, "origin");
    if (origin !== undefined) {
      allowPage(c, origin);
      if (c.req.method === "OPTIONS") return c.body(null, 204);
    }
    c.set("caller", caller);
    return null;
  };
}

/**
 * What a route does for those who are let in. Hono's middleware would do the same with several promises for every request, which cost
 * more than what they wait for.
 *
 * @param identify left out where it does not matter who calls
 */
export function admitted(admit: Admit, handle: Handle, identify?: Identify): Handle {
  return (c) => {
    const answered = admit(c);
    if (answered) return answered;
    const identified = identify?.(c);
    return identified ? identified.then(() => handle(c)) : handle(c);
  };
}

/** Whether a caller may do something, and whether he does it too often. */
export function checks(access: Access, rates: Rates): Pick<HttpContext, "allow" | "count"> {
  const count: HttpContext["count"] = (c, what) => {
    const party = c.get("party");
    const refusal = party && rates.take(what, party);
    if (refusal) throw refusal;
  };
  const allow: HttpContext["allow"] = (c, action, channel) => {
    access.allow(c.get("principal"), action, channel);
    if (APPENDING.has(action)) count(c, "publishes");
  };
  return { allow, count };
}

/** @throws FanfareError `host_not_allowed`, `origin_not_allowed` */
function callerOf(c: Context<HttpEnv>, entrance: Entrance): Caller {
  const incoming = c.env?.incoming;
  if (incoming) {
    return entrance.admit(incoming.socket.remoteAddress, incoming.headers, c.req.header("host"));
  }
  // A `Request` that did not come over the wire names its host in the URL only, and nobody's address.
  const { host = new URL(c.req.url).host, origin, cookie } = c.req.header();
  return entrance.admit(undefined, { host, ...(origin && { origin }), ...(cookie && { cookie }) });
}

/** Lets the page read the answer; whether it may call at all has been decided. */
function allowPage(c: Context, origin: string): void {
  setHeader(c, "Access-Control-Allow-Origin", origin);
  setHeader(c, "Access-Control-Expose-Headers", "ETag");
  setHeader(c, "Vary", "Origin");
  if (c.req.method !== "OPTIONS") return;
  c.header("Access-Control-Allow-Methods", "GET, POST, PATCH, PUT, DELETE");
  c.header("Access-Control-Allow-Headers", ALLOWED_HEADERS);
  c.header("Access-Control-Max-Age", "600");
}
