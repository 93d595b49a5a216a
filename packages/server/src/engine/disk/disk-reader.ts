/** Reads the logs on the disk for others: entries that are there, and none that are still on their way. */
import type { ChannelName, Position } from "@fanfare/protocol";
import type { Slices } from "../../base/slices.js";
import type { ListedChannel, Page, ReadLimit } from "../engine.js";
import { FirstNames } from "../first-names.js";
import type { DiskChannels } from "./disk-channels.js";
import type { DiskLog } from "./disk-log.js";
import type { DiskMessages } from "./disk-messages.js";
import type { Ledger } from "./ledger.js";
import type { Commits } from "./store/commits.js";

/** That a channel was used is written down when so much of the time has passed after which it would be forgotten. */
const TOUCH_PART = 1 / 4;
/** Channels that a list reads from the disk in one go. */
const READ_AT_ONCE = 200;

export interface Readable {
  readonly channels: DiskChannels;
  readonly messages: DiskMessages;
  readonly ledger: Ledger;
  readonly commits: Commits;
}

export class DiskReader {
  readonly #parts: Readable;
  readonly #forgetAfterMs: number;

  constructor(parts: Readable, forgetAfterMs: number) {
    this.#parts = parts;
    this.#forgetAfterMs = forgetAfterMs;
  }

  read(channel: ChannelName, after: Position | null, limit: ReadLimit): Page {
    const { channels, messages, ledger } = this.#parts;
    const log = channels.find(channel);
    if (log) this.touch(log);
    else channels.touchStub(channel);
    const stand = log?.onDisk ?? channels.standing(channel);

    const { epoch, head } = stand;
    const first = messages.firstOnDisk(stand, ledger.at);
    const lost = after !== null && after.epoch !== epoch;
    const from = after === null || lost ? first : Math.max(first, after.offset + 1);
    const why = lost ? channels.whyLost(after.epoch, stand) : undefined;
    const page: Page = { epoch, first, head, messages: messages.read(channel, stand, from, limit, why) };
    return why ? { ...page, lost: why } : page;
  }

  heads(names: readonly ChannelName[]): Position[] {
    const { channels } = this.#parts;
    return names.map((channel) => {
      const { epoch, head } = channels.find(channel)?.onDisk ?? channels.standing(channel);
      return { epoch, offset: head };
    });
  }

  /** Looks at the channels that are in use, in slices, and on the disk at no more than are asked for. */
  async list(
    after: ChannelName | null,
    limit: number,
    slices: Slices,
    assertOpen: () => void,
  ): Promise<ListedChannel[]> {
    const { channels, messages, ledger } = this.#parts;
    const names = new FirstNames<ChannelName>(limit);
    await slices.each(channels.inUse(), ({ channel, isStored }) => {
      if (!isStored && (after === null || channel > after)) names.offer(channel);
    });
    assertOpen();
    await slices.each(this.#storedNames(after, limit, assertOpen), (some) => {
      for (const name of some) names.offer(name);
    });
    assertOpen();
    const listed: ListedChannel[] = [];
    await slices.each(names.take(), (channel) => {
      assertOpen();
      const log = channels.find(channel);
      if (!log) return;
      const { onDisk, owner } = log;
      const { epoch, head } = onDisk;
      const first = messages.firstOnDisk(onDisk, ledger.at);
      listed.push({ channel, epoch, head, first, ...(owner && { owner }) });
    });
    return listed;
  }

  /** The names of the channels on the disk, a few at a time, since a walk over what is on the disk is done in one go. */
  *#storedNames(after: ChannelName | null, limit: number, assertOpen: () => void): Generator<ChannelName[]> {
    let from = after === null ? "" : `${after}\0`;
    for (let left = limit; left > 0; ) {
      assertOpen();
      const atOnce = Math.min(left, READ_AT_ONCE);
      const some: ChannelName[] = [];
      for (const { channel } of this.#parts.channels.stored(from)) {
        some.push(channel);
        if (some.length === atOnce) break;
      }
      yield some;
      if (some.length < atOnce) return;
      from = `${some.at(-1)}\0`;
      left -= some.length;
    }
  }

  /** Somebody uses the log. That is written down now and then, without waiting for it. */
  touch(log: DiskLog): void {
    const { channels, ledger, commits } = this.#parts;
    const { at } = ledger;
    if (!log.isStored || at - log.usedAt < this.#forgetAfterMs * TOUCH_PART) return;
    log.usedAt = at;
    channels.changed(channels.use(log));
    commits.wait({ done() {}, failed() {} });
  }
}
