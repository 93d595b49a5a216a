/** A clock that stands still until a test moves it. */
import type { ClientClock } from "../client-options.js";

interface Timer {
  readonly due: number;
  readonly call: () => void;
}

export class FakeClock implements ClientClock {
  #now = Date.UTC(2026, 0, 1);
  #setMs = 0;
  readonly #timers = new Set<Timer>();

  now(): number {
    return this.#now + this.#setMs;
  }

  monotonic(): number {
    return this.#now;
  }

  /** Somebody sets the time of day; no time passes. */
  set(byMs: number): void {
    this.#setMs += byMs;
  }

  after(ms: number, call: () => void): () => void {
    const timer = { due: this.#now + ms, call };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** Timers that have not fired. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Lets time pass; each timer fires when it is due. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (let next = this.#next(); next && next.due <= end; next = this.#next()) {
      this.#now = Math.max(this.#now, next.due);
      this.#fire(next);
    }
    this.#now = end;
  }

  /** The machine sleeps, or is busy: what was due in the meantime fires at the end, late. */
  sleep(ms: number): void {
    this.#now += ms;
    for (const timer of [...this.#timers]) if (timer.due <= this.#now) this.#fire(timer);
  }

  #next(): Timer | undefined {
    return [...this.#timers].sort((a, b) => a.due - b.due)[0];
  }

  #fire(timer: Timer): void {
    if (this.#timers.delete(timer)) timer.call();
  }
}
