/**
 * The end of a turn of the event loop, when what came in it goes out: channels are flushed, then those who lag get their
 * pages. When messages pile up faster than they can be written one by one, it takes a breath between two flushes: more of
 * them travel in each write then, which costs far less, and reading gets its share of the time.
 */
import type { Clock } from "../../base/clock.js";
import type { Failures } from "../../base/failures.js";
import type { Counters } from "../terms/counters.js";
import type { WaitingBudget } from "./budgets.js";
import type { Channel } from "./channel.js";
import type { Connection } from "./connection.js";

/** How much longer a breath is than the flush before it: where flushes are short, they take a quarter of the time at most. */
const BREATH_PER_FLUSH = 3;
/** A breath is no longer than this. */
const MAX_BREATH_MS = 10;
/** Shorter ones are not worth a timer. */
const MIN_BREATH_MS = 0.3;

/** The parts of the hub that a scheduler needs. */
export interface SchedulerHost {
  readonly clock: Clock;
  readonly counters: Counters;
  readonly failures: Failures;
  readonly waiting: WaitingBudget;
  readonly channels: {
    /** Every subscription that keeps up has been written all that these channels flushed until now. */
    settled(channels: ReadonlySet<Channel>): void;
  };
  readonly connections: {
    /** An exception came out of this channel; the turn goes on with the others. */
    flushFailed(channel: Channel, error: unknown): void;
  };
}

export class Scheduler {
  readonly #clock: Clock;
  readonly #host: SchedulerHost;
  #dirty: Channel[] = [];
  /** Channels that have been flushed, and keep what was flushed until the turn is over. */
  #unsettled = new Set<Channel>();
  #toPump: Connection[] = [];
  #heldBack: Connection[] = [];
  /** Several channels are being flushed, and what one connection gets from them goes out together. */
  #holding = false;
  #due = false;
  #running = false;
  /** Until when channels are not flushed; `#waking` when a timer will do it then. */
  #breathUntil = Number.NEGATIVE_INFINITY;
  #waking = false;

  constructor(host: SchedulerHost) {
    this.#clock = host.clock;
    this.#host = host;
  }

  /** Flush the channel at the end of this turn, or as soon as its rule allows. */
  flush(channel: Channel): void {
    this.#dirty.push(channel);
    if (!this.#waking) this.#schedule();
  }

  /** Settle the channel when what it has flushed is written. */
  settle(channel: Channel): void {
    this.#unsettled.add(channel);
    if (!this.#running) this.#schedule();
  }

  pump(connection: Connection): void {
    if (connection.pumpDue) return;
    connection.pumpDue = true;
    this.#toPump.push(connection);
    this.#schedule();
  }

  /** A write is about to happen: while several channels are flushed, the connection holds it until all are. */
  holdBack(connection: Connection): void {
    if (!this.#holding) return;
    connection.heldBack = true;
    connection.sink.cork();
    this.#heldBack.push(connection);
  }

  /** Ends the turn now, out of breath or not. */
  run(): void {
    this.#breathUntil = Number.NEGATIVE_INFINITY;
    this.#run();
  }

  #schedule(): void {
    if (this.#due) return;
    this.#due = true;
    this.#clock.endOfTurn(() => this.#run());
  }

  #run(): void {
    this.#due = false;
    this.#running = true;
    const now = this.#clock.monotonic();
    if (now >= this.#breathUntil) this.#flushAll(now);
    else this.#wakeLater(this.#breathUntil - now);
    this.#pumpAll();
    this.#running = false;
    this.#settleAll();
    this.#host.waiting.check(now);
  }

  #wakeLater(ms: number): void {
    if (this.#waking || this.#dirty.length === 0) return;
    this.#waking = true;
    this.#clock.after(ms, () => {
      this.#waking = false;
      this.#schedule();
    });
  }

  #flushAll(now: number): void {
    const dirty = this.#dirty;
    if (dirty.length === 0) return;
    this.#dirty = [];
    this.#holding = dirty.length > 1;
    let piledUp = false;
    for (const channel of dirty) {
      piledUp ||= channel.unflushed > 1;
      let waitMs = 0;
      try {
        waitMs = channel.flushIfDue(now);
      } catch (error) {
        this.#host.connections.flushFailed(channel, error);
      }
      if (waitMs === 0) continue;
      // Entries that wait for their rate take memory, too.
      this.#unsettled.add(channel);
      this.#clock.after(waitMs, () => this.flush(channel));
    }
    this.#holding = false;
    this.#letGo();
    const end = this.#clock.monotonic();
    this.#host.counters.flushes.add(end - now);
    if (!piledUp) return;
    const breathMs = Math.min(MAX_BREATH_MS, BREATH_PER_FLUSH * (end - now));
    if (breathMs >= MIN_BREATH_MS) this.#breathUntil = end + breathMs;
  }

  #letGo(): void {
    if (this.#heldBack.length === 0) return;
    const heldBack = this.#heldBack;
    this.#heldBack = [];
    for (const connection of heldBack) {
      connection.heldBack = false;
      try {
        connection.sink.uncork();
      } catch (error) {
        connection.subscriber.failedInside(error);
      }
    }
  }

  /** What is flushed meanwhile, to make room, has not been written to those who lag: it stays until the next turn ends. */
  #settleAll(): void {
    if (this.#unsettled.size === 0) return;
    const unsettled = this.#unsettled;
    this.#unsettled = new Set();
    try {
      this.#host.channels.settled(unsettled);
    } catch (error) {
      this.#host.failures.caught({ caller: "hub", error });
    }
  }

  #pumpAll(): void {
    if (this.#toPump.length === 0) return;
    const toPump = this.#toPump;
    this.#toPump = [];
    for (const connection of toPump) {
      connection.pumpDue = false;
      try {
        connection.pump();
      } catch (error) {
        connection.subscriber.failedInside(error);
      }
    }
  }
}
