/** Refuses an HTTP request on Node's bare response, for what comes before the HTTP application or beside it. */
import type { ServerResponse } from "node:http";
import type { FanfareError } from "@fanfare/protocol";
import { PROBLEM_TYPE, problemOf } from "./problem.js";

export function refuseRequest(response: ServerResponse, error: FanfareError): void {
  const body = JSON.stringify(problemOf(error));
  response.writeHead(error.status, {
    "Content-Type": PROBLEM_TYPE,
    "Cache-Control": "no-store",
    "Content-Length": Buffer.byteLength(body),
    ...(error.retryAfterSeconds !== undefined && { "Retry-After": Math.ceil(error.retryAfterSeconds) }),
  });
  response.end(body);
}
