/**
 * The engine that keeps everything on the disk of this one process. What is decided is decided in one synchronous step, as in
 * memory; answers and announcements wait until it is on the disk. Those who read see only what is there already.
 */

import { type ChannelName, FanfareError, type Position } from "@fanfare/protocol";
import { type Clock, systemClock, systemRandom, type Timer } from "../../clock.js";
import { checkOptions } from "../../known-names.js";
import type {
  AnyDraft,
  Appended,
  ChannelState,
  Engine,
  EngineStats,
  ListedChannel,
  Listened,
  LogEntry,
  LogListener,
  Page,
  ReadLimit,
  Retention,
} from "../engine.js";
import { assertBase } from "../entries.js";
import { keyReused, keyUse } from "../idempotency.js";
import { Signals } from "../signals.js";
import type { Space } from "../space.js";
import type { CommitsOwner } from "./commits.js";
import { DiskChannels } from "./disk-channels.js";
import { DiskKeys } from "./disk-keys.js";
import { DiskMessages } from "./disk-messages.js";
import {
  DEFAULT_DATA_DIR,
  DEFAULT_DISK_LIMITS,
  DISK_OPTIONS,
  type DiskEngineLimits,
  type DiskEngineOptions,
} from "./disk-options.js";
import { DiskReader } from "./disk-reader.js";
import { DiskSpace } from "./disk-space.js";
import { DiskStates } from "./disk-states.js";
import { ExpiringTable } from "./expiring-table.js";
import { Ledger } from "./ledger.js";
import { Store } from "./store.js";
import { Upkeep } from "./upkeep.js";

const SWEEP_EVERY_MS = 1000;

export class DiskEngine implements Engine, CommitsOwner {
  readonly durable = true;
  readonly lossy = false;
  readonly limits: DiskEngineLimits;
  readonly #clock: Clock;
  readonly #store: Store;
  readonly #ledger: Ledger;
  readonly #messages: DiskMessages;
  readonly #states: DiskStates;
  readonly #channels: DiskChannels;
  readonly #reader: DiskReader;
  readonly #keyTable: ExpiringTable;
  readonly #keys: DiskKeys;
  readonly #sessions: ExpiringTable;
  readonly #upkeep: Upkeep;
  readonly #signals = new Signals();
  readonly #sweeping: Timer;
  #closing: Promise<void> | null = null;

