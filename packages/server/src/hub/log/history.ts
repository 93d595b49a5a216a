/** The messages of a channel's log, without the changes of the state that are in it, too. */
import type { ChannelName, Position } from "@fanfare/protocol";
import type { Slices } from "../../base/slices.js";
import type { Engine, Message, Page } from "../../engine/engine.js";
import { readOn } from "./read-on.js";

/** A page ends when it has this many bytes of data as JSON, whatever was asked for: it has to fit into one answer. */
const HISTORY_PAGE_BYTES = 1024 * 1024;

/** A page without changes of the state. */
export interface History extends Page {
  readonly messages: readonly Message[];
  /** What was read for it, with the changes of the state that were passed over: entries of the log, and their bytes of JSON. */
  readonly looked: { readonly records: number; readonly bytes: number };
}

/**
 * The messages after a position, oldest first: at most `limit`, and fewer where they would have more than
 * {@link HISTORY_PAGE_BYTES}. One message is given even when it alone is larger.
 *
 * @throws FanfareError `unavailable`
 */
export async function readHistory(
  engine: Engine,
  channel: ChannelName,
  after: Position | null,
  limit: number,
  slices: Slices,
): Promise<History> {
  const messages: Message[] = [];
  const looked = { records: 0, bytes: 0 };
  let bytes = 0;
  let from = after;
  for (;;) {
    const bounds = { messages: limit - messages.length, bytes: HISTORY_PAGE_BYTES };
    const start = from;
    const read = (at: Position | null) => slices.run(() => engine.logs.read(channel, at, bounds));
    const { messages: entries, ...page } = await readOn(read, start);
    for (const entry of entries) {
      looked.records++;
      looked.bytes += entry.json.length;
      if (entry.change) continue;
      bytes += entry.json.length;
      if (bytes > HISTORY_PAGE_BYTES && messages.length > 0) return { ...page, messages, looked };
      messages.push(entry);
    }
    const offset = entries.at(-1)?.offset ?? page.head;
    // Changes of the state are no messages, so there may be room for more of them.
    if (messages.length >= limit || offset >= page.head) return { ...page, messages, looked };
    from = { epoch: page.epoch, offset };
  }
}
