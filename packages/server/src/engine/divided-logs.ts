/** The logs of two engines as one: each channel lives in one of them only. Neither engine knows of the other. */
import type { ChannelName, Position } from "@fanfare/protocol";
import type {
  AnyDraft,
  Appended,
  Holdings,
  ListedChannel,
  Listened,
  LogListener,
  Logs,
  OwnerHoldings,
  Page,
  PresentState,
  ReadLimit,
  Retention,
} from "./logs.js";
import { NO_HOLDINGS, sumOf } from "./shares.js";

export class DividedLogs implements Logs {
  readonly #durable: Logs;
  readonly #memory: Logs;
  readonly #isInMemory: (channel: ChannelName) => boolean;

  /** @param isInMemory may not change its mind while these logs live */
  constructor(durable: Logs, memory: Logs, isInMemory: (channel: ChannelName) => boolean) {
    this.#durable = durable;
    this.#memory = memory;
    this.#isInMemory = isInMemory;
  }

  async append(channel: ChannelName, draft: AnyDraft, retention: Retention): Promise<Appended> {
    const appended = await this.#of(channel).append(channel, draft, retention);
    if (appended.offset === 1 && this.#isInMemory(channel)) await this.#endDurableLog(channel);
    return appended;
  }

  state(channel: ChannelName): Promise<PresentState> {
    return this.#of(channel).state(channel);
  }

  listen(channel: ChannelName, listener: LogListener): Promise<Listened> {
    return this.#of(channel).listen(channel, listener);
  }

  unlisten(channel: ChannelName, listener: LogListener): void {
    this.#of(channel).unlisten(channel, listener);
  }

  read(channel: ChannelName, after: Position | null, limit: ReadLimit): Promise<Page> {
    return this.#of(channel).read(channel, after, limit);
  }

  async heads(channels: readonly ChannelName[]): Promise<Position[]> {
    const [durable, memory] = await Promise.all([
      this.#durable.heads(channels.filter((channel) => !this.#isInMemory(channel))),
      this.#memory.heads(channels.filter((channel) => this.#isInMemory(channel))),
    ]);
    const [nextDurable, nextMemory] = [durable.values(), memory.values()];
    return channels.flatMap((channel) => {
      const { value } = (this.#isInMemory(channel) ? nextMemory : nextDurable).next();
      return value ? [value] : [];
    });
  }

  /** A log that a channel left in the durable engine, before its rule put it into memory, is listed until it is forgotten. */
  async list(after: ChannelName | null, limit: number): Promise<ListedChannel[]> {
    const [durable, memory] = await Promise.all([
      this.#durable.list(after, limit),
      this.#memory.list(after, limit),
    ]);
    const all = new Map([...durable, ...memory].map((each) => [each.channel, each]));
    return [...all.values()].sort((a, b) => (a.channel < b.channel ? -1 : 1)).slice(0, limit);
  }

  /** Owners have a share of each engine, and what they hold of both is added up: exactly for those who hold most of one. */
  async owners(by: keyof Holdings, limit: number): Promise<OwnerHoldings[]> {
    const [durable, memory] = await Promise.all([
      this.#durable.owners(by, limit),
      this.#memory.owners(by, limit),
    ]);
    const all = new Map<string, OwnerHoldings>();
    for (const each of [...durable, ...memory]) {
      const { owner } = each;
      all.set(owner, { owner, ...sumOf(each, all.get(owner) ?? NO_HOLDINGS) });
    }
    return [...all.values()].sort((a, b) => b[by] - a[by]).slice(0, limit);
  }

  async holdings(owner: string): Promise<Holdings> {
    const [durable, memory] = await Promise.all([
      this.#durable.holdings(owner),
      this.#memory.holdings(owner),
    ]);
    return sumOf(durable, memory);
  }

  remove(channel: ChannelName): Promise<boolean> {
    return this.#of(channel).remove(channel);
  }

  /**
   * The first message in memory: if the channel had a durable log before its rule changed, no client may go on there should the
   * rule change back, since what is published in between is not in it.
   */
  async #endDurableLog(channel: ChannelName): Promise<void> {
    const [stand] = await this.#durable.heads([channel]);
    if (stand && stand.offset > 0) await this.#durable.remove(channel);
  }

  #of(channel: ChannelName): Logs {
    return this.#isInMemory(channel) ? this.#memory : this.#durable;
  }
}
