/**
 * Lets others come between: work that may take long is done a few milliseconds in each turn of the event loop, for any caller
 * and however many ask at once. Waiting callers are served in turn.
 */
import type { Clock } from "./clock.js";

/** In one turn of the event loop work goes on for this long after the first piece began, and then as long as the piece under way. */
const SLICE_MS = 4;

/** Does one piece. @returns whether that was the last */
type Step = () => boolean;

export class Slices {
  readonly #clock: Clock;
  /** Steps that wait for their turn or are not done yet. */
  readonly #waiting: Step[] = [];
  /** When the first piece of this turn began, by the monotonic clock; `null` when there was none. */
  #began: number | null = null;
  #isTurnAwaited = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Does a piece of work that cannot be cut: at once where there is time left in this turn. Rejects with what it throws. For work that has
   * to wait in between, such as for the engine, each step is a piece: what the steps do after their waits counts, too.
   */
  run<Result>(work: () => Result | Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#add(() => {
        try {
          resolve(work());
        } catch (error) {
          reject(error);
        }
        return true;
      });
    });
  }

  /** Does something with each item, in order. Items that come or go meanwhile may be met or not. Rejects with what is thrown. */
  each<Item>(items: Iterable<Item>, work: (item: Item, index: number) => void): Promise<void> {
    const iterator = items[Symbol.iterator]();
    let index = 0;
    return new Promise((resolve, reject) => {
      this.#add(() => {
        try {
          const next = iterator.next();
          if (!next.done) {
            work(next.value, index++);
            return false;
          }
          resolve();
        } catch (error) {
          reject(error);
        }
        return true;
      });
    });
  }

  #add(step: Step): void {
    this.#waiting.push(step);
    if (this.#waiting.length === 1 && !this.#isOver()) this.#work();
  }

  #work(): void {
    this.#began ??= this.#clock.monotonic();
    for (;;) {
      const step = this.#waiting[0];
      if (!step) break;
      let isDone = step();
      while (!isDone && !this.#isOver()) isDone = step();
      this.#waiting.shift();
      if (!isDone) this.#waiting.push(step);
      if (this.#isOver()) break;
    }
    this.#awaitTurn();
  }

  #isOver(): boolean {
    return this.#began !== null && this.#clock.monotonic() - this.#began >= SLICE_MS;
  }

  #awaitTurn(): void {
    if (this.#isTurnAwaited) return;
    this.#isTurnAwaited = true;
    this.#clock.endOfTurn(() => {
      this.#isTurnAwaited = false;
      this.#began = null;
      if (this.#waiting.length > 0) this.#work();
    });
  }
}
