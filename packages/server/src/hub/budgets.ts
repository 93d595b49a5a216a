/** The hub's two bounds on memory: what channels keep in their windows, and what waits for slow connections. */
import type { Channel } from "./channel.js";
import type { Connection } from "./connection.js";

/**
 * Bounds what all windows and copies of states take together: the channel whose window was used longest ago lets go first. A copy stays
 * as long as somebody listens, and leaves less room for windows.
 */
export class WindowBudget {
  readonly #maxBytes: number;
  /** Windows in the order of last use, with the bytes counted for each. */
  readonly #used = new Map<Channel, number>();
  /** The same of copies of states. */
  readonly #states = new Map<Channel, number>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes that all of it takes, roughly. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The channel's window has changed, or its state. */
  used(channel: Channel): void {
    this.forget(channel);
    this.#add(this.#states, channel, channel.state?.cost ?? 0);
    this.#add(this.#used, channel, channel.tail?.window.cost ?? 0);
    if (this.#bytes > this.#maxBytes) this.#shrink();
  }

  forget(channel: Channel): void {
    for (const counted of [this.#used, this.#states]) {
      this.#bytes -= counted.get(channel) ?? 0;
      counted.delete(channel);
    }
  }

  /** Lets windows go of what is too old, beginning with those used longest ago. Looks at so many at most. */
  trim(now: number, atMost: number): void {
    let left = atMost;
    for (const [channel, counted] of this.#used) {
      if (left-- === 0) return;
      channel.trim(now);
      this.#recount(channel, counted, channel.tail?.window.cost ?? 0);
    }
  }

  #shrink(): void {
    for (const [channel, counted] of this.#used) {
      channel.shrink();
      this.#recount(channel, counted, channel.tail?.window.cost ?? 0);
      if (this.#bytes <= this.#maxBytes) return;
    }
  }

  #add(counted: Map<Channel, number>, channel: Channel, cost: number): void {
    if (cost === 0) return;
    counted.set(channel, cost);
    this.#bytes += cost;
  }

  #recount(channel: Channel, counted: number, cost: number): void {
    this.#bytes += cost - counted;
    if (cost === 0) this.#used.delete(channel);
    else this.#used.set(channel, cost);
  }
}

/** How often the connections that wait are added up, at most. */
const CHECK_EVERY_MS = 50;

/** Bounds what waits in all connections together: those that hold most are closed. */
export class WaitingBudget {
  readonly #maxBytes: number;
  readonly #full = new Set<Connection>();
  #nextCheck = Number.NEGATIVE_INFINITY;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** How many connections take nothing at the moment. */
  get size(): number {
    return this.#full.size;
  }

  /** Bytes that wait in them. */
  get bytes(): number {
    let bytes = 0;
    for (const { sink } of this.#full) bytes += sink.waitingBytes;
    return bytes;
  }

  add(connection: Connection): void {
    this.#full.add(connection);
  }

  delete(connection: Connection): void {
    this.#full.delete(connection);
  }

  /** Closes the worst until the rest is within the budget. */
  check(now: number): void {
    if (this.#full.size === 0 || now < this.#nextCheck) return;
    this.#nextCheck = now + CHECK_EVERY_MS;
    let { bytes } = this;
    if (bytes <= this.#maxBytes) return;
    const worstFirst = [...this.#full].sort((a, b) => b.sink.waitingBytes - a.sink.waitingBytes);
    for (const connection of worstFirst) {
      bytes -= connection.sink.waitingBytes;
      connection.leave();
      connection.subscriber.end("too_slow");
      if (bytes <= this.#maxBytes) return;
    }
  }
}
