/** Channel names: which texts are one. */
import { FanfareError, quote, shown } from "./errors.js";

declare const channelName: unique symbol;
/** A text that has been checked to be a channel name. */
export type ChannelName = string & { readonly [channelName]: true };

/** The most characters that a channel name has. */
export const MAX_CHANNEL_LENGTH = 200;

/** The characters of a segment; segments are split by colons. */
export const SEGMENT = /^[A-Za-z0-9_\-.=@,;~]+$/;
/** Not `.` and `..` as a whole: in an address they would mean another one. */
const NAME = /^(?!\.{1,2}$)[A-Za-z0-9_\-.=@,;~]+(?::[A-Za-z0-9_\-.=@,;~]+)*$/;
/** The form of a channel name, for JSON Schema; its length is {@link MAX_CHANNEL_LENGTH} at most. */
export const CHANNEL_PATTERN = NAME.source;
/** The same of a segment. */
export const SEGMENT_PATTERN = SEGMENT.source;
const NOT_ALLOWED = /[^A-Za-z0-9_\-.=@,;~:]/u;

/**
 * The text as a channel name, such as `order:42`: 1 to 200 characters of `A-Z a-z 0-9 _ - . = @ , ; ~`
 * in segments split by `:`, none of them empty; not `.` and `..` as a whole, which no address can carry.
 *
 * @throws FanfareError `invalid_channel`, naming the character that is not allowed
 */
export function parseChannelName(text: string): ChannelName {
  if (isChannelName(text)) return text;
  const remedy = ownRemedy(text);
  throw new FanfareError("invalid_channel", `${shown(text)} is no channel name: ${whyNoChannel(text)}`, {
    ...(remedy !== null && { remedy }),
  });
}

/** Is the text a channel name? A list with one is none, although it reads like it. */
export function isChannelName(text: string): text is ChannelName {
  return typeof text === "string" && text.length <= MAX_CHANNEL_LENGTH && NAME.test(text);
}

/** `.` and `..` are the parts of an address that clients, proxies and servers take out: no name that stands in one may be like that. */
export function isDots(text: string): boolean {
  return text === "." || text === "..";
}

/** Kinds of records that Fanfare keeps in channels of its own. Each is a channel's state, such as that of `$lock:order:42`. */
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
 * The text as the name of a channel that can be heard: a channel name, or one of Fanfare's own, which clients cannot publish to.
 *
 * @throws FanfareError `invalid_channel`
 */
export function parseAudibleName(text: string): ChannelName {
  if (typeof text !== "string") return parseChannelName(text);
  for (const kind of OWN_KINDS) {
    const prefix = `$${kind}:`;
    if (text.startsWith(prefix)) return ownChannel(kind, parseChannelName(text.slice(prefix.length)));
  }
  return parseChannelName(text);
}

/** The remedy for the name of a channel in which a lock or a sequence is kept. */
function ownRemedy(text: unknown): string | null {
  if (typeof text !== "string") return null;
  const kind = OWN_KINDS.find((each) => text.startsWith(`$${each}:`));
  if (kind === undefined) return null;
  const calls = `Use the calls for ${kind}s, with the name that follows $${kind}:`;
  return kind === "lock"
    ? `${calls}. DELETE {path}/locks/{name}/holder frees a lock.`
    : `${calls}. DELETE {path}/sequences/{name} removes a sequence.`;
}

function whyNoChannel(text: unknown): string {
  if (typeof text !== "string") return "it is no text";
  if (text === "") return "it is empty";
  if (text.startsWith("$")) return "names that start with $ are Fanfare's own";
  if (isDots(text)) return "in an address it would mean another one";
  const found = NOT_ALLOWED.exec(text);
  if (found) return `the character ${quote(found[0])} at ${found.index} is not allowed`;
  if (text.length > MAX_CHANNEL_LENGTH) {
    return `it has ${text.length} characters, and ${MAX_CHANNEL_LENGTH} are allowed`;
  }
  return "a segment between colons is empty";
}
