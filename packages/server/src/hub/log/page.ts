/**
 * Pages: entries joined into as few writes as possible. All subscribers at the same place get the same page, so that
 * joining costs nothing per subscriber.
 */
import type { GapReason } from "@fanfare/protocol";
import type { Message } from "../../engine/engine.js";
import type { Encoding, Gap } from "../terms/subscriber.js";
import type { Entry } from "./entry.js";

/** The most bytes of one page; a single larger frame is a page of its own. */
export const PAGE_BYTES = 64 * 1024;

export interface WirePage {
  readonly bytes: Uint8Array;
  /** How many of the entries are in it. */
  readonly count: number;
  /** The offset of the last of them. */
  readonly offset: number;
  /** How many messages it delivers. */
  readonly messages: number;
  /** The reason of each gap in it; `null` when there is none. */
  readonly gaps: readonly GapReason[] | null;
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
  /** Everything before this index is in the page. */
  let end = start;
  let messages = 0;
  const gaps: GapReason[] = [];
  /** The run of overtaken messages that is still to be announced. */
  let run: { first: Message; last: Message } | undefined;
  /** Takes the frame of all entries up to, not including, this index, if there is room. */
  const add = (frame: Uint8Array, until: number): boolean => {
    if (frames.length > 0 && bytes + frame.length > PAGE_BYTES) return false;
    frames.push(frame);
    bytes += frame.length;
    end = until;
    return true;
  };
  const endRun = (until: number): boolean => {
    if (!run) return true;
    const gap = conflatedGap(run.first, run.last);
    run = undefined;
    if (!add(encoding.gap(gap), until)) return false;
    gaps.push(gap.reason);
    return true;
  };
  let room = true;
  for (let index = start; room && index < entries.length; index++) {
    const entry = entries[index];
    if (!entry) break;
    const { message } = entry;
    if (message && options.overtaken?.(entry)) {
      if (run) run.last = message;
      else run = { first: message, last: message };
      continue;
    }
    room = endRun(index);
    if (!room) break;
    if (message?.except !== undefined && message.except === options.recipient) end = index + 1;
    else {
      room = add(entry.frame(encoding), index + 1);
      if (room && message) messages++;
      else if (room && entry.gap) gaps.push(entry.gap.reason);
    }
  }
  if (room) endRun(entries.length);
  const [only] = frames;
  return {
    bytes: frames.length === 1 && only ? only : Buffer.concat(frames, bytes),
    count: end - start,
    offset: entries[end - 1]?.offset ?? 0,
    messages,
    gaps: gaps.length > 0 ? gaps : null,
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
