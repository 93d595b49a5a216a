/** The messages of a channel's log, without the changes of the state that are in it, too. */
import type { ChannelName, Position } from "@fanfare/protocol";
import type { Engine, Message, Page } from "../engine/engine.js";

/** A page without changes of the state. */
export interface History extends Page {
  readonly messages: readonly Message[];
}

/** At most so many messages after a position, oldest first. @throws FanfareError `unavailable` */
export async function readHistory(
  engine: Engine,
  channel: ChannelName,
  after: Position | null,
  limit: number,
): Promise<History> {
  const messages: Message[] = [];
  let from = after;
  for (;;) {
    const bounds = { messages: limit - messages.length, bytes: Number.POSITIVE_INFINITY };
    const { messages: entries, ...page } = await engine.read(channel, from, bounds);
    for (const entry of entries) if (!entry.change) messages.push(entry);
    const offset = entries.at(-1)?.offset ?? page.head;
    // Changes of the state are no messages, so there may be room for more of them.
    if (messages.length >= limit || offset >= page.head) return { ...page, messages };
    from = { epoch: page.epoch, offset };
  }
}
