/** The HTTP application as a listener for Node's HTTP servers. */
import type { RequestListener } from "node:http";
import { FanfareError } from "@fanfare/protocol";
import { getRequestListener, type Http2Bindings, type HttpBindings, RequestError } from "@hono/node-server";
import type { Hono } from "hono";
import type { Failures } from "../../base/failures.js";
import type { Log } from "../../base/log.js";
import type { Bodies } from "../../wire/bodies.js";
import { PROBLEM_TYPE, problemOf } from "../../wire/problem.js";
import type { HttpEnv } from "./context.js";
import { NodeExchange } from "./exchange.js";

export function createListener(
  app: Hono<HttpEnv>,
  bodies: Bodies,
  log: Log,
  failures: Failures,
): RequestListener {
  const listener = getRequestListener(
    (request, env) => app.fetch(request, exchangeOf(request, env, bodies)),
    {
      overrideGlobalObjects: false,
      // It gives an unwanted body half a second.
      autoCleanupIncoming: false,
      // HTTP/1.0 need not name a host, as from some load balancers that ask for the health.
      hostname: "localhost",
      errorHandler(error) {
        if (error instanceof RequestError) {
          return answer(new FanfareError("invalid_request", "the address or the Host header is malformed"));
        }
        return failed(log, error);
      },
    },
  );
  return (request, response) => {
    listener(request, response)
      .then(() => bodies.drain(request))
      .catch((error: unknown) => failures.caught({ caller: "http", error }, () => response.destroy()));
  };
}

/** With HTTP/2, Node's compatibility objects do what those of HTTP/1 do, as far as an exchange asks them. */
function exchangeOf(request: Request, env: HttpBindings | Http2Bindings, bodies: Bodies): NodeExchange {
  const { incoming, outgoing } = env as HttpBindings;
  return new NodeExchange(request, incoming, outgoing, bodies);
}

/** The answer to a request that failed with what is not even an `Error`, which the application's router does not take. */
export function failed(log: Log, error: unknown): Response {
  log.error({ err: error }, "a request failed");
  return answer(new FanfareError("internal", "the server failed"));
}

function answer(error: FanfareError): Response {
  const headers = { "Content-Type": PROBLEM_TYPE };
  return new Response(JSON.stringify(problemOf(error)), { status: error.status, headers });
}
