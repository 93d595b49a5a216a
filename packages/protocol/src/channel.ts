/** Channel names: which texts are one. */
import { FanfareError, quote } from "./errors.js";

declare const channelName: unique symbol;
/** A text that has been checked to be a channel name. */
export type ChannelName = string & { readonly [channelName]: true };

/** The most characters that a channel name has. */
export const MAX_CHANNEL_LENGTH = 200;

/** The characters of a segment; segments are split by colons. */
export const SEGMENT = /^[A-Za-z0-9_\-.=@,;~]+$/;
const NAME = /^[A-Za-z0-9_\-.=@,;~]+(?::[A-Za-z0-9_\-.=@,;~]+)*$/;
const NOT_ALLOWED = /[^A-Za-z0-9_\-.=@,;~:]/u;

/**
 * The text as a channel name, such as `order:42`: 1 to 200 characters of `A-Z a-z 0-9 _ - . = @ , ; ~`
 * in segments split by `:`, none of them empty.
 *
 * @throws FanfareError `invalid_channel`, naming the character that is not allowed
 */
export function parseChannelName(text: string): ChannelName {
  if (isChannelName(text)) return text;
  throw new FanfareError(
    "invalid_channel",
    `${quote(String(text))} is no channel name: ${whyNoChannel(text)}`,
  );
}

/** Is the text a channel name? A list with one is none, although it reads like it. */
export function isChannelName(text: string): text is ChannelName {
  return typeof text === "string" && text.length <= MAX_CHANNEL_LENGTH && NAME.test(text);
}

/** What Fanfare keeps in channels of its own: each is the state of a channel such as `$lock:order:42`. */
export const OWN_KINDS = ["lock", "sequence", "index"] as const;
export type OwnKind = (typeof OWN_KINDS)[number];

/** The channel in which something with this name is kept: `$lock:order:42` for the lock `order:42`. */
export function ownChannel(kind: OwnKind, name: ChannelName): ChannelName {
  return `$${kind}:${name}` as ChannelName;
}

/** The name that one of Fanfare's own channels belongs to: `order:42` for `$lock:order:42`; any other channel itself. */
export function plainName(channel: string): string {
  return channel.startsWith("$") ? channel.slice(channel.indexOf(":") + 1) : channel;
}

/**
 * The text as the name of a channel that can be heard: a channel name, or one of Fanfare's own, which nobody publishes to.
 *
 * @throws FanfareError `invalid_channel`
 */
export function parseAudibleName(text: string): ChannelName {
  for (const kind of OWN_KINDS) {
    const prefix = `$${kind}:`;
    if (text.startsWith(prefix)) return ownChannel(kind, parseChannelName(text.slice(prefix.length)));
  }
  return parseChannelName(text);
}

function whyNoChannel(text: unknown): string {
  if (typeof text !== "string") return "it is no text";
  if (text === "") return "it is empty";
  if (text.startsWith("$")) return "names that start with $ are Fanfare's own";
  const found = NOT_ALLOWED.exec(text);
  if (found) return `the character ${quote(found[0])} at ${found.index} is not allowed`;
  if (text.length > MAX_CHANNEL_LENGTH) {
    return `it has ${text.length} characters, and ${MAX_CHANNEL_LENGTH} are allowed`;
  }
  return "a segment between colons is empty";
}
