/** Answers with JSON by the shortest way that there is. */
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { HttpEnv } from "./context.js";

/**
 * Answers with a JSON text. Where there is a Node server, it is written to its response: a web `Response` with its stream
 * costs more than all that publishing does. Such an answer has the headers that {@link setHeader} has set.
 */
export function answerJson(c: Context<HttpEnv>, json: string, status: ContentfulStatusCode): Response {
  const outgoing = c.env?.outgoing;
  if (!outgoing) return c.body(json, status, { "Content-Type": "application/json" });
  outgoing.writeHead(status, {
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(json),
  });
  outgoing.end(json);
  return RESPONSE_ALREADY_SENT;
}

/** Sets a header of the answer, whichever way it goes. */
export function setHeader(c: Context<HttpEnv>, name: string, value: string): void {
  c.header(name, value);
  c.env?.outgoing?.setHeader(name, value);
}
