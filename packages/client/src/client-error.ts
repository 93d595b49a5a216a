/** The one error of the client, with all that a refusal carries. */
import type { ErrorCode, LockRecord } from "@fanfare/protocol";

/** The codes that the client has beside those of the server. */
export type OwnErrorCode =
  | "expired"
  | "invalid_answer"
  | "invalid_options"
  | "invalid_url"
  | "no_token"
  | "no_websocket"
  | "not_connected"
  | "queue_full";

/** A stable code: the server's (see the table of error codes in the protocol), one of a newer server, or the client's own. */
export type ClientErrorCode = ErrorCode | OwnErrorCode | (string & Record<never, never>);

/** The parts of an error beside its code, its message and its remedy. */
export interface ClientErrorOptions {
  readonly retryAfterSeconds?: number | undefined;
  readonly channel?: string | undefined;
  readonly lock?: LockRecord | undefined;
  readonly time?: number | undefined;
}

const PASSING: ReadonlySet<string> = new Set<ErrorCode | OwnErrorCode>([
  "not_connected",
  "unavailable",
  "rate_limited",
  "too_many_channels",
  "share_used_up",
  "insufficient_storage",
  "internal",
]);

/** Something was refused; `remedy` says what to do. */
export class ClientError extends Error {
  override readonly name = "ClientError";
  readonly code: ClientErrorCode;
  readonly remedy: string;
  /** Seconds to wait before the next try, where waiting helps. */
  readonly retryAfterSeconds: number | undefined;
  /** The channel that was refused, or the name of the lock, where the server says it. */
  readonly channel: string | undefined;
  /** With `locked` and `lock_lost`: the lock as it is. Left out where this client holds it. */
  readonly lock: LockRecord | undefined;
  /** With `lock`: the clock by which its lease ends, in milliseconds since 1970. */
  readonly time: number | undefined;

  constructor(code: ClientErrorCode, message: string, remedy: string, options: ClientErrorOptions = {}) {
    super(message);
    this.code = code;
    this.remedy = remedy;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.channel = options.channel;
    this.lock = options.lock;
    this.time = options.time;
  }

  /** It passes by itself, so the same may succeed later. The client asks again for channels that were refused so. */
  get passes(): boolean {
    return this.retryAfterSeconds !== undefined || PASSING.has(this.code);
  }
}
