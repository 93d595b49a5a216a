/** Every HTTP request passes this: the entrance, the rules of browsers, and the check of what its caller may do. */
import type { Context } from "hono";
import type { Entrance } from "../../access/entrance.js";
import type { Action } from "../../access/grants/actions.js";
import { extraReads } from "../../access/rates/call-cost.js";
import type { Rates } from "../../access/rates/rates.js";
import { answerHeaders, PREFLIGHT_HEADERS } from "../../wire/cors.js";
import type { HttpContext, HttpEnv } from "./context.js";
import type { Identify } from "./identify.js";
import type { Handle } from "./route.js";

/** Actions that append to a log, and so count as publishing. A change of a state, a lock and a number append, too. */
const APPENDING: ReadonlySet<Action> = new Set(["publish", "patch", "lock", "sequence"] as const);

/** Actions that count as reading: they answer with more than a line. */
const READING: ReadonlySet<Action> = new Set(["history", "presence"] as const);

/** Sets `caller`, and answers the browser that asks before it calls. @throws FanfareError `host_not_allowed`, `origin_not_allowed` */
export type Admit = (c: Context<HttpEnv>) => Response | null;

/** The first step of every request. */
export function admission(entrance: Entrance): Admit {
  return (c) => {
    const caller = c.env.admit(entrance);
    const origin = c.env.header("origin");
    if (origin !== undefined) {
      for (const [name, value] of answerHeaders(origin)) c.env.setHeader(c, name, value);
      if (c.req.method === "OPTIONS") {
        for (const [name, value] of PREFLIGHT_HEADERS) c.header(name, value);
        return c.body(null, 204);
      }
    }
    c.set("caller", caller);
    return null;
  };
}

/**
 * Runs a route for admitted callers. Hono's middleware would do the same with several promises for every request, which cost
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
export function checks(rates: Rates): Pick<HttpContext, "allow" | "count" | "hasRead"> {
  const count: HttpContext["count"] = (c, what) => {
    const { party } = c.get("requestCaller");
    const refusal = party && rates.take(what, party);
    if (refusal) throw refusal;
  };
  const allow: HttpContext["allow"] = (c, action, channel) => {
    const requestCaller = c.get("requestCaller");
    requestCaller.check();
    requestCaller.allow(action, channel);
    if (APPENDING.has(action)) count(c, "publishes");
    else if (READING.has(action)) count(c, "reads");
  };
  const hasRead: HttpContext["hasRead"] = (c, work) => {
    const { party } = c.get("requestCaller");
    const extra = party ? extraReads(work) : 0;
    if (party && extra > 0) rates.count("reads", party, extra);
  };
  return { allow, count, hasRead };
}
