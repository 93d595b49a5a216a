/**
 * Pages: entries joined into as few writes as possible. All subscribers at the same place get the same page, so that
 * joining costs nothing per subscriber.
 */
import type { Message } from "../engine/engine.js";
import type { Entry } from "./entry.js";
import type { Encoding, Gap } from "./subscriber.js";

/** The most bytes of one page; a single larger frame is a page of its own. */
export const PAGE_BYTES = 64 * 1024;

export interface WirePage {
  readonly bytes: Uint8Array;
  /** How many of the entries are in it. */
  readonly count: number;
  /** The offset of the last of them. */
  readonly offset: number;
}

export interface PageOptions {
  /** Leaves out the messages for which this is true, and announces them as conflated. */
  readonly overtaken?: (entry: Entry) => boolean;
  /** The connection that the page is for, where some message may be kept from it. */
  readonly recipient?: string;
}

/** The frames of as many entries as fit into a page, from `start` on; at least one of them. */
export function buildPage(
  entries: readonly Entry[],
  start: number,
  encoding: Encoding,
  options: PageOptions = {},
): WirePage {
  const frames: Uint8Array[] = [];
  let bytes = 0;
  let index = start;
  /** The run of overtaken messages that is still to be announced. */
  let overtaken: { first: Message; last: Message } | undefined;
  const add = (frame: Uint8Array) => {
    frames.push(frame);
    bytes += frame.length;
  };
  for (; index < entries.length; index++) {
    const entry = entries[index];
    if (!entry) break;
    const { message } = entry;
    if (message && options.overtaken?.(entry)) {
      if (overtaken) overtaken.last = message;
      else overtaken = { first: message, last: message };
      continue;
    }
    const kept = message?.except !== undefined && message.except === options.recipient;
    const frame = kept ? null : entry.frame(encoding);
    if (frame && frames.length > 0 && bytes + frame.length > PAGE_BYTES) break;
    if (overtaken) add(encoding.gap(conflatedGap(overtaken.first, overtaken.last)));
    overtaken = undefined;
    if (frame) add(frame);
  }
  if (overtaken) add(encoding.gap(conflatedGap(overtaken.first, overtaken.last)));
  const [only] = frames;
  return {
    bytes: frames.length === 1 && only ? only : Buffer.concat(frames, bytes),
    count: index - start,
    offset: entries[index - 1]?.offset ?? 0,
  };
}

function conflatedGap({ channel, epoch, offset: from }: Message, { offset: to }: Message): Gap {
  return { channel, epoch, from, to, reason: "conflated" };
}

/** Which of these entries are overtaken by a newer message with the same event name. */
export function overtakenIn(entries: readonly Entry[]): (entry: Entry) => boolean {
  const newest = new Map<string, number>();
  for (const { message } of entries) if (message) newest.set(message.event, message.offset);
  return ({ message }) => message !== null && newest.get(message.event) !== message.offset;
}
