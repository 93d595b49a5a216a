/** The REST interface of a Feathers service, at the service's own path: six calls, and errors as Feathers has them. */
import { FanfareError, quote } from "@fanfare/protocol";
import { type Context, Hono } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Access } from "../access/access.js";
import type { Entrance } from "../access/entrance.js";
import * as policy from "../access/policy.js";
import { publisherOf } from "../access/principal.js";
import { feathersErrorOf, shownError } from "../feathers/feathers-error.js";
import type { Service, ServiceCaller } from "../feathers/service.js";
import type { Services } from "../feathers/services.js";
import type { Log } from "../log.js";
import { refuseUpgrade } from "../refuse-upgrade.js";
import { admission, admitted, checks } from "./admission.js";
import { answerJson } from "./answer.js";
import { BODY_OVERHEAD, BYTES_PER_ESCAPE, readJson } from "./body.js";
import type { HttpEnv } from "./context.js";
import { headerOf } from "./header.js";
import { identification } from "./identify.js";
import { createListener } from "./listener.js";
import { type Mounted, nothingServedAt } from "./mount.js";
import type { Handle } from "./route.js";

export interface FeathersParts {
  readonly access: Access;
  readonly entrance: Entrance;
  readonly log: Log;
  /** Bytes of a record as JSON. */
  readonly maxBytes: number;
}

const METHODS = "GET, HEAD, POST, PATCH, PUT, DELETE";

/** Where the services are, each at its own path. */
export function feathersPlaces(services: Services, parts: FeathersParts): Mounted[] {
  return [...services.all].flatMap((service) => {
    const { path } = service.settings;
    if (path === null) return [];
    const request = createListener(feathersApp(service, path, parts), parts.log);
    return [{ path, request, upgrade: ({ url }, socket) => refuseUpgrade(socket, nothingServedAt(url)) }];
  });
}

function feathersApp(service: Service, path: string, parts: FeathersParts): Hono<HttpEnv> {
  const { access, entrance, log, maxBytes } = parts;
  const { allow, count } = checks(access, entrance.rates);
  const app = new Hono<HttpEnv>({ strict: false }).basePath(path);
  const body = (c: Context<HttpEnv>) => readJson(c, BYTES_PER_ESCAPE * maxBytes + BODY_OVERHEAD);
  const callerOf = (c: Context<HttpEnv>): ServiceCaller => ({
    publisher: publisherOf(c.get("principal")),
    texts: true,
    allow: (action, channel) => allow(c, action, channel),
    may: (action, channel) => policy.authorize(c.get("principal"), action, channel),
  });
  const idOf = (c: Context<HttpEnv>) => c.req.param("id");

  const admit = admission(entrance);
  const identify = identification(access, entrance, count);
  const on = (method: string, below: string, handle: Handle) =>
    app.on(method, below, admitted(admit, handle, identify));

  on("GET", "/", async (c) => answer(c, await service.find(queryOf(c), callerOf(c))));
  on("POST", "/", async (c) => {
    const method = headerOf(c, "x-service-method");
    if (method !== undefined) throw notPossible(`the method ${quote(method)}`);
    return answer(c, await service.create(await body(c), queryOf(c), callerOf(c)), 201);
  });
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
      c.header("Allow", METHODS);
      throw notPossible(`${c.req.method} of ${below === "/" ? "all records at once" : "one record"}`);
    });
  }
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
  return app;
}

function answer(c: Context<HttpEnv>, result: object, status: ContentfulStatusCode = 200): Response {
  return answerJson(c, JSON.stringify(result), status);
}

function refuse(c: Context, error: FanfareError): Response {
  if (error.code === "not_logged_in") c.header("WWW-Authenticate", "Bearer");
  if (error.retryAfter !== undefined) c.header("Retry-After", String(Math.ceil(error.retryAfter)));
  c.header("Content-Type", "application/json");
  return c.body(JSON.stringify(feathersErrorOf(error)), error.status as ContentfulStatusCode);
}

/** What is asked twice is a list, which no query may hold. */
function queryOf(c: Context): object {
  const asked = Object.entries(c.req.queries());
  return Object.fromEntries(asked.map(([name, values]) => [name, values.length === 1 ? values[0] : values]));
}

function notPossible(what: string): FanfareError {
  return new FanfareError("method_not_allowed", `${what} is not possible`);
}
