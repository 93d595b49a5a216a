/**
 * The engine that keeps everything on the disk of this one process. It decides in one synchronous step, as in memory; answers and announcements wait until the change is on the disk. Readers see only what is there already.
 */

import { type ChannelName, FanfareError, type Position } from "@fanfare/protocol";
import { type Clock, systemClock, systemRandom, type Timer } from "../../base/clock.js";
import { Failures, guardedClock } from "../../base/failures.js";
import { guardedLog, silentLog } from "../../base/log.js";
import type { Engine, EngineStats, EngineTrouble } from "../engine.js";
import { LocalSignals } from "../local-signals.js";
import { MemorySpace } from "../memory/memory-space.js";
import { Shares } from "../shares.js";
import type { Space, SpaceOptions } from "../space.js";
import { DiskChannels } from "./disk-channels.js";
import { DiskHoldings } from "./disk-holdings.js";
import { DiskKeys } from "./disk-keys.js";
import { DiskLogs } from "./disk-logs.js";
import { DiskMessages } from "./disk-messages.js";
import { type DiskEngineLimits, type DiskEngineOptions, diskSettings } from "./disk-options.js";
import { DiskReader } from "./disk-reader.js";
import { DiskSessions } from "./disk-sessions.js";
import { DiskSpace } from "./disk-space.js";
import { DiskStates } from "./disk-states.js";
import { ExpiringTable } from "./expiring-table.js";
import { Ledger } from "./ledger.js";
import type { CommitsOwner } from "./store/commits.js";
import { Store } from "./store/store.js";
import { Upkeep } from "./upkeep.js";

const SWEEP_EVERY_MS = 1000;
const BEGIN_REMEDY = "Make room on the disk of dataDir; the server tries again each second.";

export class DiskEngine implements Engine, CommitsOwner {
  readonly durable = true;
  readonly lossy = false;
  readonly limits: DiskEngineLimits;
  readonly logs: DiskLogs;
  readonly signals: LocalSignals;
  readonly sessions: DiskSessions;
  readonly #clock: Clock;
  readonly #store: Store;
  readonly #ledger: Ledger;
  readonly #messages: DiskMessages;
  readonly #shares: Shares;
  readonly #channels: DiskChannels;
  readonly #keys: ExpiringTable;
  readonly #upkeep: Upkeep;
  readonly #spaces = new Map<string, Space>();
  readonly #sweeping: Timer;
  #closing: Promise<void> | null = null;

