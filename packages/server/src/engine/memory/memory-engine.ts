/**
 * The engine that keeps everything in the memory of this one process. Nothing outlives it but spaces, where there is a `dataDir`. Knows what its parts are, and
 * when they do what has to be done now and then.
 */

import cluster from "node:cluster";
import { type ChannelName, FanfareError, type Position } from "@fanfare/protocol";
import { type Clock, systemClock, systemRandom, type Timer } from "../../base/clock.js";
import { COSTS } from "../../base/costs.js";
import { Failures, guardedClock } from "../../base/failures.js";
import { guardedLog, silentLog } from "../../base/log.js";
import type { Engine, EngineTrouble } from "../engine.js";
import { LocalSignals } from "../local-signals.js";
import { assertSingleNode } from "../single-node.js";
import type { Space, SpaceOptions } from "../space.js";
import { MemoryLogs } from "./memory-logs.js";
import {
  type MemoryEngineLimits,
  type MemoryEngineOptions,
  type MemoryEngineStats,
  memorySettings,
} from "./memory-options.js";
import { MemorySessions } from "./memory-sessions.js";
import { MemorySpace } from "./memory-space.js";
import { SpacesFile } from "./spaces-file.js";

export type { MemoryEngineLimits, MemoryEngineOptions, MemoryEngineStats };

/** Often, and a little each time: forgetting 5,000 channels at once would keep everybody waiting for some 50 milliseconds. */
const SWEEP_EVERY_MS = 100;
/** This many channels, keys and sessions are looked at in one sweep. */
const SWEEP_AT_MOST = 500;

export class MemoryEngine implements Engine {
  readonly durable = false;
  readonly lossy = false;
  readonly sharesEntries = true;
  readonly limits: MemoryEngineLimits;
  readonly logs: MemoryLogs;
  readonly signals: LocalSignals;
  readonly sessions: MemorySessions;
  readonly #clock: Clock;
  readonly #spaces = new Map<string, MemorySpace>();
  readonly #file: SpacesFile | null;
  readonly #sweeping: Timer;
  #closed = false;

  /**
   * @throws FanfareError `single_node_engine` in one of several processes, unless `allowIsolated` is set
   * @throws TypeError when the file in `dataDir` cannot be read, or is not what was written
   */
  constructor(options: MemoryEngineOptions = {}) {
    const settings = memorySettings(options);
    const {
      clock: given = systemClock,
      random = systemRandom,
      allowIsolated,
      logger,
      dataDir,
      ...limits
    } = settings;
    const log = logger ? guardedLog(logger) : silentLog;
    const clock = guardedClock(given, new Failures(log));
    if (!allowIsolated) assertSingleNode(process.env, cluster);
    this.limits = limits;
    this.#clock = clock;
    const assertOpen = () => this.#assertOpen();
    this.#file = dataDir === undefined ? null : new SpacesFile(dataDir, log, assertOpen);
    this.logs = new MemoryLogs(this.limits, clock, random, assertOpen);
    this.signals = new LocalSignals(assertOpen);
    this.sessions = new MemorySessions(this.limits.maxSessions, clock, assertOpen);
    this.#sweeping = clock.every(SWEEP_EVERY_MS, () => this.#sweep());
  }

  space(name: string, { volatile = false }: SpaceOptions = {}): Space {
    if (this.#file && !volatile) return this.#file.space(name);
    const space = this.#spaces.get(name) ?? new MemorySpace(() => this.#assertOpen());
    this.#spaces.set(name, space);
    return space;
  }

  /** `gone`: the file of its spaces was removed. */
  get trouble(): EngineTrouble | null {
    return this.#file?.trouble ?? null;
  }

  async now(): Promise<number> {
    this.#assertOpen();
    return this.#clock.now();
  }

  /**
   * Throws away the channel's log and its state, and begins a new log, at offset 0 of a new epoch. For operators, and for
   * tests of what a subscriber does then.
   *
   * @throws FanfareError `too_many_channels`, `unavailable`
   */
  startOver(channel: ChannelName): Promise<Position> {
    return this.logs.startOver(channel);
  }

  /** Counted, not walked: cheap enough for every scrape. */
  stats(): MemoryEngineStats {
    return { ...this.logs.stats(), sessions: this.sessions.size };
  }

  heapBytes(): number {
    const { size, owners } = this.sessions;
    let bytes = this.logs.heapBytes() + size * COSTS.session + owners * COSTS.owner;
    for (const { heapBytes } of this.#spaces.values()) bytes += heapBytes;
    return bytes + (this.#file?.heapBytes ?? 0);
  }

  looseBytes(): number {
    return this.logs.looseBytes();
  }

  keepLoose(bytes: number): void {
    this.logs.keepLoose(bytes);
  }

  /** Drops everything. Later calls fail with `unavailable`. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#sweeping.cancel();
    this.logs.clear();
    this.sessions.clear();
    this.signals.clear();
    for (const space of this.#spaces.values()) space.clear();
    this.#file?.clear();
  }

  #sweep(): void {
    const at = this.#clock.monotonic();
    this.logs.sweep(at, SWEEP_AT_MOST);
    this.sessions.expire(at, SWEEP_AT_MOST);
  }

  #assertOpen(): void {
    if (this.#closed) throw new FanfareError("unavailable", "the memory engine is closed");
  }
}
