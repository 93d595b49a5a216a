/** What a page gives, checked before it is sent: for what is malformed the server would close the connection, which all share. */
import { asError, isChannelName, isEpoch, shown } from "@fanfare/protocol";
import { ClientError } from "./client-error.js";
import type { Position } from "./types.js";

/** @throws ClientError `invalid_channel` */
export function checkChannel(name: string): void {
  if (isChannelName(name)) return;
  throw new ClientError(
    "invalid_channel",
    `${shown(name, 200)} is no channel name`,
    "Use 1 to 200 characters of A-Z a-z 0-9 _ - . = @ , ; ~ in segments split by a colon.",
  );
}

/** The same for what can be heard, such as `$lock:order:42`. @throws ClientError `invalid_channel` */
export function checkAudible(name: string): void {
  checkChannel(typeof name === "string" ? name.replace(/^\$(lock|sequence|index):/, "") : name);
}

/** @throws ClientError `invalid_position` */
export function checkPosition(position: Position | null | undefined): void {
  const { epoch = "", offset = -1 } = position ?? {};
  if (
    // A subscription that has not begun has none.
    (position ?? null) === null ||
    (isEpoch(epoch) && Number.isSafeInteger(offset) && offset >= 0)
  ) {
    return;
  }
  throw new ClientError(
    "invalid_position",
    `${JSON.stringify(position)} is no position`,
    "Use a position exactly as the server gave it: 16 hexadecimal characters and an offset.",
  );
}

/** @throws ClientError `invalid_request` */
export function checkHandler(handler: unknown): void {
  if (typeof handler === "function") return;
  throw new ClientError(
    "invalid_request",
    `the handler is ${shown(handler)}`,
    "Give a function that is called with each one, such as () => {}.",
  );
}

/** What JSON leaves out or alters would arrive as something else, or not at all. @throws ClientError `invalid_value` */
export function checkJson(name: string, value: unknown): void {
  let reason = "is nothing that JSON has";
  try {
    if (JSON.stringify(value, finite) !== undefined) return;
  } catch (error) {
    reason = `cannot be sent as JSON: ${asError(error).message}`;
  }
  throw new ClientError("invalid_value", `${name} ${reason}`, "Send JSON values only.");
}

function finite(name: string, value: unknown): unknown {
  if (typeof value !== "number" || Number.isFinite(value)) return value;
  throw new RangeError(`${name && `its ${name} is `}${value}`);
}