  /**
   * Opens a folder, or begins a new one. No other process can open it until this engine is closed or the process ends.
   *
   * @throws DataDirError when the folder is in use, unreadable, damaged or of another version; nothing is changed then
   * @example
   * const engine = await DiskEngine.open({ dataDir: "/var/lib/fanfare" });
   * const fanfare = createFanfare({ engine });
   */
  static async open(options: DiskEngineOptions = {}): Promise<DiskEngine> {
    checkOptions("DiskEngine", options, DISK_OPTIONS);
    const {
      clock = systemClock,
      random = systemRandom,
      dataDir = DEFAULT_DATA_DIR,
      askFree,
      ...limits
    } = options;
    const all = { ...DEFAULT_DISK_LIMITS, ...limits };
    const store = await Store.open({ dataDir, clock, askFree, reserveBytes: all.reserveBytes });
    try {
      const ledger = new Ledger(store, clock, random);
      const engine = new DiskEngine(store, ledger, all, clock);
      ledger.write();
      await store.commits.flushed();
      await store.made();
      return engine;
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  private constructor(store: Store, ledger: Ledger, limits: DiskEngineLimits, clock: Clock) {
    const { tables } = store;
    this.limits = limits;
    this.#clock = clock;
    this.#store = store;
    this.#ledger = ledger;
    this.#messages = new DiskMessages(tables, ledger);
    this.#states = new DiskStates(tables.states);
    this.#channels = new DiskChannels(tables, this.#messages, this.#states, ledger, limits);
    const readable = { channels: this.#channels, messages: this.#messages, ledger, commits: store.commits };
    this.#reader = new DiskReader(readable, clock, limits.forgetAfterMs);
    this.#keyTable = new ExpiringTable(tables.keys, tables.keyOrder, limits.maxIdempotencyKeys);
    this.#keys = new DiskKeys(this.#keyTable, ledger.life, limits.idempotencyTtlMs);
    this.#sessions = new ExpiringTable(tables.sessions, tables.sessionOrder, limits.maxSessions);
    const parts = {
      channels: this.#channels,
      messages: this.#messages,
      states: this.#states,
      keys: this.#keyTable,
    };
    this.#upkeep = new Upkeep({ ...parts, sessions: this.#sessions, ledger, store }, limits, clock);
    store.commits.owner = this;
    this.#sweeping = clock.every(SWEEP_EVERY_MS, () => void this.sweep());
  }

  /** Does what a timer does every second, or waits for it where it is under way. */
  async sweep(): Promise<void> {
    if (!this.#closing) await this.#upkeep.sweep();
  }

  /** Resolves when what is under way is on the disk, or has failed. */
  async settled(): Promise<void> {
    await this.#store.commits.flushed().catch(() => {});
  }

  async append(channel: ChannelName, draft: AnyDraft, retention: Retention): Promise<Appended> {
    this.#assertOpen();
    const { commits, space } = this.#store;
    const { at } = this.#ledger;
    const use = draft.idempotency ? keyUse(channel, draft.idempotency, draft) : null;
    const earlier = use && this.#keys.find(use, at);
    if (earlier) {
      // The first use may have been a moment ago, and may still fail.
      if (earlier.isPending) await commits.flushed();
      if (!earlier.isSame) throw keyReused(use.key);
      return { ...earlier.position, repeated: true };
    }
    space.assertRoom();
    commits.assertKeepsUp();

    if (draft.change) {
      const present = this.#channels.find(channel);
      assertBase(channel, present && this.#states.latest(present), draft.base);
    }
    const log = this.#channels.open(channel);
    if (log.id === 0) log.id = this.#ledger.nextLog();
    const entry = log.append(draft, retention, this.#clock.now());
    log.usedAt = at;
    this.#messages.put(log, entry, at);
    if (draft.change) this.#states.set(channel, entry.offset, draft.state);
    this.#channels.changed(log);
    if (use) this.#keys.remember(use, entry, at);

    return await new Promise((answer, failed) => {
      const done = () => {
        this.#announce(channel, entry);
        answer({ epoch: entry.epoch, offset: entry.offset, repeated: false });
      };
      commits.wait({ done, failed });
    });
  }

  async state(channel: ChannelName): Promise<ChannelState> {
    this.#assertOpen();
    const stand = this.#channels.find(channel)?.onDisk ?? this.#channels.standing(channel);
    return this.#states.onDisk(channel, stand) ?? { epoch: stand.epoch, offset: 0, json: null };
  }

  async listen(channel: ChannelName, listener: LogListener): Promise<Listened> {
    this.#assertOpen();
    const log = this.#channels.open(channel);
    if (!log.listeners.includes(listener)) log.listeners = [...log.listeners, listener];
    const state = this.#states.onDisk(channel, log.onDisk);
    return { epoch: log.onDisk.epoch, offset: log.onDisk.head, ...(state && { state }) };
  }

  unlisten(channel: ChannelName, listener: LogListener): void {
    const log = this.#closing ? null : this.#channels.find(channel);
    if (!log?.listeners.includes(listener)) return;
    log.listeners = log.listeners.filter((other) => other !== listener);
    if (log.listeners.length > 0) return;
    this.#reader.touch(log);
    this.#channels.dropIfUnused(log);
  }

  async read(channel: ChannelName, after: Position | null, limit: ReadLimit): Promise<Page> {
    this.#assertOpen();
    return this.#reader.read(channel, after, limit);
  }

  async heads(channels: readonly ChannelName[]): Promise<Position[]> {
    this.#assertOpen();
    return this.#reader.heads(channels);
  }

  async list(after: ChannelName | null, limit: number): Promise<ListedChannel[]> {
    this.#assertOpen();
    return await this.#reader.list(after, limit, () => this.#assertOpen());
  }

  /**
   * Throws away the channel's log and its state, and begins a new log, at offset 0 of a new epoch. For operators, and for
   * tests of what a subscriber does then.
   *
   * @throws FanfareError `too_many_channels`, `unavailable`, `insufficient_storage`
   */
  async startOver(channel: ChannelName): Promise<Position> {
    this.#assertOpen();
    const log = this.#channels.open(channel);
    this.#channels.startOver(log);
    const position = { epoch: log.epoch, offset: 0 };
    return await new Promise((answer, failed) => {
      const done = () => {
        for (const listener of log.listeners) listener.reset(position, "epoch_changed");
        answer(position);
      };
      this.#store.commits.wait({ done, failed });
    });
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
    this.#sessions.set(hash, Buffer.from(json), this.#ledger.at + ttlMs);
    await this.#store.commits.flushed();
  }

  async renewSession(hash: string, ttlMs: number): Promise<boolean> {
    this.#assertOpen();
    const { at } = this.#ledger;
    const session = this.#sessions.get(hash, at);
    if (session) this.#sessions.set(hash, session, at + ttlMs);
    await this.#store.commits.flushed();
    return session !== null;
  }

  async takeSession(hash: string): Promise<string | null> {
    this.#assertOpen();
    const session = this.#sessions.get(hash, this.#ledger.at);
    this.#sessions.delete(hash);
    await this.#store.commits.flushed();
    return session?.toString() ?? null;
  }

  /** A place for what is neither a message nor a session. @param name ASCII, without a NUL */
  space(name: string): Space {
    const { tables, commits } = this.#store;
    return new DiskSpace(name, tables.spaces, commits, () => this.#assertOpen());
  }

  /** Are publishers refused for lack of room? */
  get isFull(): boolean {
    return this.#store.space.isLow;
  }

  /** Counted, not walked: cheap enough for every scrape. */
  stats(): EngineStats {
    if (this.#closing) return {};
    return {
      channels: this.#channels.size,
      messages: this.#messages.size,
      bytes: this.#ledger.bytes,
      stubs: this.#channels.stubs,
      idempotencyKeys: this.#keyTable.size,
      sessions: this.#sessions.size,
      diskBytes: this.#store.bytes,
      diskFreeBytes: this.#store.space.free,
      commits: this.#store.commits.durations,
    };
  }

  /** Waits for what is under way, and lets go of the folder. What is called afterwards fails with `unavailable`. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  // ---- for the commits

  get isChanged(): boolean {
    return this.#channels.isChanged;
  }

  committing(): () => void {
    this.#upkeep.committing();
    this.#ledger.write();
    return this.#channels.committing();
  }

  lost(): void {
    this.#channels.lost();
    this.#ledger.lost();
  }

  /** Whoever listens now: somebody may have begun or ended while the message went to the disk. */
  #announce(channel: ChannelName, entry: LogEntry): void {
    for (const listener of this.#channels.find(channel)?.listeners ?? []) listener.message(entry);
  }

  async #close(): Promise<void> {
    this.#sweeping.cancel();
    await this.#upkeep.end();
    await this.#store.close();
    this.#signals.clear();
  }

  #assertOpen(): void {
    if (this.#closing) throw new FanfareError("unavailable", "the disk engine is closed");
  }
}
