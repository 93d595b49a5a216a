/**
 * A sorted table of bytes in the store. What was put, but is not on the disk yet, lies on top of what is: whoever decides
 * something looks at both (`get`, `entries`), whoever answers a client only at what is on the disk (`stored`).
 */
import type { Database } from "lmdb";

/** Keys are texts of which each character is one byte, so that they compare in JavaScript as they do in the store. */
export type Key = string;
/** `null` stands for what is to be removed. */
type Changes = Map<Key, Buffer | null>;
export type Bytes = Database<Buffer, Buffer>;

/** Bytes of an entry beyond its key and value: its header and its pointer in a page. */
const ENTRY_OVERHEAD = 10;

export class Table {
  readonly #bytes: Bytes;
  /** Called with the bytes of each change. */
  readonly #changed: (bytes: number) => void;
  /** What the next commit will write. */
  #pending: Changes = new Map();
  /** What the commit that is under way writes. */
  #writing: Changes = new Map();

  constructor(bytes: Bytes, changed: (bytes: number) => void) {
    this.#bytes = bytes;
    this.#changed = changed;
  }

  /** How many entries are on the disk. */
  get size(): number {
    return (this.#bytes.getStats() as { readonly entryCount: number }).entryCount;
  }

  get(key: Key): Buffer | null {
    const change = this.#change(key);
    return change === undefined ? this.stored(key) : change;
  }

  /** Is there a change of this entry that is not on the disk yet? */
  isPending(key: Key): boolean {
    return this.#change(key) !== undefined;
  }

  /** What is on the disk. */
  stored(key: Key): Buffer | null {
    return this.#bytes.get(bytesOf(key)) ?? null;
  }

  put(key: Key, value: Buffer): void {
    this.#pending.set(key, value);
    this.#changed(key.length + value.length + ENTRY_OVERHEAD);
  }

  remove(key: Key): void {
    this.#pending.set(key, null);
    this.#changed(key.length + ENTRY_OVERHEAD);
  }

  /** What is on the disk, in order: from a key on, up to another, both included. To be walked in one go. */
  *storedFrom(from: Key, to?: Key): Generator<[Key, Buffer]> {
    const range = this.#bytes.getRange({ start: bytesOf(from) });
    for (const { key, value } of range) {
      const name = key.toString("latin1");
      if (to !== undefined && name > to) return;
      yield [name, value];
    }
  }

  /** Everything in order, with the changes. Changes made on the way may be met or not. To be walked in one go. */
  *entries(): Generator<[Key, Buffer]> {
    const added = [...new Set([...this.#writing.keys(), ...this.#pending.keys()])].sort();
    let next = 0;
    for (const [key, value] of this.storedFrom("")) {
      for (; (added[next] ?? key) < key; next++) yield* this.#entry(added[next]);
      if (!this.isPending(key)) yield [key, value];
    }
    for (; next < added.length; next++) yield* this.#entry(added[next]);
  }

  // ---- for the store

  get isChanged(): boolean {
    return this.#pending.size > 0;
  }

  /** Hands what is pending over to the commit that begins, within its transaction. */
  write(): void {
    this.#writing = this.#pending;
    this.#pending = new Map();
    for (const [key, value] of this.#writing) {
      if (value === null) void this.#bytes.remove(bytesOf(key));
      else void this.#bytes.put(bytesOf(key), value);
    }
  }

  /** What was handed over is on the disk. */
  written(): void {
    this.#writing = new Map();
  }

  /** Nothing of what was not on the disk will ever be. */
  forgetChanges(): void {
    this.#writing = new Map();
    this.#pending = new Map();
  }

  #change(key: Key): Buffer | null | undefined {
    const pending = this.#pending.get(key);
    return pending === undefined ? this.#writing.get(key) : pending;
  }

  *#entry(key: Key | undefined): Generator<[Key, Buffer]> {
    const value = key === undefined ? null : this.get(key);
    if (key !== undefined && value !== null) yield [key, value];
  }
}

function bytesOf(key: Key): Buffer {
  return Buffer.from(key, "latin1");
}
