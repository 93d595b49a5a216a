/**
 * The engine that keeps everything in the memory of this one process. Each call but `list` does its work in one synchronous
 * step, so no two ever interleave, and listeners have heard of a message before `append` answers. Nothing outlives the process.
 */
import cluster from "node:cluster";
import { type ChannelName, FanfareError, type Position } from "@fanfare/protocol";
import { type Clock, systemClock, systemRandom, type Timer } from "../clock.js";
import { BirthEpoch } from "./birth-epoch.js";
import type {
  Appended,
  Draft,
  Engine,
  ListedChannel,
  LogListener,
  Page,
  ReadLimit,
  Retention,
} from "./engine.js";
import { ExpiringMap } from "./expiring-map.js";
import { FirstNames } from "./first-names.js";
import { IdempotencyKeys, keyUse } from "./idempotency.js";
import { LargestFirst } from "./largest-first.js";
import { MemoryChannels } from "./memory-channels.js";
import type { MemoryLog } from "./memory-log.js";
import {
  DEFAULT_LIMITS,
  type MemoryEngineLimits,
  type MemoryEngineOptions,
  type MemoryEngineStats,
} from "./memory-options.js";
import { Signals } from "./signals.js";
import { assertSingleNode } from "./single-node.js";

export type { MemoryEngineLimits, MemoryEngineOptions, MemoryEngineStats };

const SWEEP_EVERY_MS = 1000;
/** So many channels, keys and sessions are looked at in one sweep, to keep the event loop free. */
const SWEEP_AT_MOST = 5000;
/** So many channels are looked at for a list before the event loop turns: 1 or 2 ms. */
const LIST_AT_ONCE = 10_000;

export class MemoryEngine implements Engine {
  readonly durable = false;
  readonly lossy = false;
  readonly limits: MemoryEngineLimits;
  readonly #clock: Clock;
  readonly #sweeping: Timer;
  readonly #epochs: BirthEpoch;
  readonly #channels: MemoryChannels;
  readonly #sizes = new LargestFirst<MemoryLog>();
  readonly #keys: IdempotencyKeys;
  readonly #sessions: ExpiringMap<string>;
  readonly #signals = new Signals();
  #closed = false;

  /** @throws SingleNodeEngineError in one of several processes, unless `allowIsolated` is set */
  constructor(options: MemoryEngineOptions = {}) {
    const { clock = systemClock, random = systemRandom, allowIsolated = false, ...limits } = options;
    if (!allowIsolated) assertSingleNode(process.env, cluster);
    this.limits = { ...DEFAULT_LIMITS, ...limits };
    this.#clock = clock;
    this.#epochs = new BirthEpoch(random);
    this.#channels = new MemoryChannels(this.#epochs, this.limits);
    this.#keys = new IdempotencyKeys(this.limits.maxIdempotencyKeys, this.limits.idempotencyTtlMs);
    this.#sessions = new ExpiringMap(this.limits.maxSessions);
    this.#sweeping = clock.every(SWEEP_EVERY_MS, () => this.#sweep());
  }

