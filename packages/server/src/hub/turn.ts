/**
 * The end of a turn of the event loop, when what came in it goes out: channels are flushed, then those who lag get their
 * pages. When messages pile up faster than they can be written one by one, it takes a breath between two flushes: more of
 * them travel in each write then, which costs far less, and reading gets its share of the time.
 */
import type { Clock } from "../clock.js";
import type { Channel } from "./channel.js";
import type { Connection } from "./connection.js";

/** How much longer a breath is than the flush before it: where flushes are short, they take a quarter of the time at most. */
const BREATH_PER_FLUSH = 3;
/** A breath is no longer than this. */
const MAX_BREATH_MS = 10;
/** Shorter ones are not worth a timer. */
const MIN_BREATH_MS = 0.3;

/** What the hub does once a turn's bytes are written. */
export interface TurnOwner {
  /** What the channel flushed in this turn has reached whoever keeps up. */
  settled(channel: Channel): void;
  /** Channels were flushed, which took so long. */
  flushed(ms: number): void;
  /** The turn is over; `now` is monotonic. */
  ended(now: number): void;
}

export class Turn {
  readonly #clock: Clock;
  readonly #owner: TurnOwner;
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

  constructor(clock: Clock, owner: TurnOwner) {
    this.#clock = clock;
    this.#owner = owner;
  }

  /** Flush the channel at the end of this turn, or as soon as its rule allows. */
  flush(channel: Channel): void {
    this.#dirty.push(channel);
    if (!this.#waking) this.#schedule();
  }

  /** Tell the owner when what this channel has flushed is written. */
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
    this.#owner.ended(now);
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
      const waitMs = channel.flushIfDue(now);
      if (waitMs === 0) continue;
      // What waits for its rate takes memory, too.
      this.#unsettled.add(channel);
      this.#clock.after(waitMs, () => this.flush(channel));
    }
    this.#holding = false;
    this.#letGo();
    const end = this.#clock.monotonic();
    this.#owner.flushed(end - now);
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
      connection.sink.uncork();
    }
  }

  /** What is flushed meanwhile, to make room, has not been written to those who lag: it stays until the next turn ends. */
  #settleAll(): void {
    if (this.#unsettled.size === 0) return;
    const unsettled = this.#unsettled;
    this.#unsettled = new Set();
    for (const channel of unsettled) this.#owner.settled(channel);
  }

  #pumpAll(): void {
    if (this.#toPump.length === 0) return;
    const toPump = this.#toPump;
    this.#toPump = [];
    for (const connection of toPump) {
      connection.pumpDue = false;
      connection.pump();
    }
  }
}
