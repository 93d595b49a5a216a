/** What a page gives, checked before it is sent: for what is malformed the server would close the connection, which all share. */
import { isChannelName, isEpoch, shown } from "@fanfare/protocol";
import { ClientError } from "./client-error.js";
import type { Position } from "./types.js";

/** @throws ClientError `invalid_channel` */
export function checkChannel(name: string): void {
  if (isChannelName(name)) return;
  throw new ClientError(
    "invalid_channel",
    `${JSON.stringify(name)} is no channel name`,
    "Use 1 to 200 characters of A-Z a-z 0-9 _ - . = @ , ; ~ in segments split by a colon.",
  );
}

/** The same for what can be heard, such as `$lock:order:42`. @throws ClientError `invalid_channel` */
export function checkAudible(name: string): void {
  checkChannel(name.replace(/^\$(lock|sequence):/, ""));
}

/** @throws ClientError `invalid_position` */
export function checkPosition(position: Position | undefined): void {
  if (
    !position ||
    (isEpoch(position.epoch) && Number.isSafeInteger(position.offset) && position.offset >= 0)
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
    "Give subscribe a function that is called with each message, such as () => {}.",
  );
}
