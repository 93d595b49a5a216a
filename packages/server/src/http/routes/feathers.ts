/** The REST interface of a Feathers service, at the service's own path: six calls, and errors as Feathers has them. */
import { FanfareError, quote } from "@fanfare/protocol";
import { type Context, Hono } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Access } from "../../access/access.js";
import type { Entrance } from "../../access/entrance.js";
import { bearerOf } from "../../access/grants/credentials.js";
import * as policy from "../../access/grants/policy.js";
import type { Failures } from "../../base/failures.js";
import type { Log } from "../../base/log.js";
import { feathersErrorOf, shownError } from "../../feathers/feathers-error.js";
import type { Service, ServiceCaller } from "../../feathers/service.js";
import type { Services } from "../../feathers/services.js";
import type { Bodies } from "../../wire/bodies.js";
import { type Mounted, nothingServedAt } from "../../wire/mount.js";
import { refuseUpgrade } from "../../wire/refuse-upgrade.js";
import { type Admit, admission, admitted, checks } from "../exchange/admission.js";
import { BODY_OVERHEAD, BYTES_PER_ESCAPE, readJson } from "../exchange/body.js";
import type { HttpEnv } from "../exchange/context.js";
import { identification } from "../exchange/identify.js";
import { createListener } from "../exchange/listener.js";
import { nestedQuery } from "../exchange/nested-query.js";
import { publisherIn } from "../exchange/publisher.js";
import type { Handle } from "../exchange/route.js";

export interface FeathersParts {
  readonly bodies: Bodies;
  readonly access: Access;
  readonly entrance: Entrance;
  readonly log: Log;
  readonly failures: Failures;
  /** Bytes of a record as JSON. */
  readonly maxBytes: number;
}

/** Clients of Feathers leave `Bearer` out where their scheme is empty. */
export function tokenOf(authorization: string | undefined): string | undefined {
  return authorization !== undefined && /^\S+$/.test(authorization) ? authorization : bearerOf(authorization);
}

const METHODS = "GET, HEAD, POST, PATCH, PUT, DELETE";

/** Where the services are, each at its own path. */
export function feathersPlaces(services: Services, parts: FeathersParts): Mounted[] {
  return [...services.all].flatMap((service) => {
    const { path } = service.settings;
    if (path === null) return [];
    return [place(path, feathersApp(service, path, parts), parts)];
  });
}

export function place(path: string, app: Hono<HttpEnv>, { bodies, log, failures }: FeathersParts): Mounted {
  const request = createListener(app, bodies, log, failures);
  return { path, request, upgrade: ({ url }, socket) => refuseUpgrade(socket, nothingServedAt(url)) };
}

function feathersApp(service: Service, path: string, parts: FeathersParts): Hono<HttpEnv> {
  const { access, entrance, maxBytes } = parts;
  const { allow, count, hasRead } = checks(entrance.rates);
  const app = new Hono<HttpEnv>({ strict: false }).basePath(path);
  const body = (c: Context<HttpEnv>) => {
    // Which records it is about is checked with it; strangers are refused before.
    access.allowSomewhere(c.get("requestCaller").principal, c.req.method === "POST" ? "publish" : "patch");
    return readJson(c, BYTES_PER_ESCAPE * maxBytes + BODY_OVERHEAD);
  };
  const callerOf = (c: Context<HttpEnv>): ServiceCaller => ({
    publisher: publisherIn(c),
    permit: c.get("requestCaller"),
    texts: true,
    allow: (action, channel) => allow(c, action, channel),
    hasRead: (work) => hasRead(c, work),
    may: (action, channel) => policy.authorize(c.get("requestCaller").principal, action, channel),
  });
  const idOf = (c: Context<HttpEnv>) => c.req.param("id");

  const admit = admission(entrance);
  const identify = identification(access, entrance, count, { tokenIn: tokenOf });
  const on = (method: string, below: string, handle: Handle) =>
    app.on(method, below, admitted(admit, handle, identify));

  on("GET", "/", async (c) => answer(c, await service.find(queryOf(c), callerOf(c))));
  on("POST", "/", async (c) => {
    const method = c.env.header("x-service-method");
    if (method !== undefined) throw notPossible(`the method ${quote(method)}`);
    return answer(c, await service.create(await body(c), queryOf(c), callerOf(c)), 201);
  });
  on("PUT", "/", async (c) => answer(c, await service.update(null, await body(c), queryOf(c), callerOf(c))));
  on("PATCH", "/", async (c) => answer(c, await service.patch(null, await body(c), queryOf(c), callerOf(c))));
  on("DELETE", "/", async (c) => answer(c, await service.remove(null, queryOf(c), callerOf(c))));
  on("GET", "/:id", async (c) => answer(c, await service.get(idOf(c), queryOf(c), callerOf(c))));
  on("PUT", "/:id", async (c) =>
    answer(c, await service.update(idOf(c), await body(c), queryOf(c), callerOf(c))),
  );
  on("PATCH", "/:id", async (c) =>
    answer(c, await service.patch(idOf(c), await body(c), queryOf(c), callerOf(c))),
  );
  on("DELETE", "/:id", async (c) => answer(c, await service.remove(idOf(c), queryOf(c), callerOf(c))));
  for (const below of ["/", "/:id"]) {
    on("ALL", below, (c) => {
      throw notPossible(`${c.req.method} of ${below === "/" ? "many records" : "one record"}`);
    });
  }
  answerErrors(app, admit, parts);
  return app;
}

/** Errors are those of Feathers, also where there is nothing. */
export function answerErrors(app: Hono<HttpEnv>, admit: Admit, { log }: FeathersParts): void {
  app.notFound(
    admitted(admit, (c) =>
      refuse(c, new FanfareError("not_found", `there is nothing at ${quote(c.req.path, 200)}`)),
    ),
  );
  app.onError((cause, c) => {
    const error = shownError(cause);
    if (error !== cause) log.error({ err: cause, method: c.req.method }, "a call of a service failed");
    return refuse(c, error);
  });
}

function answer(c: Context<HttpEnv>, result: object, status: ContentfulStatusCode = 200): Response {
  return c.env.answerJson(c, JSON.stringify(result), status);
}

function refuse(c: Context, error: FanfareError): Response {
  if (error.code === "not_logged_in") c.header("WWW-Authenticate", "Bearer");
  if (error.code === "method_not_allowed") c.header("Allow", METHODS);
  if (error.code === "request_timeout") c.header("Connection", "close");
  if (error.retryAfterSeconds !== undefined)
    c.header("Retry-After", String(Math.ceil(error.retryAfterSeconds)));
  c.header("Content-Type", "application/json");
  const shown = feathersErrorOf(error);
  return c.body(JSON.stringify(shown), shown.code as ContentfulStatusCode);
}

function queryOf(c: Context): object {
  return nestedQuery(new URL(c.req.url).searchParams);
}

function notPossible(what: string): FanfareError {
  return new FanfareError("method_not_allowed", `${what} is not possible`);
}
