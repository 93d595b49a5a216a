/** The hub's two bounds on memory: what channels keep in their windows, and what waits for slow clients. */
import type { Clock } from "../../base/clock.js";
import type { Channel } from "./channel.js";

/**
 * Bounds what all windows and copies of states take together: the channel whose window was used longest ago lets go first. A copy stays
 * as long as somebody listens, and leaves less room for windows.
 */
export class WindowBudget {
  readonly #maxBytes: number;
  /** The bytes that all windows may have, where that is less. */
  #mostLoose = Number.POSITIVE_INFINITY;
  /** Windows in the order of last use, with the bytes counted for each. */
  readonly #used = new Map<Channel, number>();
  /** The same of copies of states. */
  readonly #states = new Map<Channel, number>();
  #bytes = 0;
  /** Those of copies of states among them. */
  #stateBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes that all of it takes, roughly. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes of windows alone, which can be let go of. */
  get looseBytes(): number {
    return this.#bytes - this.#stateBytes;
  }

  /** Lets go of windows until they have this many bytes, and keeps them there. */
  keepLoose(bytes: number): void {
    this.#mostLoose = bytes;
    if (this.#isOver) this.#shrink();
  }

  /** The channel's window has changed, or its state. */
  used(channel: Channel): void {
    this.forget(channel);
    const state = channel.state?.cost ?? 0;
    this.#stateBytes += state;
    this.#add(this.#states, channel, state);
    this.#add(this.#used, channel, channel.tail?.window.cost ?? 0);
    if (this.#isOver) this.#shrink();
  }

  forget(channel: Channel): void {
    const state = this.#states.get(channel) ?? 0;
    this.#bytes -= state + (this.#used.get(channel) ?? 0);
    this.#stateBytes -= state;
    this.#used.delete(channel);
    this.#states.delete(channel);
  }

  /** Lets windows go of what is too old, beginning with those used longest ago. Looks at this many at most. */
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
      if (!this.#isOver) return;
    }
  }

  get #isOver(): boolean {
    return this.#bytes > Math.min(this.#maxBytes, this.#mostLoose + this.#stateBytes);
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

/** How often what waits is added up, at most. */
const CHECK_EVERY_MS = 50;

/** A client that takes nothing at the moment: a connection of a door, or a socket with answers over plain HTTP. */
export interface Waiting {
  /** Bytes that were written to it and have not left the process. */
  readonly waitingBytes: number;
  /** There is no room for what waits in all of them, and this one holds most. */
  cutOff(): void;
}

/** Bounds what waits for all slow clients together: those that hold most are cut off. */
export class WaitingBudget {
  readonly #maxBytes: number;
  readonly #clock: Clock;
  readonly #full = new Set<Waiting>();
  #nextCheck = Number.NEGATIVE_INFINITY;

  constructor(maxBytes: number, clock: Clock) {
    this.#maxBytes = maxBytes;
    this.#clock = clock;
  }

  /** How many clients take nothing at the moment. */
  get size(): number {
    return this.#full.size;
  }

  /** Bytes that wait for them. */
  get bytes(): number {
    let bytes = 0;
    for (const { waitingBytes } of this.#full) bytes += waitingBytes;
    return bytes;
  }

  add(client: Waiting): void {
    this.#full.add(client);
  }

  /** The same for a client that is no connection: what it waits for is looked at now, since no turn of the scheduler has written it. */
  addAndCheck(client: Waiting): void {
    this.add(client);
    this.check(this.#clock.monotonic());
  }

  delete(client: Waiting): void {
    this.#full.delete(client);
  }

  /** Cuts off the worst until the rest is within the budget. */
  check(now: number): void {
    if (this.#full.size === 0 || now < this.#nextCheck) return;
    this.#nextCheck = now + CHECK_EVERY_MS;
    let { bytes } = this;
    if (bytes <= this.#maxBytes) return;
    const worstFirst = [...this.#full].sort((a, b) => b.waitingBytes - a.waitingBytes);
    for (const client of worstFirst) {
      bytes -= client.waitingBytes;
      this.#full.delete(client);
      client.cutOff();
      if (bytes <= this.#maxBytes) return;
    }
  }
}
