/**
 * The spaces of the memory engine in a file: they outlive the process, and processes that use the same folder see the same. The file is for
 * its owner only, has a checksum, and is replaced as a whole. It does not know the meaning of the values.
 */
import { createHash } from "node:crypto";
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FanfareError, quote } from "@fanfare/protocol";
import { z } from "zod";
import { alone } from "../../base/file-lock.js";
import type { Log } from "../../base/log.js";
import { makePrivateFolder } from "../../base/private-folder.js";
import type { EngineTrouble } from "../engine.js";
import { bytesOfKey, type Space } from "../space.js";
import { MemorySpace } from "./memory-space.js";

export const SPACES_FILE = "spaces.json";
const PUT_BACK =
  "Put back the file, or a copy of it. Until then the server goes on with the keys and revocations it has; a restart would not. To remove keys, use fanfare key revoke.";

type Contents = Readonly<Record<string, readonly (readonly [key: string, value: string])[]>>;

/** `spaces` has keys and values by the name of their space, `sha256` is the hexadecimal digest of its JSON text without white space. */
const schema = z.strictObject({
  fanfare: z.literal("spaces"),
  format: z.literal(1),
  sha256: z.string(),
  spaces: z.record(z.string(), z.array(z.tuple([z.string(), z.string()]))),
});

export class SpacesFile {
  readonly path: string;
  readonly #folder: string;
  readonly #log: Log;
  readonly #assertOpen: () => void;
  readonly #spaces = new Map<string, MemorySpace>();
  /** Which version of the file was read; empty where there was none. */
  #stamp: string;
  /** Why what is in memory is not what is in the file; `null` while it is. */
  #lost: "missing" | "unreadable" | null = null;
  /** Changes are made one after the other. */
  #changing: Promise<unknown> = Promise.resolve();

  /**
   * @param folder is made when there is something to keep
   * @throws TypeError when there is a file that cannot be read, or is not what was written
   */
  constructor(folder: string, log: Log, assertOpen: () => void = () => {}) {
    this.path = join(folder, SPACES_FILE);
    this.#folder = folder;
    this.#log = log;
    this.#assertOpen = assertOpen;
    // Before reading: what changes in between is read once more.
    this.#stamp = stampOf(this.path);
    const contents = read(this.path);
    if (contents) this.#load(contents);
  }

  /** `gone`: the file was there, and is not any more. */
  get trouble(): EngineTrouble | null {
    return this.#lost === "missing" ? "gone" : null;
  }

  /** Roughly the bytes of all of them on the heap. */
  get heapBytes(): number {
    let bytes = 0;
    for (const space of this.#spaces.values()) bytes += space.heapBytes;
    return bytes;
  }

  space(name: string): Space {
    const space = this.#inMemory(name);
    const latest = (): MemorySpace => {
      this.#look();
      return space;
    };
    return {
      durable: true,
      get: (key) => latest().get(key),
      compareAndSet: (key, expected, value) => this.#compareAndSet(space, key, expected, value),
      list: (after, limit) => latest().list(after, limit),
      version: () => latest().version(),
    };
  }

  clear(): void {
    for (const space of this.#spaces.values()) space.clear();
  }

  async #compareAndSet(
    space: MemorySpace,
    key: string,
    expected: string | null,
    value: string | null,
  ): Promise<boolean> {
    bytesOfKey(key);
    const changed = this.#changing.then(() => this.#set(space, key, expected, value));
    this.#changing = changed.catch(() => {});
    return await changed;
  }

  async #set(
    space: MemorySpace,
    key: string,
    expected: string | null,
    value: string | null,
  ): Promise<boolean> {
    this.#assertOpen();
    try {
      // A folder that was removed is not made anew: what it held is missing, and nothing else would be found there again.
      if (this.#stamp === "" && this.#lost === null) makePrivateFolder(this.#folder);
      return await alone(`${this.path}.lock`, () => {
        // A file that was removed does not mean that nothing was in it: it is made again of what it held.
        const contents = stampOf(this.path) === this.#stamp && this.#lost === null ? null : read(this.path);
        if (contents) this.#load(contents);
        if (space.value(key) !== expected) return false;
        space.set(key, value);
        try {
          replace(this.path, textOf(this.#contents()));
        } catch (error) {
          space.set(key, expected);
          throw error;
        }
        this.#stamp = stampOf(this.path);
        this.#found();
        return true;
      });
    } catch (error) {
      throw new FanfareError("unavailable", `${this.path} cannot be written`, {
        remedy: "See that the server may write to its dataDir, and that there is room.",
        cause: error,
      });
    }
  }

  /** Whether another process has changed the file: a look at its size and time. */
  #look(): void {
    const stamp = stampOf(this.path);
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    try {
      const contents = read(this.path);
      if (!contents) {
        this.#lose("missing", new Error(`${this.path} was removed while it was in use`));
        return;
      }
      this.#load(contents);
    } catch (error) {
      this.#lose("unreadable", error);
      return;
    }
    this.#found();
  }

  #load(contents: Contents): void {
    for (const name of new Set([...Object.keys(contents), ...this.#spaces.keys()])) {
      const space = this.#inMemory(name);
      const values = new Map(contents[name]);
      for (const key of space.all().keys()) if (!values.has(key)) space.set(key, null);
      for (const [key, value] of values) if (space.value(key) !== value) space.set(key, value);
    }
  }

  #contents(): Contents {
    return Object.fromEntries([...this.#spaces].map(([name, space]) => [name, [...space.all()]]));
  }

  #inMemory(name: string): MemorySpace {
    const space = this.#spaces.get(name) ?? new MemorySpace(this.#assertOpen);
    this.#spaces.set(name, space);
    return space;
  }

  #lose(how: "missing" | "unreadable", error: unknown): void {
    this.#lost = how;
    this.#log.error({ err: error, remedy: PUT_BACK }, "keys and revocations stay as they were");
  }

  #found(): void {
    if (this.#lost === null) return;
    this.#lost = null;
    this.#log.info({}, "the file of keys and revocations is in use again");
  }
}

/** Another one whenever the file is another, or has been written; empty where there is none. */
function stampOf(path: string): string {
  try {
    const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
    return stat ? `${stat.ino} ${stat.mtimeNs} ${stat.size}` : "";
  } catch (error) {
    return String(error);
  }
}

/** For its owner only, whatever a process that was killed has left of its own. */
function replace(path: string, text: string): void {
  const next = `${path}.next`;
  rmSync(next, { force: true });
  writeFileSync(next, text, { mode: 0o600, flag: "wx", flush: true });
  renameSync(next, path);
}

function textOf(spaces: Contents): string {
  return `${JSON.stringify({ fanfare: "spaces", format: 1, sha256: digestOf(spaces), spaces }, null, 1)}\n`;
}

function digestOf(spaces: Contents): string {
  return createHash("sha256").update(JSON.stringify(spaces)).digest("hex");
}

/** `null` where there is none. @throws TypeError */
function read(path: string): Contents | null {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : null;
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    throw new TypeError(`${path} cannot be read: ${String(error)}`);
  }
  let why = "its checksum is another";
  try {
    const { spaces, sha256 } = schema.parse(JSON.parse(text));
    if (sha256 === digestOf(spaces)) return spaces;
  } catch (error) {
    const [issue] = error instanceof z.ZodError ? error.issues : [];
    why = issue ? `${issue.path.join(".")}: ${issue.message}` : String(error);
  }
  throw new TypeError(`${path} is not what Fanfare wrote (${quote(why, 200)}). Put back a copy of it.`);
}
