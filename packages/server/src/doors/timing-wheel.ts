/** Looks after any number of connections with one timer: each is looked at when its time comes, to the second. */
import type { Clock, Timer } from "../clock.js";

const SLOT_MS = 1000;
const SLOTS = 128;

export interface Watched {
  /** Answers with the milliseconds until it wants to be looked at again, or `null` when never. */
  check(now: number): number | null;
}

export class TimingWheel {
  readonly #slots: Watched[][] = Array.from({ length: SLOTS }, () => []);
  readonly #clock: Clock;
  readonly #timer: Timer;
  #slot = 0;
  /** Monotonic milliseconds at the last tick: good to a second, and costs nothing to read. */
  now: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.now = clock.monotonic();
    this.#timer = clock.every(SLOT_MS, () => this.#tick());
  }

  /** Looks at it after so many milliseconds, rounded up to the second; at most two minutes at once. */
  add(watched: Watched, afterMs: number): void {
    const slots = Math.min(SLOTS - 1, Math.max(1, Math.ceil(afterMs / SLOT_MS)));
    this.#slots[(this.#slot + slots) % SLOTS]?.push(watched);
  }

  stop(): void {
    this.#timer.cancel();
  }

  #tick(): void {
    this.now = this.#clock.monotonic();
    this.#slot = (this.#slot + 1) % SLOTS;
    const due = this.#slots[this.#slot] ?? [];
    this.#slots[this.#slot] = [];
    for (const watched of due) {
      const afterMs = watched.check(this.now);
      if (afterMs !== null) this.add(watched, afterMs);
    }
  }
}
