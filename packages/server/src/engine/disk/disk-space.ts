/** A space on the disk: one part of one table. Decides in one synchronous step, then waits for the disk. */
import type { Space } from "../space.js";
import type { Commits } from "./commits.js";
import type { Key, Table } from "./table.js";

/** Between a space's name and a key. Sorts before every other character. */
const SEPARATOR = "\0";
/** The store takes a little less than 2,000, name included. */
const MAX_KEY_BYTES = 1000;

export class DiskSpace implements Space {
  readonly #table: Table;
  readonly #commits: Commits;
  readonly #prefix: string;
  readonly #assertOpen: () => void;

  /** @param name ASCII, without a NUL */
  constructor(name: string, table: Table, commits: Commits, assertOpen: () => void) {
    this.#table = table;
    this.#commits = commits;
    this.#assertOpen = assertOpen;
    this.#prefix = name + SEPARATOR;
  }

  async get(key: string): Promise<string | null> {
    this.#assertOpen();
    return this.#table.get(this.#key(key))?.toString() ?? null;
  }

  async compareAndSet(key: string, expected: string | null, value: string | null): Promise<boolean> {
    this.#assertOpen();
    const place = this.#key(key);
    const found = this.#table.get(place)?.toString() ?? null;
    if (found === expected) {
      if (value === null) this.#table.remove(place);
      else this.#table.put(place, Buffer.from(value));
    }
    // Also where nothing was set: what stood in the way may not be on the disk yet.
    await this.#commits.flushed();
    return found === expected;
  }

  async list(after: string | null, limit: number): Promise<{ key: string; value: string }[]> {
    this.#assertOpen();
    const found: { key: string; value: string }[] = [];
    const from = this.#prefix + (after === null ? "" : latin1(after) + SEPARATOR);
    for (const [key, value] of this.#table.storedFrom(from)) {
      if (found.length >= limit || !key.startsWith(this.#prefix)) break;
      const name = Buffer.from(key.slice(this.#prefix.length), "latin1").toString();
      found.push({ key: name, value: value.toString() });
    }
    return found;
  }

  #key(key: string): Key {
    const bytes = latin1(key);
    if (bytes.length <= MAX_KEY_BYTES) return this.#prefix + bytes;
    throw new RangeError(`a key has ${bytes.length} bytes, and ${MAX_KEY_BYTES} are allowed`);
  }
}

/** A text as its UTF-8 bytes, each a character. */
function latin1(text: string): string {
  return Buffer.from(text).toString("latin1");
}
