/** The HTTP API as a web-standard application: one file per resource, errors as problem details. */
import { FanfareError, quote } from "@fanfare/protocol";
import { type Context, Hono } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Authenticate } from "../access/keys.js";
import type { CheckOrigin } from "../access/origins.js";
import { type Authorize, refusal } from "../access/policy.js";
import type { Hub } from "../hub/hub.js";
import type { Log } from "../log.js";
import { PROBLEM_TYPE, problemOf } from "../problem.js";
import { setHeader } from "./answer.js";
import { clientScript } from "./client-script.js";
import type { HttpContext, HttpEnv } from "./context.js";
import { messageRoutes } from "./messages.js";

export interface AppOptions {
  readonly path: string;
  readonly hub: Hub;
  readonly authenticate: Authenticate;
  readonly authorize: Authorize;
  /** Are there API keys, so that a caller who may not do something can log in? */
  readonly hasKeys: boolean;
  readonly checkOrigin: CheckOrigin;
  readonly log: Log;
  /** Is the server on its way out? */
  readonly stopping: () => boolean;
}

export function createApp(options: AppOptions): Hono<HttpEnv> {
  const { path, hub, authenticate, authorize, hasKeys, checkOrigin, log, stopping } = options;
  const allow: HttpContext["allow"] = (c, action, channel) => {
    const principal = c.get("principal");
    if (authorize(principal, action, channel)) return;
    if (hasKeys && principal.kind === "nobody") {
      throw new FanfareError(
        "not_logged_in",
        `an API key is needed to ${action === "admin" ? "see this" : action}`,
      );
    }
    throw refusal(action, channel);
  };
  const app = new Hono<HttpEnv>({ strict: false }).basePath(path);

  app.use(async (c, next) => {
    const origin = c.req.header("origin");
    checkOrigin({ host: hostOf(c), origin });
    if (origin !== undefined) {
      allowPage(c, origin);
      if (c.req.method === "OPTIONS") return c.body(null, 204);
    }
    c.set("principal", authenticate(c.req.header("authorization")));
    await next();
    return;
  });

  app.get("/health", (c) => {
    const status = stopping() ? "stopping" : hub.deaf ? "deaf" : "ready";
    return c.json({ status }, status === "ready" ? 200 : 503, { "Cache-Control": "no-store" });
  });
  app.route("/", messageRoutes({ hub, allow }));
  app.route("/", clientScript());
  app.get("/", (c) => {
    c.header("Upgrade", "websocket");
    c.header("Connection", "Upgrade");
    throw new FanfareError("upgrade_required", `${path} is where WebSockets are opened`);
  });

  for (const [route, methods] of ALLOWED) {
    app.all(route, (c) => {
      c.header("Allow", methods);
      throw new FanfareError("method_not_allowed", `${c.req.method} is not possible here; ${methods} is`);
    });
  }
  app.notFound((c) =>
    answerProblem(c, new FanfareError("not_found", `there is nothing at ${quote(c.req.path, 200)}`)),
  );
  app.onError((error, c) => {
    if (!(error instanceof FanfareError)) {
      log.error({ err: error, method: c.req.method, path: quote(c.req.path, 200) }, "a request failed");
      return answerProblem(c, new FanfareError("internal", "the server failed"));
    }
    if (error.code === "host_not_allowed" || error.code === "origin_not_allowed") {
      log.warn({ code: error.code, remedy: error.remedy }, `request refused: ${error.message}`);
    }
    return answerProblem(c, error);
  });
  return app;
}

const ALLOWED = [
  ["/channels/:channel/messages", "GET, HEAD, POST"],
  ["/health", "GET, HEAD"],
  ["/client.js", "GET, HEAD"],
  ["/", "GET, HEAD"],
] as const;

/** A `Request` that did not come over the wire names its host in the URL only. */
function hostOf(c: Context<HttpEnv>): string | undefined {
  return c.req.header("host") ?? (c.env?.incoming ? undefined : new URL(c.req.url).host);
}

/** Lets the page read the answer; whether it may call at all has been decided. */
function allowPage(c: Context, origin: string): void {
  setHeader(c, "Access-Control-Allow-Origin", origin);
  setHeader(c, "Vary", "Origin");
  if (c.req.method !== "OPTIONS") return;
  c.header("Access-Control-Allow-Methods", "GET, POST");
  c.header("Access-Control-Allow-Headers", "Content-Type, Idempotency-Key");
  c.header("Access-Control-Max-Age", "600");
}

function answerProblem(c: Context, error: FanfareError): Response {
  const problem = problemOf(error);
  c.header("Content-Type", PROBLEM_TYPE);
  if (error.code === "not_logged_in") c.header("WWW-Authenticate", "Bearer");
  if (error.retryAfter !== undefined) c.header("Retry-After", String(Math.ceil(error.retryAfter)));
  return c.body(JSON.stringify(problem), problem.status as ContentfulStatusCode);
}