  async append(channel: ChannelName, draft: Draft, retention: Retention): Promise<Appended> {
    this.#assertOpen();
    const at = this.#clock.monotonic();
    const use = draft.idempotency ? keyUse(channel, draft.idempotency, draft) : null;
    const earlier = use && this.#keys.find(use, at);
    if (earlier) return { ...earlier, repeated: true };

    const record = this.#channels.open(channel, at);
    const { log } = record;
    const { bytes, count } = log;
    const message = log.append(channel, draft, retention, this.#clock.now(), at);
    record.usedAt = at;
    this.#sizes.changed(log, bytes, count);
    if (use) this.#keys.remember(use, message, at);

    // Announced before anything is dropped: whoever keeps up must be able to take it, and all before it, from the log.
    for (const listener of record.listeners) listener.message(message);
    this.#trim(log, at);
    this.#makeRoom();
    return { epoch: message.epoch, offset: message.offset, repeated: false };
  }

  async listen(channel: ChannelName, listener: LogListener): Promise<Position> {
    this.#assertOpen();
    const record = this.#channels.open(channel, this.#clock.monotonic());
    if (!record.listeners.includes(listener)) record.listeners = [...record.listeners, listener];
    return { epoch: record.log.epoch, offset: record.log.head };
  }

  unlisten(channel: ChannelName, listener: LogListener): void {
    const record = this.#channels.find(channel);
    if (!record?.listeners.includes(listener)) return;
    record.listeners = record.listeners.filter((other) => other !== listener);
    record.usedAt = this.#clock.monotonic();
    if (record.listeners.length === 0) this.#channels.dropIfUnused(record);
  }

  async read(channel: ChannelName, after: Position | null, limit: ReadLimit): Promise<Page> {
    this.#assertOpen();
    const stand = this.#channels.stand(channel);
    const record = this.#channels.find(channel);
    if (record) {
      record.usedAt = this.#clock.monotonic();
      this.#trim(record.log, record.usedAt);
    } else this.#channels.touchStub(channel);

    const { epoch, head } = stand;
    const first = record ? record.log.first : head + 1;
    const lost = after !== null && after.epoch !== epoch;
    const from = after === null || lost ? first : after.offset + 1;
    const messages = record ? record.log.from(from, limit) : [];
    const page: Page = { epoch, first, head, messages };
    return lost ? { ...page, lost: this.#channels.whyLost(after.epoch, stand) } : page;
  }

  async heads(channels: readonly ChannelName[]): Promise<Position[]> {
    this.#assertOpen();
    return channels.map((channel) => {
      const { epoch, head } = this.#channels.stand(channel);
      return { epoch, offset: head };
    });
  }

  /** Looks at all channels, a few in each turn of the event loop: about 0.2 s in all for 1,000,000. */
  async list(after: ChannelName | null, limit: number): Promise<ListedChannel[]> {
    this.#assertOpen();
    const names = new FirstNames<ChannelName>(limit);
    let looked = 0;
    for (const channel of this.#channels.names()) {
      if (after === null || channel > after) names.offer(channel);
      if (++looked % LIST_AT_ONCE > 0) continue;
      await new Promise<void>((next) => this.#clock.endOfTurn(next));
      this.#assertOpen();
    }
    return names.take().flatMap((channel) => {
      const log = this.#channels.find(channel)?.log;
      return log ? [{ channel, epoch: log.epoch, head: log.head, first: log.first }] : [];
    });
  }

  /**
   * Throws away the channel's log and begins a new one, at offset 0 of a new epoch. For operators, and for tests of
   * what a subscriber does then.
   *
   * @throws FanfareError `too_many_channels`, `unavailable`
   */
  async startOver(channel: ChannelName): Promise<Position> {
    this.#assertOpen();
    const record = this.#channels.open(channel, this.#clock.monotonic());
    this.#empty(record.log);
    this.#channels.startOver(record);
    record.usedAt = this.#clock.monotonic();
    const position = { epoch: record.log.epoch, offset: 0 };
    for (const listener of record.listeners) listener.reset(position, "epoch_changed");
    return position;
  }

  async signal(topic: string, json: string): Promise<void> {
    this.#assertOpen();
    this.#signals.send(topic, json);
  }

  onSignal(topic: string, listener: (json: string) => void): () => void {
    return this.#signals.on(topic, listener);
  }

  async putSession(hash: string, json: string, ttlMs: number): Promise<void> {
    this.#assertOpen();
    this.#sessions.set(hash, json, this.#clock.monotonic() + ttlMs);
  }

  async renewSession(hash: string, ttlMs: number): Promise<boolean> {
    this.#assertOpen();
    const at = this.#clock.monotonic();
    const json = this.#sessions.get(hash, at);
    if (json === undefined) return false;
    this.#sessions.set(hash, json, at + ttlMs);
    return true;
  }

  async takeSession(hash: string): Promise<string | null> {
    this.#assertOpen();
    return this.#sessions.take(hash, this.#clock.monotonic()) ?? null;
  }

  /** Counted, not walked: cheap enough for every scrape. */
  stats(): MemoryEngineStats {
    return {
      channels: this.#channels.size,
      messages: this.#sizes.count,
      bytes: this.#sizes.bytes,
      stubs: this.#channels.stubs,
      idempotencyKeys: this.#keys.size,
      sessions: this.#sessions.size,
    };
  }

  /** Drops everything. What is called afterwards fails with `unavailable`. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#sweeping.cancel();
    this.#channels.clear();
    this.#sizes.clear();
    this.#keys.clear();
    this.#sessions.clear();
    this.#signals.clear();
  }

  #sweep(): void {
    const at = this.#clock.monotonic();
    for (const record of this.#channels.next(SWEEP_AT_MOST)) {
      if (record.listeners.length === 0 && at - record.usedAt >= this.limits.forgetAfterMs) {
        this.#empty(record.log);
        this.#channels.forget(record);
      } else this.#trim(record.log, at);
    }
    this.#keys.expire(at, SWEEP_AT_MOST);
    this.#sessions.expire(at, SWEEP_AT_MOST);
  }

  #trim(log: MemoryLog, at: number): void {
    const { bytes, count } = log;
    log.trim(at);
    if (log.count !== count) this.#sizes.changed(log, bytes, count);
  }

  #makeRoom(): void {
    while (this.#sizes.bytes > this.limits.maxBytes) {
      const log = this.#sizes.largest();
      if (!log) return;
      const { bytes, count } = log;
      log.dropOldest();
      this.#sizes.changed(log, bytes, count);
    }
  }

  #empty(log: MemoryLog): void {
    const { bytes, count } = log;
    log.clear();
    this.#sizes.changed(log, bytes, count);
  }

  #assertOpen(): void {
    if (this.#closed) throw new FanfareError("unavailable", "the memory engine is closed");
  }
}
