/** Finds the caller of a request before the route runs, for the routes that need one. */
import { FanfareError, quote } from "@fanfare/protocol";
import type { Context } from "hono";
import type { Access } from "../../access/access.js";
import type { Entrance } from "../../access/entrance.js";
import { bearerOf, type Credentials } from "../../access/grants/credentials.js";
import type { Principal } from "../../access/grants/principal.js";
import { RequestCaller } from "../../access/request-caller.js";
import { JSON_TYPE } from "./body.js";
import type { HttpContext, HttpEnv } from "./context.js";

const READING = new Set(["GET", "HEAD"]);

/** Sets `requestCaller`; `caller` has been set. @throws FanfareError `not_logged_in`, `unavailable`, `rate_limited` */
export type Identify = (c: Context<HttpEnv>) => void | Promise<void>;

export interface IdentificationOptions {
  /** Finds the token in the header `Authorization`. */
  readonly tokenIn?: typeof bearerOf;
  /** The calls change nothing, whatever their method. @default false */
  readonly onlyListens?: boolean;
}

/**
 * The second step, where it matters who calls. It is done at once where there is no question to ask.
 */
export function identification(
  access: Access,
  entrance: Entrance,
  count: HttpContext["count"],
  { tokenIn = bearerOf, onlyListens = false }: IdentificationOptions = {},
): Identify {
  const isKnown = (c: Context<HttpEnv>, principal: Principal) => {
    c.set(
      "requestCaller",
      new RequestCaller(
        access,
        entrance.rates,
        principal,
        entrance.rates.partyOf(c.get("caller"), principal),
      ),
    );
    count(c, "frames");
  };
  return (c) => {
    const credentials = credentialsOf(c, entrance, tokenIn);
    const mayGoByCookies = credentials.token === undefined && access.asking.possible;
    const mayNeedPage = mayGoByCookies && (onlyListens || !READING.has(c.req.method));
    if (mayNeedPage && access.asking.goesByCookies(c.req.raw.headers)) {
      if (onlyListens) checkListening(c);
      else checkOwnPage(c);
    }
    const found = access.authenticate(credentials);
    return found instanceof Promise ? found.then((principal) => isKnown(c, principal)) : isKnown(c, found);
  };
}

/**
 * A call by cookies that only listens changes nothing, and a page that may not read its answer gets none of it. So it is enough that it says
 * from which page it comes, or has what only our pages have.
 *
 * @throws FanfareError `forbidden`
 */
export function checkListening(c: Context<HttpEnv>): void {
  if (c.env.header("x-csrf-token") !== undefined || saysItsPage(c)) return;
  throw new FanfareError("forbidden", "the call comes with cookies, and does not say from which page", {
    remedy: "Take a ticket by POST {path}/tickets, or send X-Csrf-Token.",
  });
}

/** The credentials in a request's headers. @throws FanfareError `not_logged_in` */
export function credentialsOf(c: Context<HttpEnv>, entrance: Entrance, tokenIn = bearerOf): Credentials {
  const { url, raw } = c.req;
  // Now: it depends on the socket, which may be gone when somebody is asked again.
  const host = c.env.hostCalled(entrance);
  return {
    token: tokenIn(c.req.header("authorization")),
    csrf: c.env.header("x-csrf-token"),
    from: entrance.rates.addressOf(c.get("caller").line),
    request: () => ({ url, headers: raw.headers, host }),
  };
}

/**
 * A browser sends cookies along whatever page asks it to. So a call that changes something has to show that a page of ours made it,
 * by what no other page can send.
 *
 * @throws FanfareError `unsupported_media_type`, `forbidden`, `origin_not_allowed`
 */
function checkOwnPage(c: Context<HttpEnv>): void {
  const type = c.env.header("content-type") ?? "";
  if (c.req.method === "POST" && !JSON_TYPE.test(type)) {
    throw new FanfareError("unsupported_media_type", `the Content-Type is ${type ? quote(type) : "missing"}`);
  }
  if (c.env.header("x-csrf-token") === undefined) {
    throw new FanfareError("forbidden", "the call comes with cookies, and without the header X-Csrf-Token", {
      remedy:
        "Send the CSRF token of your application as X-Csrf-Token (in @fanfare/client: the option `csrf`), or a token as Authorization: Bearer.",
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
function saysItsPage(c: Context<HttpEnv>): boolean {
  return c.env.header("origin") !== undefined || c.env.header("sec-fetch-site") === "same-origin";
}
