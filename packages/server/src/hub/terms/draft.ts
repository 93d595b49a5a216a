/** Checks a publisher's message once, and turns it into the immutable form that a log keeps. */
import {
  FanfareError,
  findNullMember,
  findValueProblem,
  isJsonObject,
  type JsonObject,
  type Position,
  quote,
  shown,
} from "@fanfare/protocol";
import type { Draft, StateDraft } from "../../engine/engine.js";
import type { Permit } from "./permit.js";

/** A message as its publisher gives it. */
export interface MessageInput {
  /** Any JSON value; see PROTOCOL.md, section 2. */
  readonly data: unknown;
  /** 1 to 200 characters. @default "message" */
  readonly event?: string | undefined;
  /** Idempotency key, 1 to 200 characters. */
  readonly id?: string | undefined;
  /** The user who publishes, where it is a client. */
  readonly user?: string | undefined;
  /** The publisher, for the scope of the idempotency key. @default "server" */
  readonly principal?: string | undefined;
  /** The connection that does not get the message. */
  readonly except?: string | undefined;
  /** The owner of the channel, should this make it. @default an owner without a bound */
  readonly owner?: string | undefined;
  /** Asked before it is appended, where something had to be waited for. @default no question */
  readonly permit?: Permit | undefined;
}

/** A change of a channel's state as somebody gives it. */
export interface StateInput {
  /** A JSON Merge Patch (RFC 7396). Either this or `value` is given. */
  readonly patch?: unknown;
  /** The whole state; `null` removes it. */
  readonly value?: unknown;
  /**
   * The state that it is to change: the position of its last change, `null` for none, `"any"` for whatever there is. Left out,
   * it may be any or none.
   */
  readonly ifVersion?: Position | null | "any" | undefined;
  /** Idempotency key, 1 to 200 characters. */
  readonly id?: string | undefined;
  /** The caller, for the scope of the idempotency key. @default "server" */
  readonly principal?: string | undefined;
  /** The owner of the channel and the state, should this make them. @default an owner without a bound */
  readonly owner?: string | undefined;
  /** Asked before it is changed, where something had to be waited for. @default no question */
  readonly permit?: Permit | undefined;
}

/** The message, checked, and in the form that a log keeps. */
export type CheckedChange = Pick<StateDraft, "change" | "json">;

const MAX_NAME_LENGTH = 200;
/** The most bytes of what the holder of a lock says about it. */
const MAX_INFO_BYTES = 1024;

/**
 * Checks a message.
 *
 * @param maxBytes the most bytes of `data` as JSON in UTF-8
 * @throws FanfareError `invalid_value`, `invalid_request`, `too_large`
 */
export function toDraft(input: MessageInput, maxBytes: number): Draft {
  const { event = "message", id, user, principal = "server", except, owner } = input;
  const json = toJson("data", input.data, maxBytes);
  checkName("event", event);
  if (id !== undefined) checkName("id", id);
  const draft: { -readonly [Name in keyof Draft]: Draft[Name] } = { event, json };
  if (user !== undefined) draft.user = user;
  if (except !== undefined) draft.except = except;
  if (owner !== undefined) draft.owner = owner;
  if (id !== undefined) draft.idempotency = { key: id, principal };
  return draft;
}

/**
 * Checks a change of a state.
 *
 * @param maxBytes the most bytes of a patch, and of a state, as JSON in UTF-8
 * @throws FanfareError `invalid_value`, `invalid_request`, `too_large`
 */
export function toChange({ patch, value, id }: StateInput, maxBytes: number): CheckedChange {
  if (id !== undefined) checkName("id", id);
  if (patch !== undefined) {
    const json = toJson("patch", patch, maxBytes);
    if (isJsonObject(patch)) return { change: "patch", json };
    throw notAnObject("patch", patch, "Give an object with the members to change; null removes a member.");
  }
  const json = toJson("state", value, maxBytes);
  if (value === null) return { change: "value", json };
  if (!isJsonObject(value)) throw notAnObject("state", value, "Give an object; put other values into it.");
  refuseNullMember(value);
  return { change: "value", json };
}

/** @throws FanfareError `invalid_value` */
function refuseNullMember(state: JsonObject): void {
  const nullMember = findNullMember(state);
  if (nullMember === null) return;
  throw new FanfareError("invalid_value", `the member ${quote(nullMember)} of the state is null`, {
    remedy: "Leave it out: in a merge patch null means that a member is removed, so a state cannot hold it.",
  });
}

/**
 * The holder's words about a lock, checked and copied; they become part of a state.
 *
 * @throws FanfareError `invalid_value`, `too_large`
 */
export function toInfo(info: unknown): unknown {
  const json = toJson("info", info, MAX_INFO_BYTES);
  refuseNullMember({ info: info ?? "" });
  return JSON.parse(json);
}

/** @throws FanfareError `too_large` */
export function checkState(channel: string, json: string, maxBytes: number): void {
  const bytes = Buffer.byteLength(json);
  if (bytes <= maxBytes) return;
  throw new FanfareError(
    "too_large",
    `the state of ${channel} would be ${bytes} bytes as JSON, and ${maxBytes} bytes are allowed`,
    { remedy: "Remove members that are not needed, or spread them over several channels." },
  );
}

function notAnObject(name: string, value: unknown, remedy: string): FanfareError {
  return new FanfareError("invalid_value", `the ${name} is ${shown(value)}, not an object`, { remedy });
}

function toJson(name: string, data: unknown, maxBytes: number): string {
  if (data === undefined) {
    throw new FanfareError("invalid_request", `${name} is missing`, {
      remedy: `Give ${name}; null is a value, too.`,
    });
  }
  const problem = findValueProblem(data, maxBytes, name);
  if (problem?.code === "invalid_value") {
    throw new FanfareError("invalid_value", problem.message, { remedy: problem.remedy });
  }
  const json = problem ? null : JSON.stringify(data);
  const bytes = json === null ? Number.POSITIVE_INFINITY : Buffer.byteLength(json);
  if (json === null || bytes > maxBytes) {
    const size = json === null ? "more" : `${bytes} bytes`;
    throw new FanfareError("too_large", `${name} is ${size} as JSON, and ${maxBytes} bytes are allowed`);
  }
  return json;
}

/** @throws FanfareError `invalid_request` */
export function checkName(field: "event" | "id", value: string): void {
  if (typeof value === "string" && value.length > 0 && value.length <= MAX_NAME_LENGTH) return;
  const length = typeof value === "string" ? ` (${value.length} characters)` : "";
  throw new FanfareError("invalid_request", `${field} is ${shown(value)}${length}`, {
    remedy: `Give ${field} 1 to ${MAX_NAME_LENGTH} characters, or leave it out.`,
  });
}
