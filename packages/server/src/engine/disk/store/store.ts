/**
 * The store of a disk engine: a folder that belongs to this process, LMDB's file in it, the tables in that file, and the
 * commits that take their changes to the disk. Knows no channels.
 */

import { join, resolve } from "node:path";
import type { FanfareError } from "@fanfare/protocol";
import type { RootDatabase } from "lmdb";
import type { Clock } from "../../../base/clock.js";
import type { Log } from "../../../base/log.js";
import { warnIfOthersMayRead } from "../../../base/private-folder.js";
import { Commits } from "./commits.js";
import {
  DATA_FILE,
  type Looked,
  lookAt,
  makeFiles,
  makeFolder,
  removeRestored,
  unusable,
  writeFormat,
} from "./data-dir.js";
import { dataDirError } from "./errors.js";
import { type FileStats, fileBytes, freeInFile } from "./free-pages.js";
import { type AskFree, FreeSpace } from "./free-space.js";
import { Place } from "./place.js";
import { LOCK_SOCKET, lockFolder, type ProcessLock } from "./process-lock.js";
import { Table } from "./table.js";
import { Watch } from "./watch.js";

export const TABLES = [
  "ledger",
  "channels",
  "messages",
  "sizes",
  "ownerLogs",
  "graves",
  "states",
  "holdings",
  "stubs",
  "stubOrder",
  "stubOwners",
  "keys",
  "keyOrder",
  "keyOwners",
  "sessions",
  "sessionOrder",
  "sessionOwners",
  "spaces",
] as const;

export type Tables = Readonly<Record<(typeof TABLES)[number], Table>>;

export interface StoreOptions {
  readonly dataDir: string;
  readonly reserveBytes: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly askFree: AskFree | undefined;
}

export class Store {
  readonly folder: string;
  readonly commits: Commits;
  readonly space: FreeSpace;
  readonly watch: Watch;
  readonly place: Place;
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
    place: Place,
    { isNew, isRestored }: Looked,
    { clock, log }: StoreOptions,
  ) {
    this.folder = folder;
    this.isNew = isNew;
    this.isRestored = isRestored;
    this.space = space;
    this.place = place;
    this.watch = new Watch(folder, space, place, log);
    this.#lock = lock;
    this.#env = env;
    this.commits = new Commits((changes) => env.batch(changes).catch(rethrow), clock, space, place);
    this.tables = Object.fromEntries(TABLES.map((name) => [name, this.#table(name)])) as Tables;
    space.askInFile = () => freeInFile(join(folder, DATA_FILE), this.#stats, this.#pages);
  }

  /** @throws FanfareError */
  static async open(options: StoreOptions): Promise<Store> {
    const folder = resolve(options.dataDir);
    await makeFolder(folder);
    const lock = await lockFolder(folder);
    try {
      const looked = await lookAt(folder);
      const space = new FreeSpace(folder, options.reserveBytes, options.askFree);
      await space.ask();
      if (looked.isNew && space.isLow) throw noRoom(folder);
      await makeFiles(folder);
      await warnIfOthersMayRead(folder, options.log);
      const env = await openFile(join(folder, DATA_FILE));
      const place = await Place.of(folder, [DATA_FILE, LOCK_SOCKET]);
      return new Store(folder, lock, env, space, place, looked, options);
    } catch (error) {
      await lock.release();
      throw unusable(folder, error);
    }
  }

  /** To be called after the first commit: from now on there has to be a store. */
  async made(): Promise<void> {
    if (this.isNew) await writeFormat(this.folder);
    if (this.isRestored) await removeRestored(this.folder);
  }

  /** Bytes of the file. */
  get bytes(): number {
    return fileBytes(this.#stats);
  }

  /** Writes what waits, and lets go of the folder. */
  async close(): Promise<void> {
    await this.commits.flushed().catch(() => {});
    await this.#env.close();
    await this.#lock.release();
  }

  get #stats(): FileStats {
    return this.#env.getStats() as FileStats;
  }

  get #pages(): number {
    return Object.values(this.tables).reduce((sum, { pages }) => sum + pages, 0);
  }

  #table(name: string): Table {
    const bytes = this.#env.openDB<Buffer, Buffer>({ name, encoding: "binary", keyEncoding: "binary" });
    const table = new Table(name, bytes, {
      changed: (count, isRemoval) => this.commits.changed(count, isRemoval),
      damaged: (of, key) => this.watch.damaged(of, key),
    });
    this.commits.add(table);
    return table;
  }
}

/** Loaded here and nowhere else, so that those who do not use the disk do not need the library. */
export async function openFile(
  path: string,
  { readOnly = false } = {},
): Promise<RootDatabase<Buffer, Buffer>> {
  const { open } = await import("lmdb");
  return open<Buffer, Buffer>({
    path,
    readOnly,
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

function noRoom(folder: string): FanfareError {
  return dataDirError(
    "no_room",
    `the disk of ${folder} has too little room for a store`,
    "Make room, or give a dataDir on another disk.",
  );
}
