/**
 * The logs and states of all channels in the memory of this process. Each call but `list` and `owners` does its work in one synchronous
 * step, so no two ever interleave, and listeners have heard of a message before `append` answers.
 */
import type { ChannelName, Position } from "@fanfare/protocol";
import type { Clock, Random } from "../../base/clock.js";
import { COSTS } from "../../base/costs.js";
import { Slices } from "../../base/slices.js";
import { BirthEpoch } from "../birth-epoch.js";
import { isBase } from "../entries.js";
import { FirstNames } from "../first-names.js";
import { IdempotencyKeys, keyUse } from "../idempotency.js";
import type {
  AnyDraft,
  Appended,
  ChannelState,
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
} from "../logs.js";
import { Shares } from "../shares.js";
import { StateConflictError } from "../state-conflict.js";
import { LogSizes } from "./log-sizes.js";
import { type ChannelRecord, MemoryChannels } from "./memory-channels.js";
import { MemoryHoldings } from "./memory-holdings.js";
import type { MemoryLog } from "./memory-log.js";
import type { MemoryEngineLimits, MemoryEngineStats } from "./memory-options.js";
import { StateBytes } from "./state-bytes.js";

export class MemoryLogs implements Logs {
  readonly #limits: MemoryEngineLimits;
  readonly #clock: Clock;
  readonly #assertOpen: () => void;
  readonly #holdings = new MemoryHoldings();
  readonly #shares: Shares;
  readonly #channels: MemoryChannels;
  readonly #sizes = new LogSizes();
  readonly #keys: IdempotencyKeys;
  readonly #slices: Slices;
  readonly #stateBytes: StateBytes;
  /** Bytes of all logs, where that is less than `maxBytes` leaves them. */
  #mostLoose = Number.POSITIVE_INFINITY;

  constructor(limits: MemoryEngineLimits, clock: Clock, random: Random, assertOpen: () => void) {
    this.#limits = limits;
    this.#clock = clock;
    this.#assertOpen = assertOpen;
    this.#slices = new Slices(clock);
    this.#stateBytes = new StateBytes(limits.maxBytes);
    this.#shares = new Shares(this.#holdings, limits.share);
    this.#channels = new MemoryChannels(new BirthEpoch(random), this.#shares, limits);
    this.#keys = new IdempotencyKeys(limits.maxIdempotencyKeys, limits.idempotencyTtlMs);
  }

  async append(channel: ChannelName, draft: AnyDraft, retention: Retention): Promise<Appended> {
    this.#assertOpen();
    const at = this.#clock.monotonic();
    const time = this.#clock.now();
    const use = draft.idempotency ? keyUse(channel, draft.idempotency, draft) : null;
    const earlier = use && this.#keys.find(use, at, time);
    if (earlier) return earlier;

    const found = this.#channels.find(channel) ?? null;
    const present = found?.state ?? null;
    if (draft.change) {
      if (!isBase(present, draft.base)) {
        throw new StateConflictError(channel, this.#present(channel, time), draft.base);
      }
      this.#stateBytes.assertRoom(present?.json, draft.state);
    }
    this.#shares.assertRoom(channel, found, draft, present);
    const record = found ?? this.#channels.open(channel, at);
    this.#shares.take(record, draft, present);
    const { log } = record;
    if (log.list === null && record.owner) this.#sizes.own(log, record.owner);
    const { bytes, count } = log;
    const entry = log.append(record.channel, draft, retention, time, at);
    const { epoch, offset } = entry;
    record.usedAt = at;
    this.#sizes.changed(log, bytes, count);
    if (draft.change) this.#setState(record, { epoch, offset, json: draft.state });
    if (use) this.#keys.remember(use, entry, at, draft.owner);

    // Announced before anything is dropped: a subscriber that keeps up must be able to take it, and all before it, from the log.
    for (const listener of record.listeners) listener.message(entry);
    this.#trim(log, at);
    this.#makeRoom();
    return { epoch, offset, repeated: false, time };
  }

  async state(channel: ChannelName): Promise<PresentState> {
    this.#assertOpen();
    return this.#present(channel, this.#clock.now());
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

  /** Looks at all channels, in slices. */
  async list(after: ChannelName | null, limit: number): Promise<ListedChannel[]> {
    this.#assertOpen();
    const names = new FirstNames<ChannelName>(limit);
    await this.#slices.each(this.#channels.names(), (channel) => {
      if (after === null || channel > after) names.offer(channel);
    });
    this.#assertOpen();
    return names.take().flatMap((channel) => {
      const record = this.#channels.find(channel);
      if (!record) return [];
      const { log, owner } = record;
      const { epoch, head, first } = log;
      return [{ channel, epoch, head, first, ...(owner && { owner }) }];
    });
  }

