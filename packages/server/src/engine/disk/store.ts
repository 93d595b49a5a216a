/**
 * The store of a disk engine: a folder that belongs to this process, LMDB's file in it, the tables in that file, and the
 * commits that take their changes to the disk. Knows no channels.
 */
import { join, resolve } from "node:path";
import type { RootDatabase } from "lmdb";
import type { Clock } from "../../clock.js";
import { Commits } from "./commits.js";
import {
  DATA_FILE,
  type Looked,
  lookAt,
  makeFolder,
  removeRestored,
  unusable,
  writeFormat,
} from "./data-dir.js";
import { DataDirError } from "./errors.js";
import { type AskFree, FreeSpace } from "./free-space.js";
import { lockFolder, type ProcessLock } from "./process-lock.js";
import { Table } from "./table.js";

const TABLES = [
  "ledger",
  "channels",
  "messages",
  "sizes",
  "graves",
  "states",
  "stubs",
  "stubOrder",
  "keys",
  "keyOrder",
  "sessions",
  "sessionOrder",
  "spaces",
] as const;

export type Tables = Readonly<Record<(typeof TABLES)[number], Table>>;

export interface StoreOptions {
  readonly dataDir: string;
  readonly reserveBytes: number;
  readonly clock: Clock;
  readonly askFree: AskFree | undefined;
}

export class Store {
  readonly folder: string;
  readonly commits: Commits;
  readonly space: FreeSpace;
  readonly tables: Tables;
  readonly isNew: boolean;
  /** The folder holds a backup: what was told of positions since then is not true of it. */
  readonly isRestored: boolean;
  readonly #lock: ProcessLock;
  readonly #env: RootDatabase<Buffer, Buffer>;

  private constructor(
    folder: string,
    lock: ProcessLock,
    env: RootDatabase<Buffer, Buffer>,
    space: FreeSpace,
    { isNew, isRestored }: Looked,
    clock: Clock,
  ) {
    this.folder = folder;
    this.isNew = isNew;
    this.isRestored = isRestored;
    this.space = space;
    this.#lock = lock;
    this.#env = env;
    this.commits = new Commits((changes) => env.batch(changes).catch(rethrow), clock, space);
    this.tables = Object.fromEntries(TABLES.map((name) => [name, this.#table(name)])) as Tables;
  }

  /** @throws DataDirError */
  static async open(options: StoreOptions): Promise<Store> {
    const folder = resolve(options.dataDir);
    await makeFolder(folder);
    const lock = await lockFolder(folder);
    try {
      const looked = await lookAt(folder);
      const space = new FreeSpace(folder, options.reserveBytes, options.askFree);
      await space.ask();
      if (looked.isNew && space.isLow) throw noRoom(folder);
      const env = await openFile(join(folder, DATA_FILE));
      return new Store(folder, lock, env, space, looked, options.clock);
    } catch (error) {
      await lock.release();
      throw unusable(folder, error);
    }
  }

  /** To be called after the first commit: from now on there has to be a store. */
  async made(): Promise<void> {
    await writeFormat(this.folder);
    if (this.isRestored) await removeRestored(this.folder);
  }

  /** Bytes of the file. */
  get bytes(): number {
    const { pageSize, lastPageNumber } = this.#env.getStats() as Record<string, number>;
    return ((lastPageNumber ?? 0) + 1) * (pageSize ?? 0);
  }

  /** Writes what waits, and lets go of the folder. */
  async close(): Promise<void> {
    await this.commits.flushed().catch(() => {});
    await this.#env.close();
    await this.#lock.release();
  }

  #table(name: string): Table {
    const bytes = this.#env.openDB<Buffer, Buffer>({ name, encoding: "binary", keyEncoding: "binary" });
    const table = new Table(bytes, (count) => this.commits.changed(count));
    this.commits.add(table);
    return table;
  }
}

/** Loaded here and nowhere else, so that those who do not use the disk do not need the library. */
async function openFile(path: string): Promise<RootDatabase<Buffer, Buffer>> {
  const { open } = await import("lmdb");
  return open<Buffer, Buffer>({
    path,
    noSubdir: true,
    maxDbs: TABLES.length,
    encoding: "binary",
    keyEncoding: "binary",
    // Commits are gathered here already; and what is committed has to be on the disk.
    commitDelay: 0,
    eventTurnBatching: false,
    overlappingSync: false,
    compression: false,
    cache: false,
  });
}

/**
 * The library rejects with an error that knows the cause as another promise, rejected a moment later. Somebody has to take that
 * one, too, or it ends the process.
 */
async function rethrow(error: unknown): Promise<never> {
  const commitError = error instanceof Error && "commitError" in error ? error.commitError : null;
  const nextTurn = new Promise<unknown>((turn) => setImmediate(turn, error));
  throw await Promise.race([
    Promise.resolve(commitError ?? error).catch((cause: unknown) => cause),
    nextTurn,
  ]);
}

function noRoom(folder: string): DataDirError {
  return new DataDirError(
    "no_room",
    `the disk of ${folder} has too little room for a store`,
    "Make room, or give a dataDir on another disk.",
  );
}
