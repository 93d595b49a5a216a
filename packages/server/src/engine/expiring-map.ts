/**
 * A bounded map whose entries expire. Over the bound, those go first that would expire first, and one owner has a part of it only. A
 * binary heap keeps the order of expiry, so that times to live may differ. Has no clock: each call says what time it is.
 */
import { type Linked, PerOwner } from "./per-owner.js";

interface Entry<Value> extends Linked<Entry<Value>> {
  readonly key: string;
  readonly value: Value;
  readonly expiresAt: number;
  /** Counts entries, so that of two that expire together the older goes first. */
  readonly order: number;
  /** Its place in the heap. */
  index: number;
}

export class ExpiringMap<Value> {
  readonly #maxEntries: number;
  readonly #entries = new Map<string, Entry<Value>>();
  readonly #heap: Entry<Value>[] = [];
  readonly #perOwner: PerOwner<Entry<Value>>;
  #order = 0;

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
    this.#perOwner = new PerOwner(maxEntries);
  }

  /** Entries, including expired ones that no look-up has found yet. */
  get size(): number {
    return this.#heap.length;
  }

  /** Owners who have an entry. */
  get owners(): number {
    return this.#perOwner.size;
  }

  /** Replaces what was there. @param owner whose it is; left out where no owner is bounded */
  set(key: string, value: Value, expiresAt: number, owner?: string): void {
    const replaced = this.#entries.get(key);
    if (replaced) this.#remove(replaced);
    const index = this.#heap.length;
    const order = this.#order++;
    const entry: Entry<Value> = { key, value, expiresAt, order, index, list: null, older: null, newer: null };
    this.#entries.set(key, entry);
    this.#heap.push(entry);
    this.#rise(entry);
    const tooOld = owner === undefined ? null : this.#perOwner.add(entry, owner);
    if (tooOld) this.#remove(tooOld);
    const soonest = this.#heap[0];
    if (soonest && this.#heap.length > this.#maxEntries) this.#remove(soonest);
  }

  get(key: string, at: number): Value | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    if (entry.expiresAt > at) return entry.value;
    this.#remove(entry);
    return undefined;
  }

  /** Keeps what is there until another time; it stays its owner's. */
  renew(key: string, at: number, expiresAt: number): boolean {
    const value = this.get(key, at);
    if (value === undefined) return false;
    this.set(key, value, expiresAt, this.#entries.get(key)?.list?.owner);
    return true;
  }

  /** Answers with the value and removes it. */
  take(key: string, at: number): Value | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    this.#remove(entry);
    return entry.expiresAt > at ? entry.value : undefined;
  }

  /** Removes what has expired, but no more than this many entries at once. */
  expire(at: number, atMost: number): void {
    for (let left = atMost; left > 0; left--) {
      const soonest = this.#heap[0];
      if (!soonest || soonest.expiresAt > at) return;
      this.#remove(soonest);
    }
  }

  clear(): void {
    this.#entries.clear();
    this.#heap.length = 0;
    this.#perOwner.clear();
  }

  #remove(entry: Entry<Value>): void {
    this.#entries.delete(entry.key);
    this.#perOwner.remove(entry);
    const last = this.#heap.pop();
    if (!last || last === entry) return;
    this.#place(last, entry.index);
    this.#rise(last);
    this.#sink(last);
  }

  #rise(entry: Entry<Value>): void {
    while (entry.index > 0) {
      const parent = this.#heap[(entry.index - 1) >> 1];
      if (!parent || isSooner(parent, entry)) return;
      this.#swap(parent, entry);
    }
  }

  #sink(entry: Entry<Value>): void {
    for (;;) {
      const left = this.#heap[entry.index * 2 + 1];
      const right = this.#heap[entry.index * 2 + 2];
      const child = left && right && isSooner(right, left) ? right : left;
      if (!child || isSooner(entry, child)) return;
      this.#swap(entry, child);
    }
  }

  #swap(above: Entry<Value>, below: Entry<Value>): void {
    const { index } = above;
    this.#place(above, below.index);
    this.#place(below, index);
  }

  #place(entry: Entry<Value>, index: number): void {
    entry.index = index;
    this.#heap[index] = entry;
  }
}

function isSooner(a: Entry<unknown>, b: Entry<unknown>): boolean {
  return a.expiresAt < b.expiresAt || (a.expiresAt === b.expiresAt && a.order < b.order);
}