  async owners(by: keyof Holdings, limit: number): Promise<OwnerHoldings[]> {
    this.#assertOpen();
    const greatest = await this.#holdings.greatest(by, limit, this.#slices);
    this.#assertOpen();
    return greatest;
  }

  async holdings(owner: string): Promise<Holdings> {
    this.#assertOpen();
    return this.#shares.of(owner);
  }

  async remove(channel: ChannelName): Promise<boolean> {
    this.#assertOpen();
    const record = this.#channels.find(channel);
    if (record?.owner === undefined) return false;
    const { owner } = record;
    this.#shares.release(record, record.state);
    const position = this.#startOver(record);
    if (record.listeners.length === 0) this.#channels.forget(record, owner);
    else for (const listener of record.listeners) listener.reset(position, "epoch_changed");
    return true;
  }

  /** As {@link MemoryEngine.startOver}. */
  async startOver(channel: ChannelName): Promise<Position> {
    this.#assertOpen();
    const record = this.#channels.open(channel, this.#clock.monotonic());
    this.#shares.releaseState(record, record.state);
    const position = this.#startOver(record);
    for (const listener of record.listeners) listener.reset(position, "epoch_changed");
    return position;
  }

  /** Forgets and trims a little: looks at no more than this many channels and keys. */
  sweep(at: number, atMost: number): void {
    for (const record of this.#channels.next(atMost)) {
      if (this.#isForgotten(record, at)) {
        this.#empty(record.log);
        this.#channels.forget(record);
      } else this.#trim(record.log, at);
    }
    this.#keys.expire(at, atMost);
  }

  stats(): Omit<MemoryEngineStats, "sessions"> {
    return {
      channels: this.#channels.size,
      messages: this.#sizes.count,
      bytes: this.#sizes.bytes + this.#stateBytes.count,
      stubs: this.#channels.stubs,
      owned: this.#shares.all,
      mostOwned: this.#shares.most,
      refusedShares: this.#shares.refused,
      idempotencyKeys: this.#keys.size,
    };
  }

  heapBytes(): number {
    const owners = this.#sizes.owners + this.#channels.stubOwners + this.#keys.owners;
    return (
      owners * COSTS.owner +
      this.#sizes.bytes +
      this.#stateBytes.count +
      this.#channels.size * COSTS.channel +
      this.#channels.stubs * COSTS.stub +
      this.#keys.size * COSTS.idempotencyKey
    );
  }

  looseBytes(): number {
    return this.#sizes.bytes;
  }

  keepLoose(bytes: number): void {
    this.#mostLoose = bytes;
    this.#makeRoom();
  }

  clear(): void {
    this.#channels.clear();
    this.#holdings.clear();
    this.#sizes.clear();
    this.#stateBytes.count = 0;
    this.#keys.clear();
  }

  #present(channel: ChannelName, time: number): PresentState {
    const state = this.#channels.find(channel)?.state;
    if (state) return { ...state, time };
    return { epoch: this.#channels.stand(channel).epoch, offset: 0, json: null, time };
  }

  #startOver(record: ChannelRecord): Position {
    this.#empty(record.log);
    this.#setState(record, null);
    this.#channels.startOver(record);
    record.usedAt = this.#clock.monotonic();
    return { epoch: record.log.epoch, offset: 0 };
  }

  #isForgotten({ listeners, state, usedAt }: ChannelRecord, at: number): boolean {
    const isIdle = listeners.length === 0 && at - usedAt >= this.#limits.forgetAfterMs;
    return isIdle && (state === null || state.json === null);
  }

  #setState(record: ChannelRecord, state: ChannelState | null): void {
    this.#stateBytes.changed(record.state?.json, state?.json);
    record.state = state;
  }

  #trim(log: MemoryLog, at: number): void {
    const { bytes, count } = log;
    log.trim(at);
    if (log.count !== count) this.#sizes.changed(log, bytes, count);
  }

  #makeRoom(): void {
    const most = Math.min(this.#mostLoose, this.#limits.maxBytes - this.#stateBytes.count);
    while (this.#sizes.bytes > most) {
      const log = this.#sizes.next(most);
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
    this.#sizes.gone(log);
  }
}
