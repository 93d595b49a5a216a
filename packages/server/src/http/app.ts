/** The HTTP API as a web-standard application: one file per resource, errors as problem details. */
import { type ErrorCode, FanfareError, quote } from "@fanfare/protocol";
import { type Context, Hono } from "hono";
import { TrieRouter } from "hono/router/trie-router";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Access } from "../access/access.js";
import type { Entrance } from "../access/entrance.js";
import { Tickets } from "../access/tickets.js";
import type { SseDoor } from "../doors/sse/door.js";
import type { Disconnects } from "../hub/disconnects.js";
import type { Hub } from "../hub/hub.js";
import { LockRefusedError } from "../hub/lock-record.js";
import { VersionMismatchError } from "../hub/state-changes.js";
import type { Log } from "../log.js";
import { PROBLEM_TYPE, problemOf } from "../problem.js";
import { accessRoutes } from "./access.js";
import { admission, admitted, checks } from "./admission.js";
import { batchRoutes } from "./batch.js";
import { channelRoutes } from "./channels.js";
import { clientScript } from "./client-script.js";
import { connectionRoutes } from "./connections.js";
import type { HttpContext, HttpEnv } from "./context.js";
import { docsRoutes } from "./docs.js";
import { healthRoutes } from "./health.js";
import { identification } from "./identify.js";
import { keyRoutes } from "./keys.js";
import { lockRoutes } from "./locks.js";
import { messageRoutes } from "./messages.js";
import { metricsRoutes } from "./metrics.js";
import type { ApiInfo } from "./openapi.js";
import { presenceRoutes } from "./presence.js";
import type { Route } from "./route.js";
import { sequenceRoutes } from "./sequences.js";
import { sseRoutes } from "./sse.js";
import { etag, stateRoutes } from "./state.js";
import { ticketRoutes } from "./tickets.js";

export interface AppOptions {
  readonly path: string;
  /** The server's version. */
  readonly version: string;
  readonly hub: Hub;
  readonly disconnects: Disconnects;
  readonly access: Access;
  readonly entrance: Entrance;
  readonly sse: SseDoor;
  readonly log: Log;
  /** Is the server on its way out? */
  readonly stopping: () => boolean;
}

/** Refusals that an operator wants to know of. Their messages carry no secrets. */
const LOGGED = new Set<ErrorCode>(["host_not_allowed", "origin_not_allowed", "not_logged_in"]);

const ANY_METHOD = "ALL";

export function createApp(options: AppOptions): Hono<HttpEnv> {
  const { path, version, hub, disconnects, access, entrance, sse, log, stopping } = options;
  const { allow, count } = checks(access, entrance.rates);
  const app = new Hono<HttpEnv>({ strict: false }).basePath(path);
  const admit = admission(entrance);

  const context: HttpContext = {
    hub,
    disconnects,
    access,
    entrance,
    sse,
    tickets: new Tickets(access, hub.random),
    log,
    stopping,
    allow,
    count,
  };
  const routes = routesOf(context, { path, version });
  const identify = identification(access, entrance, count);
  for (const { method, path: below, needs, speaksOfCaller = false, identifies = false, handle } of routes) {
    // What everybody may read is there for those, too, whose session cannot be looked up.
    const isForAll = identifies || (needs === null && !speaksOfCaller);
    app.on(method, below || "/", admitted(admit, handle, isForAll ? undefined : identify));
  }
  const methods = methodsOf(routes, path);
  app.notFound((c) => {
    const answered = admit(c);
    if (answered) return answered;
    const [[found]] = methods.match(ANY_METHOD, c.req.path);
    if (!found) throw new FanfareError("not_found", `there is nothing at ${quote(c.req.path, 200)}`);
    const [allowed] = found;
    c.header("Allow", allowed);
    throw new FanfareError("method_not_allowed", `${c.req.method} is not possible here, only ${allowed}`);
  });
  app.onError((error, c) => {
    if (!(error instanceof FanfareError)) {
      log.error({ err: error, method: c.req.method, path: quote(c.req.path, 200) }, "a request failed");
      return answerProblem(c, new FanfareError("internal", "the server failed"));
    }
    if (LOGGED.has(error.code)) {
      log.warn({ code: error.code, remedy: error.remedy }, `request refused: ${error.message}`);
    }
    return answerProblem(c, error);
  });
  return app;
}

/** Everything that is served, with its descriptions. */
export function routesOf(context: HttpContext, info: ApiInfo): readonly Route[] {
  const routes = [
    ...messageRoutes(context),
    ...batchRoutes(context),
    ...stateRoutes(context),
    ...lockRoutes(context),
    ...sequenceRoutes(context),
    ...channelRoutes(context),
    ...presenceRoutes(context),
    ...connectionRoutes(context),
    ...keyRoutes(context),
    ...accessRoutes(context),
    ...sseRoutes(context),
    ...ticketRoutes(context),
    ...healthRoutes(context),
    ...metricsRoutes(context),
    ...clientScript(),
    webSocketRoute(info.path),
  ];
  return [...routes, ...docsRoutes(routes, info)];
}

function webSocketRoute(path: string): Route {
  return {
    method: "GET",
    path: "",
    id: "webSocket",
    summary: "Open a WebSocket",
    details: "Speaks the sub-protocol `fanfare.v1`; any other request is refused.",
    tag: "server",
    needs: null,
    answers: { 101: { description: "The WebSocket is open." } },
    errors: ["invalid_request", "upgrade_required", "too_many_connections", "unavailable"],
    handle(c) {
      c.header("Upgrade", "websocket");
      c.header("Connection", "Upgrade");
      throw new FanfareError("upgrade_required", `${path} is where WebSockets are opened`);
    },
  };
}

/** What `Allow` says, by address. */
function methodsOf(routes: readonly Route[], path: string): TrieRouter<string> {
  const methods = new Map<string, string[]>();
  for (const { method, path: below } of routes) {
    const same = method === "GET" ? ["GET", "HEAD"] : [method];
    methods.set(below, [...(methods.get(below) ?? []), ...same].sort(byCustom));
  }
  // Beside the application's own router, so that a request finds one handler there, its own, and nothing has to be composed.
  const router = new TrieRouter<string>();
  for (const [below, names] of methods) router.add(ANY_METHOD, `${path}${below}`, names.join(", "));
  return router;
}

/** Reading first. */
function byCustom(a: string, b: string): number {
  const order = ["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"];
  return order.indexOf(a) - order.indexOf(b);
}

function answerProblem(c: Context, error: FanfareError): Response {
  const problem = { ...problemOf(error), ...presentState(c, error), ...presentLock(error) };
  c.header("Content-Type", PROBLEM_TYPE);
  if (error.code === "not_logged_in") c.header("WWW-Authenticate", "Bearer");
  if (error.retryAfter !== undefined) c.header("Retry-After", String(Math.ceil(error.retryAfter)));
  return c.body(JSON.stringify(problem), problem.status as ContentfulStatusCode);
}

/** Whoever expected another state is told the one there is. */
function presentState(c: Context, error: FanfareError): { state?: unknown } {
  if (!(error instanceof VersionMismatchError)) return {};
  const { present } = error;
  if (!present?.json) return { state: null };
  c.header("ETag", etag(present));
  return { state: JSON.parse(present.json) };
}

/** Whoever is refused a lock is told who holds it, and until when. */
function presentLock(error: FanfareError): object {
  return error instanceof LockRefusedError ? { lock: error.lock, time: error.time } : {};
}
