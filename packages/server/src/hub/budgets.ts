/** The hub's two bounds on memory: what channels keep in their windows, and what waits for slow connections. */
import type { Channel } from "./channel.js";
import type { Connection } from "./connection.js";

/** Bounds what all windows take together: the channel whose window was used longest ago lets go first. */
export class WindowBudget {
  readonly #maxBytes: number;
  /** In the order of last use, with the bytes counted for each. */
  readonly #used = new Map<Channel, number>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes that all windows take, roughly. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The channel's window has changed. */
  used(channel: Channel): void {
    this.forget(channel);
    const cost = channel.tail?.window.cost ?? 0;
    if (cost === 0) return;
    this.#used.set(channel, cost);
    this.#bytes += cost;
    if (this.#bytes > this.#maxBytes) this.#shrink();
  }

  forget(channel: Channel): void {
    this.#bytes -= this.#used.get(channel) ?? 0;
    this.#used.delete(channel);
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
    for (const { subscriber } of this.#full) bytes += subscriber.waitingBytes;
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
    const worstFirst = [...this.#full].sort((a, b) => b.subscriber.waitingBytes - a.subscriber.waitingBytes);
    for (const connection of worstFirst) {
      bytes -= connection.subscriber.waitingBytes;
      connection.leave();
      connection.subscriber.end("too_slow");
      if (bytes <= this.#maxBytes) return;
    }
  }
}
