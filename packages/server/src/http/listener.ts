/** The HTTP application as a listener for Node's HTTP servers. */
import type { RequestListener } from "node:http";
import { FanfareError } from "@fanfare/protocol";
import { getRequestListener, RequestError } from "@hono/node-server";
import type { Hono } from "hono";
import type { Log } from "../log.js";
import { PROBLEM_TYPE, problemOf } from "../problem.js";
import type { HttpEnv } from "./context.js";

export function createListener(app: Hono<HttpEnv>, log: Log): RequestListener {
  const listener = getRequestListener((request, env) => app.fetch(request, env), {
    overrideGlobalObjects: false,
    // HTTP/1.0 need not name a host, as from some load balancers that ask for the health.
    hostname: "localhost",
    errorHandler(error) {
      if (error instanceof RequestError) {
        return answer(new FanfareError("invalid_request", "the address or the Host header is malformed"));
      }
      log.error({ err: error }, "a request failed");
      return answer(new FanfareError("internal", "the server failed"));
    },
  });
  return (request, response) => void listener(request, response);
}

function answer(error: FanfareError): Response {
  const headers = { "Content-Type": PROBLEM_TYPE };
  return new Response(JSON.stringify(problemOf(error)), { status: error.status, headers });
}
