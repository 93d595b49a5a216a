/**
 * The ring of all that waits for its turn in one connection: subscriptions that lag, each brought forward by a page, and answers that are encoded
 * only when they are taken. There is one only while something waits.
 */
import type { Position } from "@fanfare/protocol";
import type { Clock, Random } from "../../base/clock.js";
import type { Failures } from "../../base/failures.js";
import type { Engine, ReadLimit } from "../../engine/engine.js";
import { PAGE_BYTES } from "../log/page.js";
import { readAround } from "../log/read-around.js";
import { readOn } from "../log/read-on.js";
import type { Counters } from "../terms/counters.js";
import type { Encoding } from "../terms/subscriber.js";
import { nextStep } from "./catch-up.js";
import type { PageCache } from "./page-cache.js";
import type { Subscription } from "./subscription.js";

/** After this many pages the others get their turn. */
const STEPS_PER_TURN = 64;
const RETRY_MS = 200;
const READ: ReadLimit = { messages: 1000, bytes: PAGE_BYTES };

/** An answer that is encoded only when the connection takes it. */
export type LazyAnswer = (encoding: Encoding) => Uint8Array;

/** The connection whose ring it is. */
export interface RingOwner {
  /** It takes nothing for now. */
  readonly full: boolean;
  readonly ended: boolean;
  /** Writes whole frames. Only called while it is not full. */
  write(bytes: Uint8Array): void;
  writeLazily(answer: LazyAnswer): void;
  /** An unexpected exception: the connection ends. */
  failedInside(error: unknown): void;
  /** Something can be done: at the end of the turn `turn` is to be called, unless the connection is full. */
  ringDue(): void;
}

/** The parts of the hub that a ring needs. */
export interface RingHost {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly random: Random;
  readonly pages: PageCache;
  readonly counters: Counters;
  readonly failures: Failures;
}

export class LagRing {
  readonly #owner: RingOwner;
  readonly #host: RingHost;
  readonly #queue: (Subscription | LazyAnswer)[] = [];
  #reading = false;

  constructor(owner: RingOwner, host: RingHost) {
    this.#owner = owner;
    this.#host = host;
  }

  /** How many subscriptions and answers wait for their turn. */
  get size(): number {
    return this.#queue.length;
  }

  /** Nothing waits, and nothing is being read. */
  get isDone(): boolean {
    return this.#queue.length === 0 && !this.#reading;
  }

  /** Does an answer wait that is not encoded yet? */
  get hasAnswers(): boolean {
    return this.#queue.some((next) => typeof next === "function");
  }

  push(next: Subscription | LazyAnswer): void {
    this.#queue.push(next);
  }

  /** Writes what waits, in turn, until the connection is full or nothing is left. */
  turn(): void {
    const queue = this.#queue;
    const owner = this.#owner;
    const now = this.#host.clock.now();
    let stepsLeft = STEPS_PER_TURN;
    /** Subscriptions in a row that could only wait; when that is all of the ring, the turn is over. */
    let waiting = 0;
    while (!owner.full && waiting < queue.length) {
      if (stepsLeft-- === 0) {
        owner.ringDue();
        return;
      }
      const next = queue.shift();
      if (typeof next === "function") owner.writeLazily(next);
      else if (next?.state === "lagging" && !this.#step(next, now)) {
        waiting++;
        continue;
      }
      waiting = 0;
    }
  }

  /** Brings a subscription forward by a page. False when it could only wait: something else is being read. */
  #step(subscription: Subscription, now: number): boolean {
    const { pages, counters } = this.#host;
    const step = nextStep(subscription, now, pages);
    switch (step.kind) {
      case "rest":
        return true;
      case "read":
        if (this.#reading) {
          this.#queue.push(subscription);
          return false;
        }
        this.#read(subscription, step.after).catch((error: unknown) => this.#owner.failedInside(error));
        return true;
      case "write":
        this.#owner.write(step.page.bytes);
        counters.wrote(step.page, 1);
        break;
      case "answer":
        this.#owner.write(step.bytes);
        if (step.reason) counters.gaps[step.reason]++;
        break;
    }
    // After a write it may have become live. What was read for it goes out before anything else is read, so that a connection never
    // holds more than one page of the engine's.
    if (subscription.state !== "lagging") return true;
    if (subscription.read) this.#queue.unshift(subscription);
    else this.#queue.push(subscription);
    return true;
  }

  /** Asks the engine for a subscription; one at a time. */
  async #read(subscription: Subscription, after: Subscription["cursor"]): Promise<void> {
    this.#reading = true;
    const { engine, clock, random, failures } = this.#host;
    const { channel } = subscription;
    try {
      const read = (at: Position | null) => readAround(engine, channel.name, at, READ);
      const page = await readOn(read, after);
      // What the tail has not heard of, a change of the state perhaps, it has to learn of first.
      const { epoch, head, next } = page;
      const newest = next ? { epoch: next.epoch, offset: 0 } : { epoch, offset: head };
      if (channel.tail?.lacks(newest)) await channel.tail.catchUp();
      subscription.give(page);
    } catch (error) {
      failures.goesOn("reading for a client that lags", error);
      await new Promise<void>((done) => clock.after(RETRY_MS * (0.5 + random.fraction()), done));
    }
    this.#reading = false;
    if (this.#owner.ended) return;
    if (subscription.state === "lagging") this.#queue.unshift(subscription);
    this.#owner.ringDue();
  }
}
