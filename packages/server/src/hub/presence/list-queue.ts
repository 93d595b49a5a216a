/**
 * Lists of members are long, and after a storm many want one at once. So a node gives out this many bytes of them a second,
 * in the order
 * in which they were wanted; what else it has to say does not wait for them.
 */
import type { Clock } from "../../base/clock.js";

const BYTES_PER_SECOND = 8 * 1024 * 1024;
/** A list costs as much as this many bytes, however short it is. */
const LEAST_BYTES = 256;
const EVERY_MS = 50;

/** A subscription that wants a list. */
export interface ListReader {
  /** How long it would be. */
  readonly listBytes: number;
  read(): void;
}

export class ListQueue {
  readonly #clock: Clock;
  readonly #waiting = new Set<ListReader>();
  /** How many bytes may be given out now; below 0 when the last list was longer. */
  #allowed = BYTES_PER_SECOND;
  #countedAt: number;
  #running = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#countedAt = clock.monotonic();
  }

  add(reader: ListReader): void {
    this.#waiting.add(reader);
    this.#schedule(0);
  }

  delete(reader: ListReader): void {
    this.#waiting.delete(reader);
  }

  clear(): void {
    this.#waiting.clear();
  }

  #schedule(ms: number): void {
    if (this.#running) return;
    this.#running = true;
    if (ms === 0) this.#clock.endOfTurn(() => this.#run());
    else this.#clock.after(ms, () => this.#run());
  }

  #run(): void {
    this.#running = false;
    const now = this.#clock.monotonic();
    const earned = ((now - this.#countedAt) / 1000) * BYTES_PER_SECOND;
    this.#countedAt = now;
    this.#allowed = Math.min(BYTES_PER_SECOND, this.#allowed + earned);
    /** Bytes of one turn, so that messages get through in between. */
    let turn = (BYTES_PER_SECOND * EVERY_MS) / 1000;
    try {
      for (const reader of this.#waiting) {
        if (this.#allowed <= 0 || turn <= 0) break;
        this.#waiting.delete(reader);
        const bytes = Math.max(LEAST_BYTES, reader.listBytes);
        this.#allowed -= bytes;
        turn -= bytes;
        reader.read();
      }
    } finally {
      // The others go on, even where one reader threw.
      if (this.#waiting.size > 0) this.#schedule(EVERY_MS);
    }
  }
}
