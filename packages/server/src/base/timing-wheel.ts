/** Looks after any number of connections with one timer: each is looked at when its time comes, to the second. */
import type { Clock, Timer } from "./clock.js";
import type { Failing } from "./failures.js";

const SLOT_MS = 1000;
const SLOTS = 128;
/** The longest time that one tick counts, however late it comes. */
const LONGEST_TICK_MS = 2 * SLOT_MS;

/** `failedInside` is told what `check` threw, which is not called again. */
export interface Watched extends Failing {
  /** Answers with the milliseconds until it wants to be looked at again, or `null` when never. */
  check(now: number): number | null;
}

export class TimingWheel {
  readonly #slots: Watched[][] = Array.from({ length: SLOTS }, () => []);
  readonly #clock: Clock;
  readonly #timer: Timer;
  #slot = 0;
  /** The clock's monotonic milliseconds at the last tick. */
  #ticked: number;
  /**
   * Whole milliseconds at the last tick: good to a second, and costs nothing to read or, being no fraction, to keep. Time in which the process was stopped, or
   * too busy to tick, is not in it: no client was listened to meanwhile, so it must not count as silence.
   */
  now = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#ticked = clock.monotonic();
    this.#timer = clock.every(SLOT_MS, () => this.#tick());
  }

  /** The same as `now`, to the millisecond. */
  exactly(): number {
    return this.now + this.#sinceTick();
  }

  /** Looks at it after this many milliseconds, rounded up to the second; at most two minutes at once. */
  add(watched: Watched, afterMs: number): void {
    const slots = Math.min(SLOTS - 1, Math.max(1, Math.ceil(afterMs / SLOT_MS)));
    this.#slots[(this.#slot + slots) % SLOTS]?.push(watched);
  }

  stop(): void {
    this.#timer.cancel();
  }

  #tick(): void {
    this.now += this.#sinceTick();
    this.#ticked = this.#clock.monotonic();
    this.#slot = (this.#slot + 1) % SLOTS;
    const due = this.#slots[this.#slot] ?? [];
    this.#slots[this.#slot] = [];
    for (const watched of due) {
      try {
        const afterMs = watched.check(this.now);
        if (afterMs !== null) this.add(watched, afterMs);
      } catch (error) {
        watched.failedInside(error);
      }
    }
  }

  #sinceTick(): number {
    return Math.min(Math.round(this.#clock.monotonic() - this.#ticked), LONGEST_TICK_MS);
  }
}
