/** Calls when the time of each of many things has come, with one timer for all of them: a binary heap, the earliest on top. */
import type { Clock, Timer } from "../base/clock.js";

/** Timers cannot be set for longer than 2^31 − 1 ms. */
const LONGEST_WAIT_MS = 3_600_000;

interface Entry<Key> {
  readonly key: Key;
  /** Milliseconds of the monotonic clock. */
  due: number;
  /** Where it is in the heap. */
  index: number;
}

export class Deadlines<Key> {
  readonly #clock: Clock;
  readonly #call: (key: Key) => void;
  readonly #entries = new Map<Key, Entry<Key>>();
  readonly #heap: Entry<Key>[] = [];
  #timer: Timer | null = null;
  /** When the timer goes off. */
  #wakesAt = Number.POSITIVE_INFINITY;

  /** @param call is given what is due, which has no deadline any more by then */
  constructor(clock: Clock, call: (key: Key) => void) {
    this.#clock = clock;
    this.#call = call;
  }

  get size(): number {
    return this.#heap.length;
  }

  /** Calls after this many milliseconds, in place of the deadline that it had. */
  set(key: Key, afterMs: number): void {
    const due = this.#clock.monotonic() + afterMs;
    const known = this.#entries.get(key);
    const entry = known ?? { key, due, index: this.#heap.length };
    entry.due = due;
    if (!known) {
      this.#entries.set(key, entry);
      this.#heap.push(entry);
    }
    this.#settle(entry);
    this.#arm();
  }

  delete(key: Key): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    const last = this.#heap.pop();
    if (!last || last === entry) return;
    this.#put(last, entry.index);
    this.#settle(last);
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#entries.clear();
    this.#heap.length = 0;
  }

  #arm(): void {
    const [earliest] = this.#heap;
    if (!earliest || earliest.due >= this.#wakesAt) return;
    this.#timer?.cancel();
    const waitMs = Math.min(Math.max(earliest.due - this.#clock.monotonic(), 0), LONGEST_WAIT_MS);
    this.#wakesAt = this.#clock.monotonic() + waitMs;
    this.#timer = this.#clock.after(waitMs, () => this.#wake());
  }

  #wake(): void {
    this.#wakesAt = Number.POSITIVE_INFINITY;
    const now = this.#clock.monotonic();
    try {
      for (let [earliest] = this.#heap; earliest && earliest.due <= now; [earliest] = this.#heap) {
        this.delete(earliest.key);
        this.#call(earliest.key);
      }
    } finally {
      // All that is due goes on at once, even where one of the calls threw.
      this.#arm();
    }
  }

  /** Moves an entry up or down until it is in its place. */
  #settle(entry: Entry<Key>): void {
    for (;;) {
      const parent = this.#heap[(entry.index - 1) >> 1];
      if (!parent || entry.index === 0 || parent.due <= entry.due) break;
      this.#swap(entry, parent);
    }
    for (;;) {
      const left = this.#heap[2 * entry.index + 1];
      const right = this.#heap[2 * entry.index + 2];
      const child = right && left && right.due < left.due ? right : left;
      if (!child || child.due >= entry.due) return;
      this.#swap(child, entry);
    }
  }

  #swap(a: Entry<Key>, b: Entry<Key>): void {
    const { index } = a;
    this.#put(a, b.index);
    this.#put(b, index);
  }

  #put(entry: Entry<Key>, index: number): void {
    entry.index = index;
    this.#heap[index] = entry;
  }
}
