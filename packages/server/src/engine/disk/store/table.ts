/**
 * A sorted table of bytes in the store. What was put, but is not on the disk yet, lies on top of what is: a decision looks
 * at both (`get`, `entries`), an answer to a client only at what is on the disk (`stored`). What the disk has
 * changed is never given to anybody.
 */
import type { Database } from "lmdb";
import { DamagedError } from "../../damaged.js";
import { CHECK_BYTES, checked, intact } from "./checked.js";
import { pagesOf, type TreeStats } from "./free-pages.js";

/** Keys are texts of which each character is one byte, so that they compare in JavaScript as they do in the store. */
export type Key = string;
/** A value to be written. `record` is the form in which it lies in the store, where that has been made already. */
interface Put {
  readonly value: Buffer;
  readonly record: Buffer | null;
}
/** `null` stands for what is to be removed. */
type Changes = Map<Key, Put | null>;
export type Bytes = Database<Buffer, Buffer>;

/** The events of a table. */
export interface TableOwner {
  /** Something was changed: this many bytes. */
  changed(bytes: number, isRemoval: boolean): void;
  /** A record is not what was written. */
  damaged(table: string, key: Key): void;
}

/** The records of larger values are made when they are put: a commit that made many of them would keep everybody waiting. */
const MADE_WHEN_PUT_BYTES = 1024;
/** Bytes of an entry beyond its key and value: its header, its pointer in a page and its checksum. */
const ENTRY_OVERHEAD = 10 + CHECK_BYTES;
/** LMDB's own errors are below this: a page that cannot be what it should be is one of them. */
const LMDB_ERRORS = -30_700;

export class Table {
  readonly name: string;
  readonly #bytes: Bytes;
  readonly #owner: TableOwner;
  /** The changes that the next commit will write. */
  #pending: Changes = new Map();
  /** The changes that the commit under way writes. */
  #writing: Changes = new Map();

  constructor(name: string, bytes: Bytes, owner: TableOwner) {
    this.name = name;
    this.#bytes = bytes;
    this.#owner = owner;
  }

  /** How many entries are on the disk. */
  get size(): number {
    return (this.#bytes.getStats() as { readonly entryCount: number }).entryCount;
  }

  /** How many pages of the file they take. */
  get pages(): number {
    return pagesOf(this.#bytes.getStats() as TreeStats);
  }

  /** @throws DamagedError */
  get(key: Key): Buffer | null {
    const change = this.#change(key);
    return change === undefined ? this.stored(key) : (change?.value ?? null);
  }

  /** As `get`, but what is damaged is told to the log and taken for what is not there. */
  getIntact(key: Key): Buffer | null {
    return unlessDamaged(() => this.get(key));
  }

  /** Bytes of the value, damaged or not; `null` when there is none. @throws DamagedError when that cannot be seen */
  lengthOf(key: Key): number | null {
    const change = this.#change(key);
    if (change !== undefined) return change === null ? null : change.value.length;
    const record = this.#record(key, bytesOf(key));
    return record && Math.max(0, record.length - CHECK_BYTES);
  }

  /** Is there a change of this entry that is not on the disk yet? */
  isPending(key: Key): boolean {
    return this.#change(key) !== undefined;
  }

  /** What is on the disk. @throws DamagedError */
  stored(key: Key): Buffer | null {
    const bytes = bytesOf(key);
    const record = this.#record(key, bytes);
    if (record === null) return null;
    return intact(bytes, record) ?? this.#damaged(key);
  }

  put(key: Key, value: Buffer): void {
    const record = value.length < MADE_WHEN_PUT_BYTES ? null : checked(bytesOf(key), value);
    // Kept once: the record has the value in it.
    this.#pending.set(key, { value: record?.subarray(0, value.length) ?? value, record });
    this.#owner.changed(key.length + value.length + ENTRY_OVERHEAD, false);
  }

  remove(key: Key): void {
    this.#pending.set(key, null);
    this.#owner.changed(key.length + ENTRY_OVERHEAD, true);
  }

  /**
   * What is on the disk, in order: from a key on, up to another, both included. To be walked in one go. What is damaged is told to
   * the log and comes as `null`.
   *
   * @throws DamagedError when it is not known what comes next
   */
  *storedFrom(from: Key, to?: Key): Generator<[Key, Buffer | null]> {
    let last = from;
    try {
      for (const { key, value } of this.#bytes.getRange({ start: bytesOf(from) })) {
        const name = key.toString("latin1");
        if (to !== undefined && name > to) return;
        last = name;
        const found = intact(key, value);
        if (found === null) this.#owner.damaged(this.name, name);
        yield [name, found];
      }
    } catch (error) {
      if (isLmdbError(error)) this.#damaged(last, error);
      throw error;
    }
  }

  /**
   * Everything in order, with the changes. Changes made on the way may be met or not. To be walked in one go.
   *
   * @param prefix only what begins with it
   */
  *entries(prefix: Key = ""): Generator<[Key, Buffer | null]> {
    const changed = [...this.#writing.keys(), ...this.#pending.keys()];
    const added = [...new Set(changed.filter((key) => key.startsWith(prefix)))].sort();
    let next = 0;
    for (const [key, value] of this.storedFrom(prefix)) {
      if (!key.startsWith(prefix)) break;
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
    for (const [key, change] of this.#writing) {
      const bytes = bytesOf(key);
      if (change === null) void this.#bytes.remove(bytes);
      else void this.#bytes.put(bytes, change.record ?? checked(bytes, change.value));
    }
  }

  /** The changes that were handed over are on the disk. */
  written(): void {
    this.#writing = new Map();
  }

  /** Nothing of what was not on the disk will ever be. */
  forgetChanges(): void {
    this.#writing = new Map();
    this.#pending = new Map();
  }

  #change(key: Key): Put | null | undefined {
    const pending = this.#pending.get(key);
    return pending === undefined ? this.#writing.get(key) : pending;
  }

  *#entry(key: Key | undefined): Generator<[Key, Buffer]> {
    const change = key === undefined ? null : this.#change(key);
    if (key !== undefined && change) yield [key, change.value];
  }

  #record(key: Key, bytes: Buffer): Buffer | null {
    try {
      return this.#bytes.get(bytes) ?? null;
    } catch (error) {
      if (isLmdbError(error)) this.#damaged(key, error);
      throw error;
    }
  }

  #damaged(key: Key, cause?: unknown): never {
    this.#owner.damaged(this.name, key);
    throw new DamagedError(`a record of the table ${this.name}`, cause);
  }
}

/** What is read; `null` where it is damaged. */
export function unlessDamaged<Value>(read: () => Value): Value | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof DamagedError) return null;
    throw error;
  }
}

function isLmdbError(error: unknown): boolean {
  return error instanceof Error && "code" in error && Number(error.code) <= LMDB_ERRORS;
}

function bytesOf(key: Key): Buffer {
  return Buffer.from(key, "latin1");
}
