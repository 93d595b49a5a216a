/** The HTTP API as a web-standard application: one file per resource, errors as problem details. */
import { type ErrorCode, FanfareError, quote } from "@fanfare/protocol";
import { type Context, Hono } from "hono";
import { TrieRouter } from "hono/router/trie-router";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Access } from "../access/access.js";
import type { Entrance } from "../access/entrance.js";
import { readableBy } from "../access/readable.js";
import { TICKETS_SPACE, Tickets } from "../access/tickets.js";
import type { Log } from "../base/log.js";
import type { SseDoor } from "../doors/sse/door.js";
import type { AllConnections } from "../hub/all-connections.js";
import type { Hub } from "../hub/hub.js";
import type { Nodes } from "../hub/nodes.js";
import type { Locks } from "../locks/locks.js";
import type { Sequences } from "../locks/sequences.js";
import type { Arriving } from "../wire/arriving.js";
import { PROBLEM_TYPE, problemOf } from "../wire/problem.js";
import { admission, admitted, checks } from "./exchange/admission.js";
import type { HttpContext, HttpEnv } from "./exchange/context.js";
import { answeredWith, dependsOnCaller } from "./exchange/errors.js";
import { etag } from "./exchange/etag.js";
import { identification } from "./exchange/identify.js";
import type { ApiInfo } from "./exchange/openapi.js";
import type { Handle, Route } from "./exchange/route.js";
import { accessRoutes } from "./routes/access.js";
import { batchRoutes } from "./routes/batch.js";
import { channelRoutes } from "./routes/channels.js";
import { clientScript } from "./routes/client-script.js";
import { connectionRoutes } from "./routes/connections.js";
import { docsRoutes } from "./routes/docs.js";
import { healthRoutes } from "./routes/health.js";
import { keyRoutes } from "./routes/keys.js";
import { lockRoutes } from "./routes/locks.js";
import { messageRoutes } from "./routes/messages.js";
import { metricsRoutes } from "./routes/metrics.js";
import { ownerRoutes } from "./routes/owners.js";
import { presenceRoutes } from "./routes/presence.js";
import { revocationRoutes } from "./routes/revocations.js";
import { sequenceRoutes } from "./routes/sequences.js";
import { sseRoutes } from "./routes/sse.js";
import { stateRoutes } from "./routes/state.js";
import { ticketRoutes } from "./routes/tickets.js";

export interface AppOptions {
  readonly path: string;
  /** The server's version. */
  readonly version: string;
  readonly hub: Hub;
  readonly locks: Locks;
  readonly sequences: Sequences;
  readonly nodes: Nodes;
  readonly allConnections: AllConnections;
  readonly access: Access;
  readonly entrance: Entrance;
  readonly sse: SseDoor;
  readonly arriving: Arriving;
  readonly log: Log;
  /** Is the server on its way out? */
  readonly stopping: () => boolean;
}

/** Refusals that an operator wants to know of. Their messages carry no secrets. */
const LOGGED = new Set<ErrorCode>(["host_not_allowed", "origin_not_allowed", "not_logged_in"]);

const ANY_METHOD = "ALL";

export function createApp(options: AppOptions): Hono<HttpEnv> {
  const {
    path,
    version,
    hub,
    locks,
    sequences,
    nodes,
    allConnections,
    access,
    entrance,
    sse,
    arriving,
    log,
    stopping,
  } = options;
  const { allow, count, hasRead } = checks(entrance.rates);
  const app = new Hono<HttpEnv>({ strict: false }).basePath(path);
  const admit = admission(entrance);

  const context: HttpContext = {
    hub,
    locks,
    sequences,
    nodes,
    allConnections,
    access,
    entrance,
    sse,
    arriving,
    tickets: new Tickets({
      access,
      space: hub.engine.space(TICKETS_SPACE, { volatile: true }),
      clock: hub.clock,
      random: hub.random,
    }),
    log,
    stopping,
    allow,
    count,
    hasRead,
  };
  const routes = routesOf(context, { path, version });
  const identify = identification(access, entrance, count);
  const identifyListener = identification(access, entrance, count, { onlyListens: true });
  for (const route of routes) {
    const { method, path: below, identifies = false, onlyListens = false } = route;
    // Callers whose session cannot be looked up may still read public resources.
    const isForAll = identifies || !dependsOnCaller(route);
    const handle = isForAll ? route.handle : mayAtAll(route);
    app.on(
      method,
      below || "/",
      admitted(admit, handle, isForAll ? undefined : onlyListens ? identifyListener : identify),
    );
  }

  /** Where only the body says which channels it is about, who may do nothing is refused before it is read. */
  function mayAtAll({ path: below, needs, body, refusesParts = false, handle }: Route): Handle {
    if (!body || !needs || below.includes("/:")) return handle;
    return (c) => {
      const { principal } = c.get("requestCaller");
      const { kind, grants } = principal;
      const mayNothing = kind === "nobody" && grants.list.length === 0;
      if (!refusesParts || mayNothing) access.allowSomewhere(principal, needs);
      return handle(c);
    };
  }

  const byPath = routerOf(routes, path);
  app.notFound((c) => {
    const answered = admit(c);
    if (answered) return answered;
    const found = routesAt(byPath, c.req.path);
    if (found.length === 0) {
      throw new FanfareError("not_found", `there is nothing at ${quote(c.req.path, 200)}`);
    }
    const allowed = methodsOf(found);
    c.header("Allow", allowed);
    throw new FanfareError("method_not_allowed", `${c.req.method} is not possible here, only ${allowed}`);
  });
  app.onError((error, c) => {
    if (!(error instanceof FanfareError)) {
      log.error({ err: error, method: c.req.method, path: quote(c.req.path, 200) }, "a request failed");
      return answerProblem(c, new FanfareError("internal", "the server failed"));
    }
    const method = c.req.method === "HEAD" ? "GET" : c.req.method;
    const route = routesAt(byPath, c.req.path).find((each) => each.method === method);
    if (route) answeredWith(route, error.publicCode);
    if (LOGGED.has(error.publicCode)) {
      log.warn({ code: error.code, remedy: error.remedy }, `request refused: ${error.message}`);
    }
    return answerProblem(c, error);
  });
  return app;
}

