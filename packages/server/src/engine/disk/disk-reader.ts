/** What others may know of the logs on the disk: only what is there, and never what is still on its way. */
import type { ChannelName, Position } from "@fanfare/protocol";
import type { Clock } from "../../clock.js";
import type { ListedChannel, Page, ReadLimit } from "../engine.js";
import { FirstNames } from "../first-names.js";
import type { Commits } from "./commits.js";
import type { DiskChannels } from "./disk-channels.js";
import type { DiskLog } from "./disk-log.js";
import type { DiskMessages } from "./disk-messages.js";
import type { Ledger } from "./ledger.js";

/** So many channels in use are looked at for a list before the event loop turns. */
const LIST_AT_ONCE = 10_000;
/** That a channel was used is written down when so much of the time has passed after which it would be forgotten. */
const TOUCH_PART = 1 / 4;

export interface Readable {
  readonly channels: DiskChannels;
  readonly messages: DiskMessages;
  readonly ledger: Ledger;
  readonly commits: Commits;
}

export class DiskReader {
  readonly #parts: Readable;
  readonly #clock: Clock;
  readonly #forgetAfterMs: number;

  constructor(parts: Readable, clock: Clock, forgetAfterMs: number) {
    this.#parts = parts;
    this.#clock = clock;
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
    const page: Page = { epoch, first, head, messages: messages.read(channel, stand, from, limit) };
    return lost ? { ...page, lost: channels.whyLost(after.epoch, stand) } : page;
  }

  heads(names: readonly ChannelName[]): Position[] {
    const { channels } = this.#parts;
    return names.map((channel) => {
      const { epoch, head } = channels.find(channel)?.onDisk ?? channels.standing(channel);
      return { epoch, offset: head };
    });
  }

  /** Looks at the channels that are in use, a few in each turn of the event loop, and on the disk at no more than are asked for. */
  async list(after: ChannelName | null, limit: number, assertOpen: () => void): Promise<ListedChannel[]> {
    const { channels, messages, ledger } = this.#parts;
    const names = new FirstNames<ChannelName>(limit);
    let looked = 0;
    for (const { channel, isStored } of channels.inUse()) {
      if (!isStored && (after === null || channel > after)) names.offer(channel);
      if (++looked % LIST_AT_ONCE > 0) continue;
      await new Promise<void>((next) => this.#clock.endOfTurn(next));
      assertOpen();
    }
    let found = 0;
    for (const { channel } of channels.stored(after === null ? "" : `${after}\0`)) {
      names.offer(channel);
      if (++found >= limit) break;
    }
    return names.take().flatMap((channel) => {
      const log = channels.find(channel)?.onDisk;
      if (!log) return [];
      const { epoch, head } = log;
      return [{ channel, epoch, head, first: messages.firstOnDisk(log, ledger.at) }];
    });
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
