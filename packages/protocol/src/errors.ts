import { ERRORS, type ErrorCode } from "./codes.js";

/** What may be said about an error beyond its code and message. */
export interface FanfareErrorOptions {
  /** What to do about it. @default the remedy of the code */
  readonly remedy?: string;
  /** Seconds to wait before the next try. */
  readonly retryAfter?: number;
  readonly cause?: unknown;
}

/** An error with a stable `code`, a message that names the value, and a `remedy` that says what to do. */
export class FanfareError extends Error {
  override readonly name: string = "FanfareError";
  readonly code: ErrorCode;
  readonly remedy: string;
  /** Seconds to wait before the next try, where waiting helps. */
  readonly retryAfter: number | undefined;

  constructor(code: ErrorCode, message: string, options: FanfareErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.remedy = options.remedy ?? ERRORS[code].remedy;
    this.retryAfter = options.retryAfter;
  }

  /** The HTTP status that says the same. */
  get status(): number {
    return ERRORS[this.code].status;
  }
}

/** What JSON.stringify leaves as it is, though no reader sees it, or a terminal obeys it. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** A text from outside, made short and printable, so that it can stand in a message or a log line. */
export function quote(text: string, maxLength = 60): string {
  return JSON.stringify(shorten(text, maxLength)).replace(INVISIBLE, escapeInvisible);
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
