/** A space on the disk: one part of one table. Decides in one synchronous step, then waits for the disk. */
import { DamagedError } from "../damaged.js";
import { bytesOfKey, keyOfBytes, type Space, type SpaceValue } from "../space.js";
import type { Commits } from "./store/commits.js";
import type { Key, Table } from "./store/table.js";

/** Between a space's name and a key. Sorts before every other character. */
const SEPARATOR = "\0";

export class DiskSpace implements Space {
  readonly durable = true;
  readonly #table: Table;
  readonly #commits: Commits;
  readonly #prefix: string;
  readonly #assertOpen: () => void;
  /** Counts changes that `list` can see: those that are on the disk. */
  #version = 0;

  /** @param name ASCII, without a NUL */
  constructor(name: string, table: Table, commits: Commits, assertOpen: () => void) {
    this.#table = table;
    this.#commits = commits;
    this.#assertOpen = assertOpen;
    this.#prefix = name + SEPARATOR;
  }

  async get(key: string): Promise<string | null> {
    this.#assertOpen();
    return this.#table.get(this.#place(key))?.toString() ?? null;
  }

  async compareAndSet(key: string, expected: string | null, value: string | null): Promise<boolean> {
    this.#assertOpen();
    const place = this.#place(key);
    const found = this.#table.get(place)?.toString() ?? null;
    if (found === expected) {
      if (value === null) this.#table.remove(place);
      else this.#table.put(place, Buffer.from(value));
    }
    // Also where nothing was set: what stood in the way may not be on the disk yet.
    await this.#commits.flushed();
    if (found === expected) this.#version++;
    return found === expected;
  }

  async list(after: string | null, limit: number): Promise<SpaceValue[]> {
    this.#assertOpen();
    const found: SpaceValue[] = [];
    const from = this.#prefix + (after === null ? "" : Buffer.from(after).toString("latin1") + SEPARATOR);
    for (const [key, value] of this.#table.storedFrom(from)) {
      if (found.length >= limit || !key.startsWith(this.#prefix)) break;
      if (value === null) throw new DamagedError("a value");
      found.push({ key: keyOfBytes(key.slice(this.#prefix.length)), value: value.toString() });
    }
    return found;
  }

  async version(): Promise<number> {
    this.#assertOpen();
    return this.#version;
  }

  #place(key: string): Key {
    return this.#prefix + bytesOfKey(key);
  }
}
