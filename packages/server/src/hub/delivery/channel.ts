/**
 * A channel on this node: the tail of its log, and the subscriptions that are live on it. Flushing writes what is new to
 * all of them, the same bytes to each; a subscriber that cannot take it becomes a lagging cursor (see `catch-up.ts`).
 */
import type { ChannelName, Position } from "@fanfare/protocol";
import type { Clock, Random } from "../../base/clock.js";
import type { Failures } from "../../base/failures.js";
import type { Engine, Listened, LogEntry, LogListener, LossReason } from "../../engine/engine.js";
import type { Entry } from "../log/entry.js";
import { overtakenIn } from "../log/page.js";
import { Tail, type TailOwner } from "../log/tail.js";
import type { Counters } from "../terms/counters.js";
import type { Attendance } from "../terms/member.js";
import type { Rule } from "../terms/rules.js";
import { conflateStates } from "./conflate.js";
import { type FallBehind, LiveSubscriptions } from "./live.js";
import type { Scheduler } from "./scheduler.js";
import { type FollowerOwner, StateFollower } from "./state-follower.js";
import type { Attending, Subscription } from "./subscription.js";

/** The bytes that may wait to be flushed; beyond that a flush happens at once, against any rate. */
const MAX_UNFLUSHED_ENTRIES = 1000;
const MAX_UNFLUSHED_COST = 1024 * 1024;
/** Announcements that may come before the answer to `listen`; what is beyond is read from the engine. */
const MAX_EARLY_ANNOUNCEMENTS = 1000;

/** The parts of the hub that a channel needs. */
export interface ChannelHost {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly random: Random;
  readonly counters: Counters;
  readonly presence: Attending;
  readonly failures: Failures;
  readonly scheduler: Scheduler;
  readonly lifecycle: {
    /** The first subscription came. */
    populated(channel: Channel): void;
  };
  readonly channels: {
    /** The last subscription left. */
    deserted(channel: Channel): void;
  };
  readonly connections: {
    /** An exception came out of writing to the channel. */
    flushFailed(channel: Channel, error: unknown): void;
  };
}

let serials = 0;

export class Channel implements TailOwner, LogListener, FollowerOwner {
  /** Unlike the name, never given twice. */
  readonly serial = ++serials;
  readonly name: ChannelName;
  /** May be replaced. */
  rule: Rule;
  readonly #host: ChannelHost;
  readonly #live: LiveSubscriptions;
  readonly #ahead = new Set<Subscription>();
  readonly #joining = new Set<Subscription>();
  #tail: Tail | null = null;
  /** `null` as long as the channel has never had a state. */
  #state: StateFollower | null = null;
  /** Announcements that came before the answer to `listen`. */
  #earlyAnnouncements: LogEntry[] = [];
  /** Something else came before it, which only the engine can explain. */
  #missedEarly = false;
  /** The sequence number up to which the live subscriptions have been written. */
  #flushed = 0;
  /** The same as a position. */
  #flushedTo: Position | null = null;
  /** The sequence number from which on entries stay whatever the rule says, until the turn is over. */
  #keptFrom = 0;
  /** Bytes of memory that wait to be flushed, roughly. */
  #unflushedCost = 0;
  #nextFlush = Number.NEGATIVE_INFINITY;
  /** It waits for the end of the turn, or for its next allowed write. */
  dirty = false;
  /** Subscriptions in any state. */
  subscribers = 0;

  constructor(name: ChannelName, rule: Rule, host: ChannelHost) {
    this.name = name;
    this.rule = rule;
    this.#host = host;
    this.#live = new LiveSubscriptions(host.counters);
  }

  // ---- listening

  get tail(): Tail | null {
    return this.#tail;
  }

  /** The state as this node knows it; `null` when the channel has never had one. */
  get state(): StateFollower | null {
    return this.#state;
  }

