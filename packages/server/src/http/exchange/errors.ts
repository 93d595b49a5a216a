/**
 * Which errors a call can be answered with: what follows from its description, and what it adds to that. The document is made from this.
 * Tests listen to the diagnostics channel, and fail at an answer that the document does not have.
 */
import { channel } from "node:diagnostics_channel";
import type { ErrorCode } from "@fanfare/protocol";
import type { Description, Route } from "./route.js";

/** Errors of all routes. */
const ALWAYS: readonly ErrorCode[] = ["host_not_allowed", "origin_not_allowed", "internal"];
/** Where it matters who calls: a key, a token, cookies, or an application that is asked. */
const IDENTIFYING: readonly ErrorCode[] = [
  "not_logged_in",
  "forbidden",
  "unsupported_media_type",
  "rate_limited",
  "unavailable",
];
/** Where a body is read. */
const READING_BODY: readonly ErrorCode[] = [
  "invalid_json",
  "invalid_request",
  "too_large",
  "unsupported_media_type",
  "request_timeout",
  "rate_limited",
  "unavailable",
];

/** Does the answer depend on who calls? */
export function dependsOnCaller({
  needs,
  speaksOfCaller = false,
  identifies = false,
}: Pick<Description, "needs" | "speaksOfCaller" | "identifies">): boolean {
  return needs !== null || speaksOfCaller || identifies;
}

/** The codes of all errors that this call can be answered with. */
export function errorsOf(route: Pick<Route, "path"> & Description): readonly ErrorCode[] {
  const { path, body, parameters = [], errors = [] } = route;
  return [
    ...new Set([
      ...ALWAYS,
      ...(dependsOnCaller(route) ? IDENTIFYING : []),
      ...(body ? READING_BODY : []),
      ...(parameters.some(({ in: place }) => place !== "path") ? (["invalid_request"] as const) : []),
      ...(/\/:(?:channel|name)\b/.test(path) ? (["invalid_channel"] as const) : []),
      ...errors,
    ]),
  ];
}

/** The message of that channel. */
export interface UndescribedAnswer {
  /** The id of the call. */
  readonly call: string;
  readonly code: ErrorCode;
}

export const UNDESCRIBED = "fanfare:undescribed-answer";
const undescribed = channel(UNDESCRIBED);

/** A call is answered with an error: tells every listener if the document does not have it. */
export function answeredWith(route: Route, code: ErrorCode): void {
  if (!undescribed.hasSubscribers || errorsOf(route).includes(code)) return;
  undescribed.publish({ call: route.id, code } satisfies UndescribedAnswer);
}
