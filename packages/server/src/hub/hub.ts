/**
 * The hub: channels that somebody on this node listens to, connections, and the turn of the event loop in which what is new
 * goes out. Knows no protocol, no HTTP and no particular engine.
 */
import { type ChannelName, FanfareError, type Position } from "@fanfare/protocol";
import type { Clock, Random, Timer } from "../clock.js";
import type {
  Appended,
  ChannelState,
  Draft,
  Engine,
  IdempotencyKey,
  ListedChannel,
  Message,
  Page,
  Retention,
} from "../engine/engine.js";
import { Admission, type PayloadChecks } from "./admission.js";
import { WaitingBudget, WindowBudget } from "./budgets.js";
import { Channel, type ChannelHost } from "./channel.js";
import { Connection, type ConnectionHost } from "./connection.js";
import { Counters } from "./counters.js";
import { type MessageInput, type StateInput, toChange, toDraft } from "./draft.js";
import { HeadsComparison } from "./heads.js";
import { Lifecycle } from "./lifecycle.js";
import type { Limits } from "./limits.js";
import { Locks } from "./locks.js";
import { PageCache } from "./page-cache.js";
import { Presence } from "./presence/presence.js";
import type { Rules } from "./rules.js";
import { Sequences } from "./sequences.js";
import { existing, type Next, StateChanges } from "./state-changes.js";
import type { Subscriber } from "./subscriber.js";
import { Turn, type TurnOwner } from "./turn.js";

/** A channel without subscriptions is listened to for so long, so that a reload of a page costs nothing. */
const LINGER_MS = 30_000;
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

/** A message that has been checked, and can be appended. */
export interface Prepared {
  readonly channel: ChannelName;
  readonly draft: Draft;
  readonly retention: Retention;
}

/** What became of one message of many: it stands there, or was not appended. */
export type BatchResult =
  | { readonly channel: ChannelName; readonly position: Appended }
  | { readonly channel: ChannelName; readonly error: unknown };

/** A page without changes of the state. */
export interface History extends Page {
  readonly messages: readonly Message[];
}

/** A channel as the engine lists it, with the subscriptions that it has on this node. */
export interface LiveChannel extends ListedChannel {
  readonly subscribers: number;
}

export class Hub implements ChannelHost, ConnectionHost, TurnOwner {
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
  readonly locks: Locks;
  readonly sequences: Sequences;
  readonly #channels = new Map<ChannelName, Channel>();
  /** Channels without subscriptions, and since when. */
  readonly #lingering = new Map<Channel, number>();
  readonly #windows: WindowBudget;
  readonly #waiting: WaitingBudget;
  readonly #ticking: Timer;
  readonly #turn: Turn;
  readonly #heads: HeadsComparison;
  readonly #changes: StateChanges;
  readonly #admission: Admission | null;
  #closed = false;

  constructor(options: HubOptions) {
    this.engine = options.engine;
    this.rules = options.rules;
    this.limits = options.limits;
    this.clock = options.clock;
    this.random = options.random;
    this.node = Buffer.from(options.random.bytes(9)).toString("base64url");
    this.#windows = new WindowBudget(options.limits.windowBytes);
    this.#waiting = new WaitingBudget(options.limits.waitingBytes);
    this.#turn = new Turn(options.clock, this);
    this.#heads = new HeadsComparison(options.engine, options.clock, () => this.#channels.values());
    this.#changes = new StateChanges(this, options.checks);
    this.#admission = options.checks ? new Admission(options.checks) : null;
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

  /**
   * Appends a message to a channel's log; it is on its way to every subscription.
   *
   * @throws FanfareError `invalid_value`, `invalid_request`, `invalid_data`, `too_large`, `key_reused`, `too_many_channels`,
   * `insufficient_storage`, `unavailable`
   */
  async publish(channel: ChannelName, input: MessageInput): Promise<Appended> {
    const prepared = this.prepare(channel, input);
    const admitted = this.#admission?.admit([prepared]);
    if (admitted) await admitted;
    return this.#append(prepared);
  }

  /** Checks a message, and appends nothing. @throws FanfareError `invalid_value`, `invalid_request`, `too_large` */
  prepare(channel: ChannelName, input: MessageInput): Prepared {
    return this.#prepared(channel, toDraft(input, this.limits.messageBytes));
  }

  /** The same for a message to many channels, which becomes JSON once. @throws FanfareError as {@link prepare} */
  prepareForAll(channels: readonly ChannelName[], input: MessageInput): Prepared[] {
    const draft = toDraft(input, this.limits.messageBytes);
    return channels.map((channel) => this.#prepared(channel, draft));
  }

  /**
   * Appends messages in order, to whatever channels, or none of them when one is not what its channel carries. What the engine
   * refuses does not stop the others.
   *
   * @param naming says in an error which of the messages it is about
   * @throws FanfareError `invalid_data`; refused with `key_reused`, `too_many_channels`, `insufficient_storage`, `unavailable`
   */
  async appendAll(
    prepared: readonly Prepared[],
    naming: (error: unknown, index: number) => unknown,
  ): Promise<BatchResult[]> {
    const admitted = this.#admission?.admit(prepared, naming);
    if (admitted) await admitted;
    const append = (each: Prepared): Promise<BatchResult> =>
      this.#append(each).then(
        (position) => ({ channel: each.channel, position }),
        (error: unknown) => ({ channel: each.channel, error }),
      );
    // None is waited for before the next is appended; the engine keeps the order of calls.
    return Promise.all(prepared.map(append));
  }

  #prepared(channel: ChannelName, draft: Draft): Prepared {
    return { channel, draft, retention: this.rules.of(channel).retention };
  }