  /**
   * Opens a folder, or begins a new one. No other process can open it until this engine is closed or the process ends.
   *
   * @throws FanfareError when the folder is in use, unreadable, damaged or of another version; nothing is changed then
   * @example
   * const engine = await DiskEngine.open({ dataDir: "/var/lib/fanfare" });
   * const fanfare = createFanfare({ engine });
   */
  static async open(options: DiskEngineOptions = {}): Promise<DiskEngine> {
    const settings = diskSettings(options);
    const {
      clock: given = systemClock,
      random = systemRandom,
      dataDir,
      logger,
      askFree,
      ...limits
    } = settings;
    const log = logger ? guardedLog(logger) : silentLog;
    const clock = guardedClock(given, new Failures(log));
    const store = await Store.open({ dataDir, clock, log, askFree, reserveBytes: limits.reserveBytes });
    let engine: DiskEngine | null = null;
    try {
      const ledger = new Ledger(store, clock, random);
      engine = new DiskEngine(store, ledger, limits, clock);
      await engine.#upkeep.begin().catch((error: unknown) => {
        // Reading works, however full the disk is.
        if (store.isNew) throw error;
        log.error({ err: error, remedy: BEGIN_REMEDY }, `${store.folder} can be read, but not written`);
      });
      return engine;
    } catch (error) {
      if (engine) engine.#sweeping.cancel();
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
    const assertOpen = () => this.#assertOpen();
    const messages = new DiskMessages(tables, ledger, limits.maxBytes);
    const states = new DiskStates(tables.states);
    const holdings = new DiskHoldings(tables.holdings);
    const shares = new Shares(holdings, limits.share);
    const channels = new DiskChannels(tables, messages, states, shares, ledger, limits);
    const { commits } = store;
    const reader = new DiskReader({ channels, messages, ledger, commits }, limits.forgetAfterMs);
    const ofKeys = { entries: tables.keys, order: tables.keyOrder, owners: tables.keyOwners };
    const keyTable = new ExpiringTable(ofKeys, limits.maxIdempotencyKeys);
    const keys = new DiskKeys(keyTable, ledger.life, limits.idempotencyTtlMs);
    const ofSessions = { entries: tables.sessions, order: tables.sessionOrder, owners: tables.sessionOwners };
    const sessions = new ExpiringTable(ofSessions, limits.maxSessions);
    const parts = { store, ledger, messages, states, holdings, shares, channels, reader, keys };
    this.logs = new DiskLogs(parts, clock, assertOpen);
    this.signals = new LocalSignals(assertOpen);
    this.sessions = new DiskSessions(sessions, ledger, commits, assertOpen);
    this.#messages = messages;
    this.#shares = shares;
    this.#channels = channels;
    this.#keys = keyTable;
    this.#upkeep = new Upkeep(
      { channels, messages, states, keys: keyTable, sessions, ledger, store },
      limits,
      clock,
    );
    store.commits.owner = this;
    this.#sweeping = clock.every(SWEEP_EVERY_MS, () => {
      this.sweep().catch((error: unknown) => store.watch.failed(error));
    });
  }

  /** Does what a timer does every second, or waits for it where it is under way. */
  async sweep(): Promise<void> {
    if (!this.#closing) await this.#upkeep.sweep();
  }

  /** Resolves when what is under way is on the disk, or has failed. */
  async settled(): Promise<void> {
    await this.#store.commits.flushed().catch(() => {});
  }

  async now(): Promise<number> {
    this.#assertOpen();
    return this.#clock.now();
  }

  /**
   * Throws away the channel's log and its state, and begins a new log, at offset 0 of a new epoch. For operators, and for
   * tests of what a subscriber does then.
   *
   * @throws FanfareError `too_many_channels`, `unavailable`, `insufficient_storage`
   */
  startOver(channel: ChannelName): Promise<Position> {
    return this.logs.startOver(channel);
  }

  space(name: string, { volatile = false }: SpaceOptions = {}): Space {
    const { tables, commits } = this.#store;
    const assertOpen = () => this.#assertOpen();
    const space =
      this.#spaces.get(name) ??
      (volatile ? new MemorySpace(assertOpen) : new DiskSpace(name, tables.spaces, commits, assertOpen));
    this.#spaces.set(name, space);
    return space;
  }

  get trouble(): EngineTrouble | null {
    return this.#store.watch.trouble;
  }

  /** Counted, not walked: cheap enough for every scrape. */
  stats(): EngineStats {
    if (this.#closing) return {};
    return {
      channels: this.#channels.size,
      messages: this.#messages.size,
      bytes: this.#ledger.bytes,
      stubs: this.#channels.stubs,
      owned: this.#shares.all,
      mostOwned: this.#shares.most,
      refusedShares: this.#shares.refused,
      idempotencyKeys: this.#keys.size,
      sessions: this.sessions.size,
      diskBytes: this.#store.bytes,
      diskFreeBytes: this.#store.space.free,
      commits: this.#store.commits.durations,
    };
  }

  /** Waits for what is under way, and lets go of the folder. Later calls fail with `unavailable`. */
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

  lost(error: Error): void {
    this.#store.watch.notWritten(error);
    this.#channels.lost();
    this.#ledger.lost();
  }

  async #close(): Promise<void> {
    this.#sweeping.cancel();
    this.logs.end();
    await this.#upkeep.end();
    await this.#store.close();
    this.signals.clear();
  }

  #assertOpen(): void {
    if (this.#closing) throw new FanfareError("unavailable", "the disk engine is closed");
  }
}
