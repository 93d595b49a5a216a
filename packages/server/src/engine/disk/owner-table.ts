/**
 * Which entries of a bounded table are whose: as `PerOwner`, on the disk. It has a count for each owner, and the places of the owner's
 * entries in order. Does not touch the entries themselves.
 */
import { hash } from "node:crypto";
import { partOf } from "../per-owner.js";
import { numberKey, numberOfKey } from "./codec.js";
import type { Key, Table } from "./store/table.js";

/** The key of an owner: the beginning of a digest. */
export const TAG_BYTES = 12;
/** Stands for an owner without a bound. */
export const NOBODY = "";
const NOTHING = Buffer.alloc(1);

export function tagOf(owner: string | null | undefined): Key {
  return owner == null ? NOBODY : hash("sha256", owner, "binary").slice(0, TAG_BYTES);
}

/** @param bytes what stands in a record where a tag is expected */
export function tagIn(bytes: Buffer | null): Key {
  return bytes?.length === TAG_BYTES ? bytes.toString("latin1") : NOBODY;
}

export class OwnerTable {
  /** By tag: the count. By tag and place: nothing. */
  readonly #table: Table;
  readonly #most: number;
  /** The owners that may have too many. */
  readonly #full = new Set<Key>();

  /** @param maxEntries of all owners together */
  constructor(table: Table, maxEntries: number) {
    this.#table = table;
    this.#most = partOf(maxEntries);
  }

  /** An owner has an entry more. @param place sorts those of one owner: the first is the first that has to go */
  add(tag: Key, place: Key): void {
    if (tag === NOBODY) return;
    this.#table.put(tag + place, NOTHING);
    const count = this.#count(tag) + 1;
    this.#set(tag, count);
    if (count > this.#most) this.#full.add(tag);
  }

  /** The entry is gone. Does nothing where it was not there. */
  remove(tag: Key, place: Key): void {
    if (tag === NOBODY || this.#table.lengthOf(tag + place) === null) return;
    this.#table.remove(tag + place);
    this.#set(tag, this.#count(tag) - 1);
  }

  /**
   * The entries that have to go, since their owner has too many. Those that are not on the disk yet have to wait for the next call. To be
   * walked in one go; each is to be removed before the next is asked for.
   */
  *tooMany(): Generator<[Key, place: Key]> {
    for (const tag of this.#full) {
      let extra = this.#count(tag) - this.#most;
      if (extra <= 0) this.#full.delete(tag);
      for (const [key] of extra > 0 ? this.#table.storedFrom(tag) : []) {
        if (extra <= 0 || !key.startsWith(tag)) break;
        if (key === tag || this.#table.isPending(key)) continue;
        extra--;
        yield [tag, key.slice(TAG_BYTES)];
      }
    }
  }

  /** Whose count is damaged begins to count anew. */
  #count(tag: Key): number {
    const bytes = this.#table.getIntact(tag);
    return bytes ? numberOfKey(bytes.toString("latin1")) : 0;
  }

  #set(tag: Key, count: number): void {
    if (count > 0) this.#table.put(tag, Buffer.from(numberKey(count), "latin1"));
    else this.#table.remove(tag);
  }
}
