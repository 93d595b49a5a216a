/**
 * A channel on this node: the tail of its log, and the subscriptions that are live on it. Flushing writes what is new to
 * all of them, the same bytes to each; whoever cannot take it becomes a lagging cursor (see `catch-up.ts`).
 */
import type { ChannelName, Position } from "@fanfare/protocol";
import type { Clock, Random } from "../clock.js";
import type { Engine, Listened, LogEntry, LogListener, LossReason } from "../engine/engine.js";
import { conflateStates } from "./conflate.js";
import type { Counters } from "./counters.js";
import type { Entry } from "./entry.js";
import { type FallBehind, LiveSubscriptions } from "./live.js";
import { overtakenIn } from "./page.js";
import type { Attendance } from "./presence/member.js";
import type { Presence } from "./presence/presence.js";
import type { Rule } from "./rules.js";
import { type FollowerOwner, StateFollower } from "./state-follower.js";
import type { Subscription } from "./subscription.js";
import { Tail, type TailOwner } from "./tail.js";

/** What may wait to be flushed; beyond that a flush happens at once, against any rate. */
const MAX_UNFLUSHED_ENTRIES = 1000;
const MAX_UNFLUSHED_COST = 1024 * 1024;
/** Announcements that may come before the answer to `listen`; what is beyond is read from the engine. */
const MAX_EARLY_ANNOUNCEMENTS = 1000;

/** What a channel needs of the hub. */
export interface ChannelHost {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly random: Random;
  readonly counters: Counters;
  readonly presence: Presence;
  /** Flush the channel at the end of this turn, or as soon as its rule allows. */
  soon(channel: Channel): void;
  /** Call `settle` when this turn's pages have been written. */
  settleSoon(channel: Channel): void;
  /** The first subscription came. */
  populated(channel: Channel): void;
  /** The last subscription left. */
  deserted(channel: Channel): void;
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
    const { engine, clock, random } = this.#host;
    this.#tail = new Tail(this.name, position, this, engine, clock, random);
    if (state) this.#state = new StateFollower(state, this.#tail, this, this.#host);
    this.#flushed = this.#tail.window.end;
    this.#flushedTo = position;
    this.#keptFrom = this.#flushed;
    if (this.#missedEarly) this.#tail.deaf();
    // They asked before what was announced since; so it is delivered to them.
    for (const subscription of this.#joining) this.#admit(subscription);
    for (const message of this.#earlyAnnouncements) this.#tail.message(message);
    this.#earlyAnnouncements = [];
  }

  message(message: LogEntry): void {
    if (this.#tail) this.#tail.message(message);
    else if (this.#earlyAnnouncements.length < MAX_EARLY_ANNOUNCEMENTS)
      this.#earlyAnnouncements.push(message);
    else this.#missedEarly = true;
  }

  reset(_position: Position, _reason: LossReason): void {
    if (this.#tail) this.#tail.reset();
    else this.#missedEarly = true;
  }

  deaf(_since: number): void {
    if (this.#tail) this.#tail.deaf();
    else this.#missedEarly = true;
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
      this.#host.soon(this);
    }
  }

  startingOver(): void {
    this.flush();
  }

  /** Whoever was live may have missed a change of the state in the hole, which is written before. */
  stateFound(): void {
    // Before, since some may fall behind now.
    for (const subscription of this.#live.all()) subscription.stateDue = true;
    this.flush();
    this.#host.settleSoon(this);
    for (const subscription of this.#live.takeAll()) {
      subscription.state = "lagging";
      subscription.cursor = this.#flushedTo;
      subscription.connection.enqueue(subscription);
    }
  }

  /** Ends everything; the channel is not used any more. */
  end(): void {
    this.#tail?.end();
    this.#state?.end();
  }

  // ---- subscriptions

  add(subscription: Subscription): void {
    if (this.subscribers++ === 0) this.#host.populated(this);
    this.#joining.add(subscription);
    if (this.#tail) this.#admit(subscription);
  }

  remove(subscription: Subscription): void {
    if (subscription.state === "left") return;
    this.#host.presence.end(subscription);
    if (subscription.state === "live") this.#live.remove(subscription);
    this.#joining.delete(subscription);
    this.#ahead.delete(subscription);
    subscription.state = "left";
    subscription.read = null;
    if (--this.subscribers === 0) this.#host.deserted(this);
  }

  /** Those that wait for the channel to be listened to, for when that fails. */
  get joining(): ReadonlySet<Subscription> {
    return this.#joining;
  }

  /** Whoever has the subscription is present from now on. Answers with what it is told of others, as JSON text. */
  attend(subscription: Subscription, attendance: Attendance): string | undefined {
    return this.#host.presence.begin(subscription, attendance);
  }

  /** From here on the subscription gets what is flushed; its cursor must be `flushed`. */
  join(subscription: Subscription): void {
    subscription.state = "live";
    subscription.stateDue = false;
    subscription.cursor = null;
    this.#live.add(subscription);
  }

  /** The subscription has seen more than the channel has flushed, and waits for it. */
  waitForFlush(subscription: Subscription): void {
    subscription.state = "ahead";
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
   * While the tail is behind, or may be without knowing, what it has not seen may be gone already. So it has to catch up
   * first, lest it say that nothing is missing.
   */
  #admit(subscription: Subscription): void {
    const tail = this.#need();
    if (subscription.request?.since && (this.#host.engine.lossy || tail.behind)) {
      void tail.catchUp().then(() => this.#begin(subscription));
    } else this.#begin(subscription);
  }

  #begin(subscription: Subscription): void {
    if (!this.#joining.delete(subscription)) return;
    const { window } = this.#need();
    subscription.state = "lagging";
    subscription.cursor = { epoch: window.epoch, offset: window.head };
    subscription.connection.enqueue(subscription);
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
      this.#host.settleSoon(this);
    }
  }

  /** What waits to be written, with changes of the state joined. */
  conflate(entries: Entry[]): Entry[] {
    if (!this.#state) return entries;
    return conflateStates(entries, this.#state.known ? this.#state : null);
  }

  /** The turn is over: whoever keeps up has been written what was flushed in it. */
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
    subscription.state = "lagging";
    // After a hole, as long as nobody knows what it hides.
    if (this.#state?.known === false) subscription.stateDue = true;
    // When the window starts over, what was before is flushed first: all that is written at once is of one epoch.
    subscription.cursor = offset === null ? this.#flushedTo : { epoch: this.#need().window.epoch, offset };
    subscription.connection.enqueue(subscription);
  };

  /** A change of the state, or a hole that may hide one. */
  #follow({ state }: Entry): void {
    this.#state ??= new StateFollower(null, this.#need(), this, this.#host);
    if (state) this.#state.follow(state);
    else this.#state.lost();
  }

  #releaseAhead(): void {
    for (const subscription of this.#ahead) {
      subscription.state = "lagging";
      subscription.connection.enqueue(subscription);
    }
    this.#ahead.clear();
  }

  #need(): Tail {
    if (!this.#tail) throw new TypeError(`${this.name} is not listened to`);
    return this.#tail;
  }
}
