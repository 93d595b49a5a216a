/** The one error of the server and of its library, with all that it can carry; and how values of others stand in a message. */
import type { ChannelName } from "./channel.js";
import { ERRORS, type ErrorCode, SETUP_ERRORS, type SetupCode } from "./codes.js";
import type { HeldState, LockRecord, Published } from "./shared.js";

/** The parts of an error beside its code and its message. */
export interface FanfareErrorOptions {
  /** The remedy. @default the remedy of the code */
  readonly remedy?: string;
  /** Seconds to wait before the next try. */
  readonly retryAfterSeconds?: number;
  readonly cause?: unknown;
  readonly channel?: ChannelName;
  readonly lock?: LockRecord | null;
  readonly time?: number;
  readonly state?: HeldState | null;
  readonly results?: readonly (Published | FanfareError)[];
}

/** An error with a stable `code`, a message that names the value, and a `remedy` that says what to do. */
export class FanfareError extends Error {
  override readonly name = "FanfareError";
  readonly code: ErrorCode | SetupCode;
  readonly remedy: string;
  /** Seconds to wait before the next try, where waiting helps. */
  readonly retryAfterSeconds: number | undefined;
  /** With `version_mismatch`, the channel; with `locked` and `lock_lost`, the name of the lock. */
  declare readonly channel?: ChannelName;
  /** With `locked` and `lock_lost`: the lock as it is; `null` when it had no holder lately. */
  declare readonly lock?: LockRecord | null;
  /** With `lock`: the clock by which its lease ends, in milliseconds since 1970. */
  declare readonly time?: number;
  /** With `version_mismatch`: the state as it is; `null` when there is none, left out for callers who may not read it. */
  declare readonly state?: HeldState | null;
  /** When some of many messages were not appended: for each, in order, where it stands, or why it was not appended. */
  declare readonly results?: readonly (Published | FanfareError)[];

  constructor(code: ErrorCode | SetupCode, message: string, options: FanfareErrorOptions = {}) {
    const { remedy, retryAfterSeconds, cause, ...details } = options;
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.remedy = remedy ?? (isSetup(code) ? SETUP_ERRORS[code] : ERRORS[code].remedy);
    this.retryAfterSeconds = retryAfterSeconds;
    // Only what it carries, so that a log shows no more.
    Object.assign(this, details);
  }

  /** The code for clients: errors of setting up are the server's own. */
  get publicCode(): ErrorCode {
    return isSetup(this.code) ? "internal" : this.code;
  }

  /** The HTTP status that says the same. */
  get status(): number {
    return ERRORS[this.publicCode].status;
  }
}

function isSetup(code: ErrorCode | SetupCode): code is SetupCode {
  return code in SETUP_ERRORS;
}

/** Characters that JSON.stringify does not escape although they are invisible, or control a terminal. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** A text from outside, made short and printable, so that it can stand in a message or a log line. */
export function quote(text: string, maxLength = 60): string {
  return JSON.stringify(shorten(text, maxLength)).replace(INVISIBLE, escapeInvisible);
}

/** Any value, made short and printable, so that a message can name it: texts in quotes, and of what has parts only the kind. */
export function shown(value: unknown, maxLength = 60): string {
  switch (typeof value) {
    case "string":
      return quote(value, maxLength);
    case "bigint":
      return `${value}n`;
    case "symbol":
      return "a symbol";
    case "function":
      return "a function";
    case "object":
      if (value === null) return "null";
      return Array.isArray(value) ? `an array of ${value.length}` : "an object";
    default:
      return String(value);
  }
}

/** A sentence from outside, made short and printable, without quotes around it. */
export function printable(text: string, maxLength = 200): string {
  return shorten(text, maxLength).replace(INVISIBLE, escapeInvisible);
}

function shorten(text: string, maxLength: number): string {
  return text.length > maxLength ? `${text.slice(0, maxLength)}…` : text;
}

function escapeInvisible(character: string): string {
  let escaped = "";
  for (let index = 0; index < character.length; index++) {
    escaped += `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`;
  }
  return escaped;
}

/** Makes an error with a text as its message from any thrown value. Code of others throws anything, also values without a text. */
export function asError(thrown: unknown): Error {
  try {
    if (thrown instanceof Error && typeof thrown.message === "string") return thrown;
    return new Error(String(thrown));
  } catch {
    return new Error("a value without a text was thrown");
  }
}
