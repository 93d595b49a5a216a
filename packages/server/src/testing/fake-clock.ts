import type { Clock, Timer } from "../base/clock.js";

interface Waiting {
  due: number;
  readonly call: () => void;
  readonly everyMs: number | null;
}

/** A clock that stands still until it is told to go on. Turns of the event loop stay real. */
export class FakeClock implements Clock {
  #now: number;
  readonly #start: number;
  readonly #waiting = new Set<Waiting>();
  #setBackMs = 0;

  constructor(now = Date.UTC(2026, 0, 1)) {
    this.#now = now;
    this.#start = now;
  }

  now(): number {
    return this.#now - this.#setBackMs;
  }

  monotonic(): number {
    return this.#now - this.#start;
  }

  after(ms: number, call: () => void): Timer {
    return this.#add({ due: this.#now + ms, call, everyMs: null });
  }

  every(ms: number, call: () => void): Timer {
    return this.#add({ due: this.#now + ms, call, everyMs: ms });
  }

  endOfTurn(call: () => void): void {
    setImmediate(call);
  }

  /** How many timers wait. */
  get timers(): number {
    return this.#waiting.size;
  }

  /** Sets the time of day back, or forward; no time passes. */
  setBack(ms: number): void {
    this.#setBackMs += ms;
  }

  /** Lets time pass, calling what falls due, in order. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const next = this.#next();
      if (!next || next.due > end) break;
      this.#now = Math.max(this.#now, next.due);
      if (next.everyMs === null) this.#waiting.delete(next);
      else next.due += next.everyMs;
      next.call();
    }
    this.#now = end;
  }

  /** Lets time pass in steps, with a few real turns of the event loop after each, so that answers can come in. */
  async forward(ms: number, stepMs = ms): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      this.advance(Math.min(stepMs, left));
      await turns(3);
    }
  }

  #add(waiting: Waiting): Timer {
    this.#waiting.add(waiting);
    return { cancel: () => void this.#waiting.delete(waiting) };
  }

  #next(): Waiting | undefined {
    let next: Waiting | undefined;
    for (const waiting of this.#waiting) if (!next || waiting.due < next.due) next = waiting;
    return next;
  }
}

/** Lets the event loop turn so many times. */
export async function turns(count = 1): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise<void>((done) => setImmediate(done));
}
