/**
 * A table whose entries expire, with a bound: over it, those go first that would expire first, and one owner has a part of it only. Like
 * `ExpiringMap`, on the disk.
 */
import { numberKey, numberOfKey } from "./codec.js";
import { OwnerTable, tagIn, tagOf } from "./owner-table.js";
import { type Key, type Table, unlessDamaged } from "./store/table.js";

const TIME_BYTES = 6;
/** The value of entries that say everything in their key. */
const NOTHING = Buffer.alloc(1);

export interface ExpiringTables {
  readonly entries: Table;
  readonly order: Table;
  readonly owners: Table;
}

export class ExpiringTable {
  /** When it expires, then the value. */
  readonly #entries: Table;
  /** By when they expire: the time, then the key. The value is the tag of the owner, where there is one. */
  readonly #order: Table;
  /** Places in the order, by owner. */
  readonly #owners: OwnerTable;
  readonly #maxEntries: number;
  /** How often something was set since the last commit began, and how many entries more there are since then. */
  #sets = 0;
  #added = 0;

  constructor({ entries, order, owners }: ExpiringTables, maxEntries: number) {
    this.#entries = entries;
    this.#order = order;
    this.#owners = new OwnerTable(owners, maxEntries);
    this.#maxEntries = maxEntries;
  }

  /** Entries on the disk, including expired ones that no look-up has found yet. */
  get size(): number {
    return this.#entries.size;
  }

  isPending(key: Key): boolean {
    return this.#entries.isPending(key);
  }

  /** Replaces what was there. @param expiresAt by the store's time @param owner whose it is; left out where no owner is bounded */
  set(key: Key, value: Buffer, expiresAt: number, owner?: string): void {
    this.#set(key, value, expiresAt, tagOf(owner));
  }

  /** Keeps what is there until another time; it stays its owner's. A record that cannot be read counts as missing. */
  renew(key: Key, at: number, expiresAt: number): boolean {
    const value = unlessDamaged(() => this.get(key, at));
    const time = value && this.#timeOf(key);
    if (!time) return false;
    this.#set(key, value, expiresAt, tagIn(this.#order.getIntact(time + key)));
    return true;
  }

  #set(key: Key, value: Buffer, expiresAt: number, tag: Key): void {
    this.delete(key);
    const time = numberKey(Math.ceil(expiresAt));
    this.#entries.put(key, Buffer.concat([Buffer.from(time, "latin1"), value]));
    this.#order.put(time + key, tag ? Buffer.from(tag, "latin1") : NOTHING);
    this.#owners.add(tag, time + key);
    this.#sets++;
    this.#added++;
  }

  /** @throws DamagedError */
  get(key: Key, at: number): Buffer | null {
    const entry = this.#entries.get(key);
    return entry && expiryOf(entry) > at ? entry.subarray(TIME_BYTES) : null;
  }

  delete(key: Key): void {
    if (this.#entries.lengthOf(key) === null) return;
    const time = this.#timeOf(key);
    this.#entries.remove(key);
    this.#added--;
    if (time === null) return;
    this.#owners.remove(tagIn(this.#order.getIntact(time + key)), time + key);
    this.#order.remove(time + key);
  }

  /** A commit begins: what it adds must not go over the bound. */
  committing(at: number): void {
    for (const [tag, place] of this.#owners.tooMany()) this.#removeAt(place, tag);
    this.trim(at, 2 * this.#sets);
    this.#sets = 0;
    this.#added = 0;
  }

  /** Removes what has expired or is too much, but no more than this many entries. */
  trim(at: number, atMost: number): void {
    let left = atMost;
    if (left <= 0) return;
    let tooMany = this.size + this.#added - this.#maxEntries;
    for (const [place, tag] of this.#order.entries()) {
      if (left-- <= 0 || (numberOfKey(place) > at && tooMany <= 0)) return;
      tooMany--;
      this.#removeAt(place, tagIn(tag));
    }
  }

  #removeAt(place: Key, tag: Key): void {
    const name = place.slice(TIME_BYTES);
    const time = this.#timeOf(name);
    // One that was damaged and set again lies there twice.
    if (time === null || time === place.slice(0, TIME_BYTES)) this.delete(name);
    this.#order.remove(place);
    this.#owners.remove(tag, place);
  }

  /** When it expires, as it stands in the order; `null` when that cannot be read. */
  #timeOf(key: Key): Key | null {
    return this.#entries.getIntact(key)?.toString("latin1", 0, TIME_BYTES) ?? null;
  }
}

function expiryOf(entry: Buffer): number {
  return entry.readUIntBE(0, TIME_BYTES);
}