/** Everything that is served, with its descriptions. */
function routesOf(context: HttpContext, info: ApiInfo): readonly Route[] {
  const routes = [
    ...messageRoutes(context),
    ...batchRoutes(context),
    ...stateRoutes(context),
    ...lockRoutes(context),
    ...sequenceRoutes(context),
    ...channelRoutes(context),
    ...ownerRoutes(context),
    ...presenceRoutes(context),
    ...connectionRoutes(context),
    ...keyRoutes(context),
    ...accessRoutes(context),
    ...revocationRoutes(context),
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
      const error = new FanfareError("upgrade_required", `${path} is where WebSockets are opened`);
      // HTTP/2 has neither of these headers, and Node's refuses them.
      if (!c.env.upgradable) throw error;
      c.header("Upgrade", "websocket");
      // Node leaves it to this header whether the connection stays, so it has to say what the request asked for.
      c.header("Connection", c.env.isLast ? "Upgrade, close" : "Upgrade");
      throw error;
    },
  };
}

/**
 * The routes by their addresses, whatever the method. Beside the application's own router, so that a request finds one handler there, its
 * own, and nothing has to be composed.
 */
function routerOf(routes: readonly Route[], path: string): TrieRouter<readonly Route[]> {
  const byPath = new Map<string, Route[]>();
  for (const route of routes) byPath.set(route.path, [...(byPath.get(route.path) ?? []), route]);
  const router = new TrieRouter<readonly Route[]>();
  for (const [below, same] of byPath) router.add(ANY_METHOD, `${path}${below}`, same);
  return router;
}

function routesAt(router: TrieRouter<readonly Route[]>, path: string): readonly Route[] {
  const [[found]] = router.match(ANY_METHOD, path);
  return found?.[0] ?? [];
}

/** The value of `Allow`. */
function methodsOf(routes: readonly Route[]): string {
  const methods = routes.flatMap(({ method }) => (method === "GET" ? ["GET", "HEAD"] : [method]));
  return methods.sort(byCustom).join(", ");
}

/** Reading first. */
function byCustom(a: string, b: string): number {
  const order = ["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"];
  return order.indexOf(a) - order.indexOf(b);
}

function answerProblem(c: Context<HttpEnv>, cause: FanfareError): Response {
  const error = c.get("requestCaller") ? readableBy(c.get("requestCaller"), cause) : cause;
  const problem = { ...problemOf(error), ...presentState(c, error), ...presentLock(error) };
  c.header("Content-Type", PROBLEM_TYPE);
  // A cache may keep some errors by its own judgement, 404 among them.
  c.header("Cache-Control", "no-store");
  if (error.code === "not_logged_in") c.header("WWW-Authenticate", "Bearer");
  if (error.code === "request_timeout") c.header("Connection", "close");
  if (error.retryAfterSeconds !== undefined)
    c.header("Retry-After", String(Math.ceil(error.retryAfterSeconds)));
  return c.body(JSON.stringify(problem), problem.status as ContentfulStatusCode);
}

/** The present state, for a caller that expected another one and may read it. */
function presentState(c: Context, error: FanfareError): { state?: unknown } {
  const { state } = error;
  if (!state) return state === null ? { state } : {};
  c.header("ETag", etag(state));
  return { state: state.state };
}

/** A client that is refused a lock is told who holds it, and until when. */
function presentLock({ lock, time }: FanfareError): object {
  return lock === undefined ? {} : { lock, time };
}
