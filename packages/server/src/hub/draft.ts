/** What a publisher gives, checked once, and turned into the immutable form that a log keeps. */
import { FanfareError, findValueProblem, quote } from "@fanfare/protocol";
import type { Draft } from "../engine/engine.js";

/** A message as its publisher gives it. */
export interface MessageInput {
  /** Any JSON value; see PROTOCOL.md, section 2. */
  readonly data: unknown;
  /** 1 to 200 characters. @default "message" */
  readonly event?: string | undefined;
  /** Idempotency key, 1 to 200 characters. */
  readonly key?: string | undefined;
  /** The user who publishes, where it is a client. */
  readonly user?: string | undefined;
  /** Who publishes, for the scope of the idempotency key. @default "server" */
  readonly principal?: string | undefined;
  /** The connection that does not get the message. */
  readonly except?: string | undefined;
}

const MAX_NAME_LENGTH = 200;

/**
 * Checks a message.
 *
 * @param maxBytes the most bytes of `data` as JSON in UTF-8
 * @throws FanfareError `invalid_value`, `invalid_request`, `too_large`
 */
export function toDraft(input: MessageInput, maxBytes: number): Draft {
  const { event = "message", key, user, principal = "server", except } = input;
  if (input.data === undefined) {
    throw new FanfareError("invalid_request", "data is missing", {
      remedy: "Give data; null is a value, too.",
    });
  }
  checkName("event", event);
  if (key !== undefined) checkName("key", key);
  return {
    event,
    json: toJson(input.data, maxBytes),
    ...(user !== undefined && { user }),
    ...(except !== undefined && { except }),
    ...(key !== undefined && { idempotency: { key, principal } }),
  };
}

function toJson(data: unknown, maxBytes: number): string {
  const problem = findValueProblem(data, maxBytes);
  if (problem?.code === "invalid_value") {
    throw new FanfareError("invalid_value", problem.message, { remedy: problem.remedy });
  }
  const json = problem ? null : JSON.stringify(data);
  const bytes = json === null ? Number.POSITIVE_INFINITY : Buffer.byteLength(json);
  if (json === null || bytes > maxBytes) {
    const size = json === null ? "more" : `${bytes} bytes`;
    throw new FanfareError("too_large", `data is ${size} as JSON, and ${maxBytes} bytes are allowed`);
  }
  return json;
}

function checkName(field: "event" | "key", value: string): void {
  if (typeof value === "string" && value.length > 0 && value.length <= MAX_NAME_LENGTH) return;
  const shown = typeof value === "string" ? `${quote(value)} (${value.length} characters)` : String(value);
  throw new FanfareError("invalid_request", `${field} is ${shown}`, {
    remedy: `Give ${field} 1 to ${MAX_NAME_LENGTH} characters, or leave it out.`,
  });
}
