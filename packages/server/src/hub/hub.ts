/**
 * The hub: puts together what there is one of on a node, such as channels, connections, and the turn of the event loop in which what
 * is new goes out, and answers whoever asks. Knows no protocol, no HTTP and no particular engine.
 */
import { type ChannelName, FanfareError, type Position } from "@fanfare/protocol";
import type { Clock, Random, Timer } from "../clock.js";
import type { Appended, ChannelState, Engine, IdempotencyKey, ListedChannel } from "../engine/engine.js";
import type { PayloadChecks } from "./admission.js";
import { WaitingBudget } from "./budgets.js";
import type { Channel } from "./channel.js";
import { Channels, type ChannelsHost } from "./channels.js";
import { Connection, type ConnectionHost } from "./connection.js";
import { Counters } from "./counters.js";
import { type MessageInput, type StateInput, toChange } from "./draft.js";
import { HeadsComparison } from "./heads.js";
import { type History, readHistory } from "./history.js";
import { Lifecycle } from "./lifecycle.js";
import type { Limits } from "./limits.js";
import { Locks } from "./locks.js";
import { PageCache } from "./page-cache.js";
import { Presence } from "./presence/presence.js";
import { Publishing } from "./publishing.js";
import type { Rules } from "./rules.js";
import { Sequences } from "./sequences.js";
import { existing, type Next, StateChanges } from "./state-changes.js";
import type { Subscriber } from "./subscriber.js";
import { Turn, type TurnOwner } from "./turn.js";

const TICK_MS = 1000;

export interface HubOptions {
  readonly engine: Engine;
  readonly rules: Rules;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly random: Random;
  /** What channels carry. @default whatever JSON has */
  readonly checks?: PayloadChecks | undefined;
}

/** A channel as the engine lists it, with the subscriptions that it has on this node. */
export interface LiveChannel extends ListedChannel {
  readonly subscribers: number;
}

export class Hub implements ChannelsHost, ConnectionHost, TurnOwner {
  /** The name of this node; another one for each process. */
  readonly node: string;
  readonly engine: Engine;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: Limits;
  readonly rules: Rules;
  readonly pages = new PageCache();
  readonly counters = new Counters();
  readonly presence: Presence;
  readonly lifecycle: Lifecycle;
  readonly connections = new Map<string, Connection>();
  readonly publishing: Publishing;
  readonly locks: Locks;
  readonly sequences: Sequences;
  readonly #channels: Channels;
  readonly #waiting: WaitingBudget;
  readonly #ticking: Timer;
  readonly #turn: Turn;
  readonly #heads: HeadsComparison;
  readonly #changes: StateChanges;
  #closed = false;

