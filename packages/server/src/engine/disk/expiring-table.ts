/** A table whose entries expire, with a bound: over it, those go first that would expire first. Like `ExpiringMap`, on the disk. */
import { numberKey, numberOfKey } from "./codec.js";
import type { Key, Table } from "./table.js";

const TIME_BYTES = 6;
/** The value of entries that say everything in their key. */
const NOTHING = Buffer.alloc(1);

export class ExpiringTable {
  /** When it expires, then the value. */
  readonly #entries: Table;
  /** Keys of entries, by when they expire: the time, then the key. */
  readonly #order: Table;
  readonly #maxEntries: number;
  /** How often something was set since the last commit began, and how many entries more there are since then. */
  #sets = 0;
  #added = 0;

  constructor(entries: Table, order: Table, maxEntries: number) {
    this.#entries = entries;
    this.#order = order;
    this.#maxEntries = maxEntries;
  }

  /** Entries on the disk, including expired ones that nobody has come across yet. */
  get size(): number {
    return this.#entries.size;
  }

  isPending(key: Key): boolean {
    return this.#entries.isPending(key);
  }

  /** Replaces what was there. @param expiresAt by the store's time */
  set(key: Key, value: Buffer, expiresAt: number): void {
    this.delete(key);
    const time = numberKey(Math.ceil(expiresAt));
    this.#entries.put(key, Buffer.concat([Buffer.from(time, "latin1"), value]));
    this.#order.put(time + key, NOTHING);
    this.#sets++;
    this.#added++;
  }

  get(key: Key, at: number): Buffer | null {
    const entry = this.#entries.get(key);
    return entry && expiryOf(entry) > at ? entry.subarray(TIME_BYTES) : null;
  }

  delete(key: Key): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.remove(key);
    this.#order.remove(entry.toString("latin1", 0, TIME_BYTES) + key);
    this.#added--;
  }

  /** A commit begins: what it adds must not go over the bound. */
  committing(at: number): void {
    this.trim(at, 2 * this.#sets);
    this.#sets = 0;
    this.#added = 0;
  }

  /** Removes what has expired or is too much, but no more than so many entries. */
  trim(at: number, atMost: number): void {
    let left = atMost;
    if (left <= 0) return;
    let tooMany = this.size + this.#added - this.#maxEntries;
    for (const [key] of this.#order.entries()) {
      if (left-- <= 0 || (numberOfKey(key) > at && tooMany <= 0)) return;
      tooMany--;
      this.delete(key.slice(TIME_BYTES));
    }
  }
}

function expiryOf(entry: Buffer): number {
  return entry.readUIntBE(0, TIME_BYTES);
}
