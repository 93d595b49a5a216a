/**
 * The engine that keeps everything in the memory of this one process. Each call but `list` does its work in one synchronous
 * step, so no two ever interleave, and listeners have heard of a message before `append` answers. Nothing outlives the process.
 */

import cluster from "node:cluster";
import { type ChannelName, FanfareError, type Position } from "@fanfare/protocol";
import { type Clock, systemClock, systemRandom, type Timer } from "../clock.js";
import { checkOptions } from "../known-names.js";
import { BirthEpoch } from "./birth-epoch.js";
import type {
  AnyDraft,
  Appended,
  ChannelState,
  Engine,
  ListedChannel,
  Listened,
  LogListener,
  Page,
  ReadLimit,
  Retention,
} from "./engine.js";
import { assertBase } from "./entries.js";
import { ExpiringMap } from "./expiring-map.js";
import { FirstNames } from "./first-names.js";
import { IdempotencyKeys, keyUse } from "./idempotency.js";
import { LargestFirst } from "./largest-first.js";
import { type ChannelRecord, MemoryChannels } from "./memory-channels.js";
import type { MemoryLog } from "./memory-log.js";
import {
  DEFAULT_LIMITS,
  MEMORY_OPTIONS,
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
/** States cannot be let go of, so they may take so much of `maxBytes`; logs get the rest. */
const STATES_PART = 1 / 2;
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
  /** Bytes of all states. */
  #stateBytes = 0;
  #closed = false;

  /** @throws SingleNodeEngineError in one of several processes, unless `allowIsolated` is set */
  constructor(options: MemoryEngineOptions = {}) {
    checkOptions("MemoryEngine", options, MEMORY_OPTIONS);
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

  async append(channel: ChannelName, draft: AnyDraft, retention: Retention): Promise<Appended> {
    this.#assertOpen();
    const at = this.#clock.monotonic();
    const use = draft.idempotency ? keyUse(channel, draft.idempotency, draft) : null;
    const earlier = use && this.#keys.find(use, at);
    if (earlier) return { ...earlier, repeated: true };

    if (draft.change) {
      const present = this.#channels.find(channel)?.state ?? null;
      assertBase(channel, present, draft.base);
      this.#assertRoom(lengthOf(draft.state) - lengthOf(present?.json));
    }
    const record = this.#channels.open(channel, at);
    const { log } = record;
    const { bytes, count } = log;
    const entry = log.append(channel, draft, retention, this.#clock.now(), at);
    const { epoch, offset } = entry;
    record.usedAt = at;
    this.#sizes.changed(log, bytes, count);
    if (draft.change) this.#setState(record, { epoch, offset, json: draft.state });
    if (use) this.#keys.remember(use, entry, at);

    // Announced before anything is dropped: whoever keeps up must be able to take it, and all before it, from the log.
    for (const listener of record.listeners) listener.message(entry);
    this.#trim(log, at);
    this.#makeRoom();
    return { epoch, offset, repeated: false };
  }

  async state(channel: ChannelName): Promise<ChannelState> {
    this.#assertOpen();
    const { epoch } = this.#channels.stand(channel);
    return this.#channels.find(channel)?.state ?? { epoch, offset: 0, json: null };
  }

  async listen(channel: ChannelName, listener: LogListener): Promise<Listened> {
    this.#assertOpen();
    const record = this.#channels.open(channel, this.#clock.monotonic());
    if (!record.listeners.includes(listener)) record.listeners = [...record.listeners, listener];
    const { log, state } = record;
    return { epoch: log.epoch, offset: log.head, ...(state && { state }) };
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
   * Throws away the channel's log and its state, and begins a new log, at offset 0 of a new epoch. For operators, and for
   * tests of what a subscriber does then.
   *
   * @throws FanfareError `too_many_channels`, `unavailable`
   */
  async startOver(channel: ChannelName): Promise<Position> {
    this.#assertOpen();
    const record = this.#channels.open(channel, this.#clock.monotonic());
    this.#empty(record.log);
    this.#setState(record, null);
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
      bytes: this.#sizes.bytes + this.#stateBytes,
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
    this.#stateBytes = 0;
    this.#keys.clear();
    this.#sessions.clear();
    this.#signals.clear();
  }

  #sweep(): void {
    const at = this.#clock.monotonic();
    for (const record of this.#channels.next(SWEEP_AT_MOST)) {
      if (this.#isForgotten(record, at)) {
        this.#empty(record.log);
        this.#channels.forget(record);
      } else this.#trim(record.log, at);
    }
    this.#keys.expire(at, SWEEP_AT_MOST);
    this.#sessions.expire(at, SWEEP_AT_MOST);
  }

  #isForgotten({ listeners, state, usedAt }: ChannelRecord, at: number): boolean {
    const isIdle = listeners.length === 0 && at - usedAt >= this.limits.forgetAfterMs;
    return isIdle && (state === null || state.json === null);
  }

  #setState(record: ChannelRecord, state: ChannelState | null): void {
    this.#stateBytes += lengthOf(state?.json) - lengthOf(record.state?.json);
    record.state = state;
  }

  /** @throws FanfareError `insufficient_storage` */
  #assertRoom(moreBytes: number): void {
    const most = this.limits.maxBytes * STATES_PART;
    if (moreBytes <= 0 || this.#stateBytes + moreBytes <= most) return;
    throw new FanfareError(
      "insufficient_storage",
      `the states of all channels together would take more than ${most} bytes`,
      { remedy: "Remove states that are no longer needed, or raise `limits.historyBytes`." },
    );
  }

  #trim(log: MemoryLog, at: number): void {
    const { bytes, count } = log;
    log.trim(at);
    if (log.count !== count) this.#sizes.changed(log, bytes, count);
  }

  #makeRoom(): void {
    while (this.#sizes.bytes + this.#stateBytes > this.limits.maxBytes) {
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

/** Roughly the bytes of a text. */
function lengthOf(text: string | null | undefined): number {
  return text?.length ?? 0;
}
