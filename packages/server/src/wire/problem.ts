/** Errors as problem details (RFC 9457), the same over HTTP and where an upgrade is refused. */
import { ERRORS, type ErrorCode, type FanfareError } from "@fanfare/protocol";

export interface Problem {
  readonly type: string;
  /** The meaning of the code. */
  readonly title: string;
  readonly status: number;
  readonly code: ErrorCode;
  /** The cause in this case; it names the value. */
  readonly detail: string;
  /** How the caller can mend it. */
  readonly remedy: string;
  /** Seconds to wait before the next try. */
  readonly retryAfterSeconds?: number;
}

export const PROBLEM_TYPE = "application/problem+json";

export function problemOf({
  publicCode: code,
  status,
  message,
  remedy,
  retryAfterSeconds,
}: FanfareError): Problem {
  return {
    type: `urn:fanfare:error:${code}`,
    title: ERRORS[code].meaning,
    status,
    code,
    detail: message,
    remedy,
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
  };
}