  async #append({ channel, draft, retention }: Prepared): Promise<Appended> {
    const appended = await this.engine.append(channel, draft, retention);
    if (!appended.repeated) this.counters.appended(Buffer.byteLength(draft.json));
    return appended;
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
      subscribers: this.#channels.get(each.channel)?.subscribers ?? 0,
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
  async history(channel: ChannelName, after: Position | null, limit: number): Promise<History> {
    const messages: Message[] = [];
    let from = after;
    for (;;) {
      const bounds = { messages: limit - messages.length, bytes: Number.POSITIVE_INFINITY };
      const { messages: entries, ...page } = await this.engine.read(channel, from, bounds);
      for (const entry of entries) if (!entry.change) messages.push(entry);
      const offset = entries.at(-1)?.offset ?? page.head;
      // Changes of the state are no messages, so there may be room for more of them.
      if (messages.length >= limit || offset >= page.head) return { ...page, messages };
      from = { epoch: page.epoch, offset };
    }
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
    for (const channel of this.#channels.values()) channel.rule = this.rules.of(channel.name);
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
    for (const channel of [...this.#channels.values()]) this.#drop(channel);
    this.pages.clear();
  }

  /** Figures for people and for metrics. */
  stats() {
    return {
      connections: this.connections.size,
      fullConnections: this.#waiting.size,
      channels: this.#channels.size,
      windowBytes: this.#windows.bytes,
      waitingBytes: this.#waiting.bytes,
      presenceMembers: this.presence.room.used,
    };
  }

  // ---- what channels and connections use

  channel(name: ChannelName): Channel {
    if (this.#closed) throw new FanfareError("unavailable", "the server stops");
    const known = this.#channels.get(name);
    if (known) {
      this.#lingering.delete(known);
      return known;
    }
    if (this.#channels.size >= this.limits.channels) this.#dropLingering();
    if (this.#channels.size >= this.limits.channels) {
      throw new FanfareError("too_many_channels", `${this.limits.channels} channels are listened to`);
    }
    const channel = new Channel(name, this.rules.of(name), this);
    this.#channels.set(name, channel);
    this.engine.listen(name, channel).then(
      (position) => {
        if (this.#channels.get(name) === channel) channel.listening(position);
      },
      (error: unknown) => this.#listenFailed(channel, error),
    );
    return channel;
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
    if (this.#channels.get(channel.name) === channel) this.#lingering.set(channel, this.clock.monotonic());
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
    channel.settle(this.clock.now());
    if (this.#channels.get(channel.name) === channel) this.#windows.used(channel);
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
    for (const [channel, since] of this.#lingering) {
      if (now - since < LINGER_MS) break;
      this.#drop(channel);
    }
    this.#windows.trim(this.clock.now(), 1000);
    this.#waiting.check(now);
    this.#heads.tick();
    this.presence.tick(now);
    this.lifecycle.tick(now);
  }

  /** Makes room for a channel that is wanted now. */
  #dropLingering(): void {
    for (const channel of this.#lingering.keys()) {
      this.#drop(channel);
      return;
    }
  }

  #drop(channel: Channel): void {
    this.#lingering.delete(channel);
    this.#channels.delete(channel.name);
    this.#windows.forget(channel);
    this.engine.unlisten(channel.name, channel);
    channel.end();
  }

  #listenFailed(channel: Channel, cause: unknown): void {
    if (this.#channels.get(channel.name) !== channel) return;
    this.#drop(channel);
    const error =
      cause instanceof FanfareError
        ? cause
        : new FanfareError("unavailable", `${channel.name} cannot be listened to at the moment`, { cause });
    for (const subscription of [...channel.joining]) subscription.connection.joinFailed(subscription, error);
  }
}
