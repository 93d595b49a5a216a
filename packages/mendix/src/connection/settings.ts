/** Reads the server and the channel from a widget's properties. */
import type { DynamicValue, ObjectItem } from "mendix";
import type { Warnings } from "../warnings.js";
import type { Server } from "./connections.js";

const DEFAULT_URL = "/push";

/** The value is not known yet: the page is loading, and everything stays as it is. */
export const UNKNOWN = Symbol("unknown");
export type Unknown = typeof UNKNOWN;

export interface ServerProps {
  readonly serverUrl?: DynamicValue<string> | undefined;
  readonly login: "session" | "token";
  readonly token?: DynamicValue<string> | undefined;
}

/** `null` where there is nothing to connect with. */
export function serverOf(
  { serverUrl, login, token }: ServerProps,
  warnings: Warnings,
): Server | null | Unknown {
  const url = textOf(serverUrl);
  const shown = login === "token" ? textOf(token) : null;
  if (url === UNKNOWN || shown === UNKNOWN) return UNKNOWN;
  if (shown === "") {
    warnings.once(
      "The token is empty, so nothing is connected. Look whether the app gets one for this user.",
    );
    return null;
  }
  return { url: addressOf(url), token: shown };
}

/** A bare name is a path, too: `push` means `/push`. */
function addressOf(text: string): string {
  if (text === "") return DEFAULT_URL;
  return /^[a-z]+:/i.test(text) || text.startsWith("/") ? text : `/${text}`;
}

/** `null` where nothing is to be heard. */
export function channelOfName(name: DynamicValue<string> | undefined): string | null | Unknown {
  const text = textOf(name);
  return text === "" ? null : text;
}

/** `null` while there is no object. */
export function channelOfObject(
  object: DynamicValue<ObjectItem> | undefined,
  prefix: string,
): string | null | Unknown {
  if (object && isLoading(object)) return UNKNOWN;
  return object?.value ? `${prefix}${object.value.id}` : null;
}

/** Empty where there is none. */
function textOf(text: DynamicValue<string> | undefined): string | Unknown {
  if (text && isLoading(text)) return UNKNOWN;
  return text?.value?.trim() ?? "";
}

function isLoading(value: DynamicValue<unknown>): boolean {
  return `${value.status}` === "loading";
}
