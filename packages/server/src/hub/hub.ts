/**
 * The hub: puts together what there is one of on a node, such as channels, connections, and the scheduler that decides when what is new
 * goes out, and answers the caller. Knows no protocol, no HTTP and no particular engine.
 */
import { type ChannelName, FanfareError, type Position } from "@fanfare/protocol";
import type { Clock, Random, Timer } from "../base/clock.js";
import { COSTS } from "../base/costs.js";
import { Failures } from "../base/failures.js";
import { Slices } from "../base/slices.js";
import type { Appended, ChannelState, Engine, IdempotencyKey, ListedChannel } from "../engine/engine.js";
import { Channels, type ChannelsHost } from "./channels.js";
import { Connections, type ConnectionsHost } from "./connections.js";
import { WaitingBudget } from "./delivery/budgets.js";
import { PageCache } from "./delivery/page-cache.js";
import { Scheduler, type SchedulerHost } from "./delivery/scheduler.js";
import { HeadsComparison } from "./heads.js";
import { Lifecycle } from "./lifecycle.js";
import { type History, readHistory } from "./log/history.js";
import { Presence } from "./presence/presence.js";
import { Publishing } from "./publishing.js";
import { existing, type Next, StateChanges } from "./state-changes.js";
import { Counters } from "./terms/counters.js";
import { type MessageInput, type StateInput, toChange } from "./terms/draft.js";
import type { Limits } from "./terms/limits.js";
import { ListeningShares } from "./terms/listening.js";
import {
  MemoryGuard,
  type MemoryHolder,
  type MemoryReading,
  UNWATCHED,
  type WatchedMemory,
} from "./terms/memory-guard.js";
import type { PayloadChecks } from "./terms/payload-checks.js";
import type { Permit } from "./terms/permit.js";
import type { Rules } from "./terms/rules.js";

const TICK_MS = 1000;

export interface HubOptions {
  readonly engine: Engine;
  readonly rules: Rules;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly random: Random;
  /** The payloads of channels. @default whatever JSON has */
  readonly checks?: PayloadChecks | undefined;
  /** Hears of exceptions in callbacks. @default counted, and not logged */
  readonly failures?: Failures;
  /** The memory that there is. @default it is not watched */
  readonly memory?: WatchedMemory;
  /** Hears that the memory is full, or that there is room again. */
  readonly memoryChanged?: (full: boolean, reading: MemoryReading) => void;
}

/** A channel as the engine lists it, with the subscriptions that it has on this node. */
export interface LiveChannel extends ListedChannel {
  readonly subscribers: number;
}

export class Hub implements ChannelsHost, ConnectionsHost, SchedulerHost, MemoryHolder {
  /** The name of this node; another one for each process. */
  readonly node: string;
  readonly engine: Engine;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: Limits;
  readonly rules: Rules;
  readonly pages = new PageCache();
  /** For work that may take long, so that others come between. */
  readonly slices: Slices;
  readonly counters = new Counters();
  readonly failures: Failures;
  readonly presence: Presence;
  readonly lifecycle: Lifecycle;
  readonly channels: Channels;
  readonly connections: Connections;
  /** Decides when what is new goes out. */
  readonly scheduler: Scheduler;
  /** What waits for clients that take nothing at the moment, those of no door included. */
  readonly waiting: WaitingBudget;
  readonly listening: ListeningShares;
  readonly publishing: Publishing;
  readonly memory: MemoryGuard;
  readonly #ticking: Timer;
  readonly #heads: HeadsComparison;
  readonly #changes: StateChanges;
  readonly #memoryChanged: HubOptions["memoryChanged"];
  #closed = false;

  constructor(options: HubOptions) {
    this.engine = options.engine;
    this.rules = options.rules;
    this.failures = options.failures ?? new Failures();
    this.limits = options.limits;
    this.clock = options.clock;
    this.random = options.random;
    this.slices = new Slices(options.clock);
    this.listening = new ListeningShares(options.limits);
    this.node = Buffer.from(options.random.bytes(9)).toString("base64url");
    this.channels = new Channels(this);
    this.connections = new Connections(this);
    this.waiting = new WaitingBudget(options.limits.waitingBytes, options.clock);
    this.scheduler = new Scheduler(this);
    this.#heads = new HeadsComparison(this, () => this.channels.values());
    this.#changes = new StateChanges(this, options.checks);
    this.publishing = new Publishing(this, options.checks);
    const { presenceMembers: maxMembers } = options.limits;
    const { node, counters, failures, slices } = this;
    this.presence = new Presence({ ...options, node, counters, failures, slices, maxMembers });
    this.lifecycle = new Lifecycle(options.clock, this.node, () => this.channels.values());
    this.#memoryChanged = options.memoryChanged;
    this.memory = new MemoryGuard(options.memory ?? UNWATCHED, options.clock, this);
    this.#ticking = options.clock.every(TICK_MS, () => this.#tick());
  }

  /** May this node miss what others publish? */
  get deaf(): boolean {
    return this.#heads.deaf;
  }

  // ---- what doors and callers use

  /** Appends a message: as {@link Publishing.publish}. */
  publish(channel: ChannelName, input: MessageInput): Promise<Appended> {
    return this.publishing.publish(channel, input);
  }

