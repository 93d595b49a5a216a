/**
 * Divides the channels between a durable engine and the memory of this process, as their rules say. Each channel lives in one
 * of them only; everything that is no channel lives in the durable one. Neither engine knows of the other.
 */
import type { ChannelName, Position } from "@fanfare/protocol";
import type {
  AnyDraft,
  Appended,
  ChannelState,
  Engine,
  EngineStats,
  ListedChannel,
  Listened,
  LogListener,
  Page,
  ReadLimit,
  Retention,
} from "./engine.js";

/** What both engines count. */
const COUNTED = ["channels", "messages", "bytes", "stubs", "idempotencyKeys"] as const;

export class DividedEngine implements Engine {
  readonly durable: boolean;
  readonly lossy: boolean;
  readonly #durable: Engine;
  readonly #memory: Engine;
  readonly #isInMemory: (channel: ChannelName) => boolean;

  /** @param isInMemory may not change its mind while this engine lives */
  constructor(durable: Engine, memory: Engine, isInMemory: (channel: ChannelName) => boolean) {
    this.durable = durable.durable;
    this.lossy = durable.lossy;
    this.#durable = durable;
    this.#memory = memory;
    this.#isInMemory = isInMemory;
  }

  get isFull(): boolean {
    return this.#durable.isFull ?? false;
  }

  async append(channel: ChannelName, draft: AnyDraft, retention: Retention): Promise<Appended> {
    const appended = await this.#of(channel).append(channel, draft, retention);
    if (appended.offset === 1 && this.#isInMemory(channel)) await this.#endDurableLog(channel);
    return appended;
  }

  state(channel: ChannelName): Promise<ChannelState> {
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

  signal(topic: string, json: string): Promise<void> {
    return this.#durable.signal(topic, json);
  }
  onSignal(topic: string, listener: (json: string) => void): () => void {
    return this.#durable.onSignal(topic, listener);
  }
  putSession(hash: string, json: string, ttlMs: number): Promise<void> {
    return this.#durable.putSession(hash, json, ttlMs);
  }
  renewSession(hash: string, ttlMs: number): Promise<boolean> {
    return this.#durable.renewSession(hash, ttlMs);
  }
  takeSession(hash: string): Promise<string | null> {
    return this.#durable.takeSession(hash);
  }

  async stats(): Promise<EngineStats> {
    const [durable = {}, memory = {}] = await Promise.all([this.#durable.stats?.(), this.#memory.stats?.()]);
    const sums = COUNTED.map((name) => [name, (durable[name] ?? 0) + (memory[name] ?? 0)]);
    return { ...durable, ...Object.fromEntries(sums) };
  }

  async close(): Promise<void> {
    await Promise.all([this.#durable.close(), this.#memory.close()]);
  }

  /**
   * The first message in memory: if the channel had a durable log before its rule changed, nobody may go on there should the
   * rule change back, since what is published in between is not in it.
   */
  async #endDurableLog(channel: ChannelName): Promise<void> {
    const [stand] = await this.#durable.heads([channel]);
    if (stand && stand.offset > 0) await this.#durable.startOver?.(channel);
  }

  #of(channel: ChannelName): Engine {
    return this.#isInMemory(channel) ? this.#memory : this.#durable;
  }
}
