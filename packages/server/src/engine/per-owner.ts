/**
 * Which entries of a bounded collection are whose. One owner has at most a part of it: beyond that their own oldest entry makes room, never
 * that of another. Knows nothing of what the entries are; entries without an owner are not bounded here.
 */

/** The bounds of an owner for all that an engine remembers for a while: idempotency keys, sessions, stubs. */
const OWNER_PART = 1 / 4;

/** How many of this many entries one owner may have. */
export function partOf(maxEntries: number): number {
  return Math.ceil(maxEntries * OWNER_PART);
}

/** An entry, linked to those of the same owner in the order in which they came. */
export interface Linked<Entry> {
  list: OwnList<Entry> | null;
  older: Entry | null;
  newer: Entry | null;
}

/** The entries of one owner. */
export interface OwnList<Entry> {
  readonly owner: string;
  oldest: Entry | null;
  newest: Entry | null;
  count: number;
  /** The bytes that they take together, where they are counted. */
  bytes: number;
}

export class PerOwner<Entry extends Linked<Entry>> {
  readonly #most: number;
  readonly #lists = new Map<string, OwnList<Entry>>();

  /** @param maxEntries of all owners together */
  constructor(maxEntries: number) {
    this.#most = partOf(maxEntries);
  }

  /** Owners who have an entry. */
  get size(): number {
    return this.#lists.size;
  }

  /** Takes up a new entry. @returns the one that has to go for it: it may be the entry itself */
  add(entry: Entry, owner: string): Entry | null {
    let list = this.#lists.get(owner);
    if (!list) {
      list = { owner, oldest: null, newest: null, count: 0, bytes: 0 };
      this.#lists.set(owner, list);
    }
    entry.list = list;
    entry.older = list.newest;
    if (list.newest) list.newest.newer = entry;
    else list.oldest = entry;
    list.newest = entry;
    return ++list.count > this.#most ? list.oldest : null;
  }

  /** The entry becomes the newest of its owner. */
  renew(entry: Entry): void {
    const { list, older, newer } = entry;
    if (!list || !newer) return;
    newer.older = older;
    if (older) older.newer = newer;
    else list.oldest = newer;
    entry.older = list.newest;
    entry.newer = null;
    if (list.newest) list.newest.newer = entry;
    list.newest = entry;
  }

  /** The entry is gone. */
  remove(entry: Entry): void {
    const { list, older, newer } = entry;
    if (!list) return;
    if (older) older.newer = newer;
    else list.oldest = newer;
    if (newer) newer.older = older;
    else list.newest = older;
    entry.list = null;
    entry.older = null;
    entry.newer = null;
    if (--list.count === 0) this.#lists.delete(list.owner);
  }

  clear(): void {
    this.#lists.clear();
  }
}