  /** The engine listens for this channel from this position on. */
  listening({ state, ...position }: Listened): void {
    const { engine, clock, random, failures } = this.#host;
    this.#tail = new Tail(this.name, position, this, { engine, clock, random, failures });
    if (state) this.#state = new StateFollower(state, this.#tail, this, this.#host);
    this.#flushed = this.#tail.window.end;
    this.#flushedTo = position;
    this.#keptFrom = this.#flushed;
    if (this.#missedEarly) this.#tail.deaf();
    // They asked before what was announced since; so it is delivered to them.
    for (const subscription of this.#joining) this.#start(subscription);
    for (const message of this.#earlyAnnouncements) this.#tail.message(message);
    this.#earlyAnnouncements = [];
  }

  // The engine calls these, some engines within a publisher's call: what fails here is no concern of the publisher, nor of other listeners.

  message(message: LogEntry): void {
    try {
      if (this.#tail) this.#tail.message(message);
      else if (this.#earlyAnnouncements.length < MAX_EARLY_ANNOUNCEMENTS)
        this.#earlyAnnouncements.push(message);
      else this.#missedEarly = true;
    } catch (error) {
      this.#host.connections.flushFailed(this, error);
    }
  }

  reset(_position: Position, _reason: LossReason): void {
    try {
      if (this.#tail) this.#tail.reset();
      else this.#missedEarly = true;
    } catch (error) {
      this.#host.connections.flushFailed(this, error);
    }
  }

  deaf(_since: number): void {
    try {
      if (this.#tail) this.#tail.deaf();
      else this.#missedEarly = true;
    } catch (error) {
      this.#host.connections.flushFailed(this, error);
    }
  }

  grew(): void {
    const { window } = this.#need();
    const entry = window.at(window.end - 1);
    this.#unflushedCost += entry.cost;
    if (!entry.message) this.#follow(entry);
    if (window.end - this.#flushed >= MAX_UNFLUSHED_ENTRIES || this.#unflushedCost >= MAX_UNFLUSHED_COST) {
      this.flush();
    } else if (!this.dirty) {
      this.dirty = true;
      this.#host.scheduler.flush(this);
    }
  }

  startingOver(): void {
    this.flush();
  }

  /** A client that was live may have missed a change of the state in the hole, which is written before. */
  stateFound(): void {
    // Before, since some may fall behind now.
    for (const subscription of this.#live.all()) subscription.needsState();
    this.flush();
    this.#host.scheduler.settle(this);
    for (const subscription of this.#live.takeAll()) subscription.lag(this.#flushedTo);
  }

  /** Ends everything; the channel is not used any more. */
  end(): void {
    this.#tail?.end();
    this.#state?.end();
  }

  // ---- subscriptions

  add(subscription: Subscription): void {
    this.#host.counters.subscriptions++;
    if (this.subscribers++ === 0) this.#host.lifecycle.populated(this);
    this.#joining.add(subscription);
    if (this.#tail) this.#start(subscription);
  }

  remove(subscription: Subscription): void {
    if (subscription.state === "left") return;
    this.#host.presence.end(subscription);
    if (subscription.state === "live") this.#live.remove(subscription);
    this.#joining.delete(subscription);
    this.#ahead.delete(subscription);
    subscription.leave();
    this.#host.counters.subscriptions--;
    if (--this.subscribers === 0) this.#host.channels.deserted(this);
  }

  /** Those that wait for the channel to be listened to, for when that fails. */
  get joining(): ReadonlySet<Subscription> {
    return this.#joining;
  }

  /** A client that has the subscription is present from now on. Answers with what it is told of others, as JSON text. */
  attend(subscription: Subscription, attendance: Attendance): string | undefined {
    return this.#host.presence.begin(subscription, attendance);
  }

  /** From here on the subscription gets what is flushed; its cursor must be `flushed`. */
  join(subscription: Subscription): void {
    subscription.goLive();
    this.#live.add(subscription);
  }

  /** The subscription has seen more than the channel has flushed, and waits for it. */
  waitForFlush(subscription: Subscription): void {
    subscription.waitAhead();
    this.#ahead.add(subscription);
  }

  /** The sequence number up to which live subscriptions have been written. */
  get flushed(): number {
    return this.#flushed;
  }

  /** The same as a position; `null` while the channel is not listened to. */
  get flushedTo(): Position | null {
    return this.#flushedTo;
  }

  /** How many entries wait to be flushed. */
  get unflushed(): number {
    return this.#tail ? this.#tail.window.end - this.#flushed : 0;
  }

  /**
   * If the tail may be behind, catch up first: otherwise the answer could be a full recovery for evicted messages.
   */
  #start(subscription: Subscription): void {
    const tail = this.#need();
    if (subscription.request?.since && (this.#host.engine.lossy || tail.behind)) {
      tail
        .catchUp()
        .then(() => this.#begin(subscription))
        .catch((error: unknown) => subscription.connection.subscriber.failedInside(error));
    } else this.#begin(subscription);
  }

  #begin(subscription: Subscription): void {
    if (!this.#joining.delete(subscription)) return;
    const { window } = this.#need();
    subscription.lag({ epoch: window.epoch, offset: window.head });
  }

  // ---- flushing

  /** Flushes if the rule's rate allows it now; otherwise answers with the milliseconds until it does. */
  flushIfDue(now: number): number {
    const waitMs = this.#nextFlush - now;
    if (waitMs > 0) return waitMs;
    this.dirty = false;
    const { maxWritesPerSecond } = this.rule;
    if (maxWritesPerSecond !== null) this.#nextFlush = now + 1000 / maxWritesPerSecond;
    this.flush();
    return 0;
  }

  /** Writes everything that is new to all live subscriptions. */
  flush(): void {
    const tail = this.#tail;
    if (!tail) return;
    const { window } = tail;
    const { end } = window;
    if (end > this.#flushed) {
      const entries = this.conflate(window.slice(this.#flushed, end));
      const options = this.rule.events === "latest" ? { overtaken: overtakenIn(entries) } : {};
      this.#live.write(entries, options, this.#fallBehind);
      this.#flushed = end;
      this.#unflushedCost = 0;
      this.#flushedTo = { epoch: window.epoch, offset: window.head };
      this.#releaseAhead();
      this.#host.scheduler.settle(this);
    }
  }

  /** The entries that wait to be written, with changes of the state joined. */
  conflate(entries: Entry[]): Entry[] {
    if (!this.#state) return entries;
    return conflateStates(entries, this.#state.known ? this.#state : null);
  }

  /** The turn is over: a subscriber that keeps up has been written what was flushed in it. */
  settle(now: number): void {
    this.#keptFrom = this.#flushed;
    this.trim(now);
  }

  /** Lets go of what the rule no longer keeps, but of nothing that has not been flushed. */
  trim(now: number): void {
    this.#tail?.window.trim(this.rule.retention, now, this.#keptFrom);
  }

  /** Lets go of as much memory as possible: what is flushed the engine still has, so what waits goes out first. */
  shrink(): void {
    this.flush();
    this.#tail?.window.dropBefore(this.#keptFrom);
  }

  readonly #fallBehind: FallBehind = (subscription, offset) => {
    if (subscription.state !== "live") return;
    this.#live.remove(subscription);
    // After a hole, as long as it is not known what it hides.
    if (this.#state?.known === false) subscription.needsState();
    // When the window starts over, what was before is flushed first: all that is written at once is of one epoch.
    subscription.lag(offset === null ? this.#flushedTo : { epoch: this.#need().window.epoch, offset });
  };

  /** A change of the state, or a hole that may hide one. */
  #follow({ state }: Entry): void {
    this.#state ??= new StateFollower(null, this.#need(), this, this.#host);
    if (state) this.#state.follow(state);
    else this.#state.lost();
  }

  #releaseAhead(): void {
    for (const subscription of this.#ahead) subscription.lag(subscription.cursor);
    this.#ahead.clear();
  }

  #need(): Tail {
    if (!this.#tail) throw new TypeError(`${this.name} is not listened to`);
    return this.#tail;
  }
}