  constructor(options: HubOptions) {
    this.engine = options.engine;
    this.rules = options.rules;
    this.limits = options.limits;
    this.clock = options.clock;
    this.random = options.random;
    this.node = Buffer.from(options.random.bytes(9)).toString("base64url");
    this.#channels = new Channels(this);
    this.#waiting = new WaitingBudget(options.limits.waitingBytes);
    this.#turn = new Turn(options.clock, this);
    this.#heads = new HeadsComparison(options.engine, options.clock, () => this.#channels.values());
    this.#changes = new StateChanges(this, options.checks);
    this.publishing = new Publishing(this, options.checks);
    this.locks = new Locks(this);
    this.sequences = new Sequences(this);
    const { presenceMembers: maxMembers } = options.limits;
    this.presence = new Presence({ ...options, node: this.node, counters: this.counters, maxMembers });
    this.lifecycle = new Lifecycle(options.clock, this.node, () => this.#channels.values());
    this.#ticking = options.clock.every(TICK_MS, () => this.#tick());
  }

  get maxSubscriptions(): number {
    return this.limits.subscriptionsPerConnection;
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
   * The channels after a name, or from the first on, at most so many.
   *
   * @throws FanfareError `unavailable`
   */
  async list(after: ChannelName | null, limit: number): Promise<LiveChannel[]> {
    const listed = await this.engine.list(after, limit);
    return listed.map((each) => ({
      ...each,
      subscribers: this.#channels.subscribers(each.channel),
    }));
  }

  /**
   * Changes the state of a channel; the change is on its way to every subscription. Changes of one channel that are asked for one
   * after the other happen in that order.
   *
   * @throws VersionMismatchError `version_mismatch`
   * @throws FanfareError `invalid_value`, `invalid_request`, `invalid_data`, `too_large`, `key_reused`, `too_many_channels`,
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
   * @throws FanfareError `key_reused`, `too_many_channels`, `insufficient_storage`, `unavailable`
   */
  async updateState(
    channel: ChannelName,
    next: (present: ChannelState | null) => Next | null,
    idempotency?: IdempotencyKey,
  ): Promise<Appended | null> {
    return await this.#changes.update(channel, next, this.rules.of(channel).retention, idempotency);
  }

  /** The state of a channel; `null` when it has none. @throws FanfareError `unavailable` */
  async state(channel: ChannelName): Promise<ChannelState | null> {
    return existing(await this.engine.state(channel));
  }

  /** The messages that the log of a channel holds after a position, oldest first. @throws FanfareError `unavailable` */
  history(channel: ChannelName, after: Position | null, limit: number): Promise<History> {
    return readHistory(this.engine, channel, after, limit);
  }

  /** The newest position of a channel. @throws FanfareError `unavailable` */
  async position(channel: ChannelName): Promise<Position> {
    const [position] = await this.engine.heads([channel]);
    if (!position) throw new FanfareError("unavailable", `the engine gave no position of ${channel}`);
    return position;
  }

  /** A client has come in. @throws FanfareError `too_many_connections` */
  open(subscriber: Subscriber): Connection {
    const { connections } = this.limits;
    if (this.connections.size >= connections) {
      throw new FanfareError("too_many_connections", `this process has ${connections} connections`);
    }
    const id = Buffer.from(this.random.bytes(12)).toString("base64url");
    const connection = new Connection(id, subscriber, this);
    this.connections.set(id, connection);
    this.counters.opened++;
    return connection;
  }

  /** The rules are others now: channels that are listened to follow them from their next message on. */
  rulesChanged(): void {
    this.#channels.rulesChanged();
    this.presence.rulesChanged();
    // A page is made as the rule says.
    this.pages.clear();
  }

  /** Writes out what waits, also what a rule's rate holds back. */
  flush(): void {
    for (const channel of this.#channels.values()) channel.flush();
    this.#turn.run();
  }

  /** Stops listening and ticking; connections have to be closed by their doors. */
  close(): void {
    if (this.#closed) return;
    this.flush();
    this.#closed = true;
    this.#ticking.cancel();
    this.locks.close();
    this.presence.close();
    this.#channels.close();
    this.pages.clear();
  }

  /** Figures for people and for metrics. */
  stats() {
    return {
      connections: this.connections.size,
      fullConnections: this.#waiting.size,
      channels: this.#channels.size,
      windowBytes: this.#channels.windowBytes,
      waitingBytes: this.#waiting.bytes,
      presenceMembers: this.presence.room.used,
    };
  }

  // ---- what channels and connections use

  channel(name: ChannelName): Channel {
    return this.#channels.get(name);
  }

  soon(channel: Channel): void {
    this.#turn.flush(channel);
  }

  settleSoon(channel: Channel): void {
    this.#turn.settle(channel);
  }

  populated(channel: Channel): void {
    this.lifecycle.populated(channel);
  }

  deserted(channel: Channel): void {
    this.#channels.deserted(channel);
    this.lifecycle.deserted(channel);
  }

  pumpSoon(connection: Connection): void {
    this.#turn.pump(connection);
  }

  holdBack(connection: Connection): void {
    this.#turn.holdBack(connection);
  }

  becameFull(connection: Connection): void {
    this.#waiting.add(connection);
  }

  becameFree(connection: Connection): void {
    this.#waiting.delete(connection);
  }

  left(connection: Connection): void {
    this.#waiting.delete(connection);
    this.connections.delete(connection.id);
    this.lifecycle.left(connection);
  }

  // ---- the turn

  settled(channel: Channel): void {
    this.#channels.settled(channel);
  }

  flushed(ms: number): void {
    this.counters.flushes.add(ms);
  }

  ended(now: number): void {
    this.#waiting.check(now);
  }

  // ---- the tick

  #tick(): void {
    const now = this.clock.monotonic();
    this.#channels.tick(now);
    this.#waiting.check(now);
    this.#heads.tick();
    this.presence.tick(now);
    this.lifecycle.tick(now);
  }
}
