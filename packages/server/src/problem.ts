/** Errors as problem details (RFC 9457), the same over HTTP and where an upgrade is refused. */
import { ERRORS, type ErrorCode, type FanfareError } from "@fanfare/protocol";

export interface Problem {
  readonly type: string;
  /** What the code means. */
  readonly title: string;
  readonly status: number;
  readonly code: ErrorCode;
  /** What happened this time, naming the value. */
  readonly detail: string;
  /** What to do. */
  readonly remedy: string;
  /** Seconds to wait before the next try. */
  readonly retryAfter?: number;
}

export const PROBLEM_TYPE = "application/problem+json";

export function problemOf({ code, status, message, remedy, retryAfter }: FanfareError): Problem {
  return {
    type: `urn:fanfare:error:${code}`,
    title: ERRORS[code].meaning,
    status,
    code,
    detail: message,
    remedy,
    ...(retryAfter !== undefined && { retryAfter }),
  };
}
