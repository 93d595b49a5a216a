/**
 * The headers that let a page of another origin read an answer (the CORS protocol of the Fetch Standard). Which
 * origins may call at all has been decided before: by the entrance, for every door and call.
 */
import type { IncomingMessage, ServerResponse } from "node:http";

const METHODS = "GET, POST, PATCH, PUT, DELETE";
const REQUEST_HEADERS =
  "Authorization, Content-Type, Fanfare-Publisher, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, X-Csrf-Token";
/** Headers that pages may read beside those that every page may read. */
const ANSWER_HEADERS = "ETag, Retry-After, Allow, WWW-Authenticate";
const PREFLIGHT_SECONDS = "600";

/** For a page that has been let in. With cookies, so the origin is named: `*` would not do. */
export function answerHeaders(origin: string): readonly (readonly [name: string, value: string])[] {
  return [
    ["Access-Control-Allow-Origin", origin],
    ["Access-Control-Allow-Credentials", "true"],
    ["Access-Control-Expose-Headers", ANSWER_HEADERS],
    ["Vary", "Origin"],
  ];
}

/** For the browser that asks before it calls. */
export const PREFLIGHT_HEADERS: readonly (readonly [name: string, value: string])[] = [
  ["Access-Control-Allow-Methods", METHODS],
  ["Access-Control-Allow-Headers", REQUEST_HEADERS],
  ["Access-Control-Max-Age", PREFLIGHT_SECONDS],
];

/** Sets what the answer needs. True when the request was one of the browser's own, which has been answered with that. */
export function allowPage({ method, headers }: IncomingMessage, response: ServerResponse): boolean {
  const { origin } = headers;
  if (origin === undefined) {
    // Another answer of the same address may name an origin.
    response.setHeader("Vary", "Origin");
    return false;
  }
  for (const [name, value] of answerHeaders(origin)) response.setHeader(name, value);
  if (method !== "OPTIONS") return false;
  for (const [name, value] of PREFLIGHT_HEADERS) response.setHeader(name, value);
  response.writeHead(204).end();
  return true;
}