  /**
   * The channels after a name, or from the first on, at most this many.
   *
   * @throws FanfareError `unavailable`
   */
  async list(after: ChannelName | null, limit: number): Promise<LiveChannel[]> {
    const listed = await this.engine.logs.list(after, limit);
    return listed.map((each) => ({
      ...each,
      subscribers: this.channels.subscribers(each.channel),
    }));
  }

  /**
   * Changes the state of a channel; the change is on its way to every subscription. Changes of one channel that are asked for one
   * after the other happen in that order.
   *
   * @throws FanfareError `version_mismatch`
   * @throws FanfareError `invalid_value`, `invalid_request`, `invalid_data`, `too_large`, `id_reused`, `too_many_channels`,
   * `insufficient_storage`, `unavailable`
   */
  async changeState(channel: ChannelName, input: StateInput): Promise<Appended> {
    const { stateBytes } = this.limits;
    const change = toChange(input, stateBytes);
    const { retention } = this.rules.of(channel);
    return await this.#changes.append(channel, change, input, retention, stateBytes);
  }

  /**
   * Changes the state of a channel to what is worked out from the present one, which others may have changed meanwhile. In turn
   * with the other changes of the channel. `null` when nothing was to be changed.
   *
   * @param next is given the engine's time, too
   * @throws FanfareError `id_reused`, `too_many_channels`, `insufficient_storage`, `unavailable`
   */
  async updateState(
    channel: ChannelName,
    next: (present: ChannelState | null, time: number) => Next | null,
    idempotency?: IdempotencyKey,
  ): Promise<Appended | null> {
    return await this.#changes.update(channel, next, this.rules.of(channel).retention, idempotency);
  }

  /** As {@link StateChanges.remove}. @throws FanfareError `insufficient_storage`, `unavailable` */
  remove(channel: ChannelName, permit?: Permit): Promise<boolean> {
    return this.#changes.remove(channel, permit);
  }

  /** The state of a channel; `null` when it has none. @throws FanfareError `unavailable` */
  async state(channel: ChannelName): Promise<ChannelState | null> {
    return existing(await this.engine.logs.state(channel));
  }

  /** The messages that the log of a channel holds after a position, oldest first. @throws FanfareError `unavailable` */
  history(channel: ChannelName, after: Position | null, limit: number): Promise<History> {
    return readHistory(this.engine, channel, after, limit, this.slices);
  }

  /** The newest position of a channel. @throws FanfareError `unavailable` */
  async position(channel: ChannelName): Promise<Position> {
    const [position] = await this.engine.logs.heads([channel]);
    if (!position) throw new FanfareError("unavailable", `the engine gave no position of ${channel}`);
    return position;
  }

  /** The rules are others now: channels that are listened to follow them from their next message on. */
  rulesChanged(): void {
    this.channels.rulesChanged();
    this.presence.rulesChanged();
    // A page is made as the rule says.
    this.pages.clear();
  }

  /** Writes out what waits, also what a rule's rate holds back. */
  flush(): void {
    for (const channel of this.channels.values()) channel.flush();
    this.scheduler.run();
  }

  /** Stops listening and ticking; connections have to be closed by their doors. */
  close(): void {
    if (this.#closed) return;
    this.flush();
    this.#closed = true;
    this.#ticking.cancel();
    this.memory.close();
    this.presence.close();
    this.channels.close();
    this.pages.clear();
  }

  /** Figures for people and for metrics. */
  stats() {
    return {
      connections: this.connections.size,
      fullConnections: this.waiting.size,
      channels: this.channels.size,
      windowBytes: this.channels.windowBytes,
      waitingBytes: this.waiting.bytes,
      presenceMembers: this.presence.room.used,
    };
  }

  // ---- what its memory is

  countedBytes(): number {
    return (
      (this.engine.heapBytes?.() ?? 0) +
      this.channels.windowBytes +
      this.channels.size * COSTS.listenedChannel +
      this.connections.size * COSTS.connection +
      this.counters.subscriptions * COSTS.subscription +
      this.presence.room.used * COSTS.member
    );
  }

  looseBytes(): number {
    return this.channels.looseBytes + (this.engine.looseBytes?.() ?? 0);
  }

  /** Logs and windows shrink alike, as their bounds are. */
  keepLoose(bytes: number): void {
    const { historyBytes, windowBytes } = this.limits;
    const logs = this.engine.looseBytes ? historyBytes / Math.max(1, historyBytes + windowBytes) : 0;
    this.engine.keepLoose?.(bytes * logs);
    this.channels.keepLoose(bytes * (1 - logs));
  }

  fullChanged(full: boolean, reading: MemoryReading): void {
    this.#memoryChanged?.(full, reading);
  }

  // ---- the tick

  #tick(): void {
    const now = this.clock.monotonic();
    for (const tick of [
      () => this.channels.tick(now),
      () => this.waiting.check(now),
      () => this.memory.check(),
      () => this.#heads.tick(),
      () => this.presence.tick(now),
      () => this.lifecycle.tick(now),
    ]) {
      this.failures.guarded("hub", tick)();
    }
  }
}
