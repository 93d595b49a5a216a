/**
 * Keys and revocations in a file, which the server and the command share: readable by its owner only, replaced as a whole, and looked
 * at twice a second. Holds no secrets, only hashes.
 */
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { FanfareError, quote } from "@fanfare/protocol";
import { z } from "zod";
import { type Clock, systemClock, type Timer } from "../clock.js";
import type { Log } from "../log.js";
import { Grants } from "./grants.js";
import { type AccessData, type AccessStore, NOTHING_STORED } from "./store.js";

export const FILE_NAME = "access.json";
const LOOK_EVERY_MS = 500;
/** A lock that is older was left by a process that was killed. */
const LOCK_STALE_MS = 10_000;
const LOCK_RETRY_MS = 20;

const milliseconds = z.number().nonnegative();
const schema = z.object({
  version: z.literal(1),
  keys: z.array(
    z.object({
      id: z.string().min(1),
      name: z.string(),
      hash: z.string().regex(/^[0-9a-f]{64}$/),
      grants: z.unknown().transform((value) => new Grants(value, null).list),
      created: milliseconds,
    }),
  ),
  revokedTokens: z.array(z.object({ id: z.string(), until: milliseconds })),
  revokedUsers: z.array(z.object({ user: z.string(), at: milliseconds, until: milliseconds })),
});

export class FileStore implements AccessStore {
  readonly durable = true;
  readonly path: string;
  data: AccessData;
  readonly #folder: string;
  readonly #log: Log;
  readonly #listeners: (() => void)[] = [];
  readonly #timer: Timer;
  /** Which version of the file was read. */
  #stamp: string;
  /** Changes are made one after the other. */
  #changing: Promise<void> = Promise.resolve();

  /**
   * @param folder is made when there is something to keep
   * @throws TypeError when there is a file that cannot be read, or is not of this form
   */
  constructor(folder: string, log: Log, clock: Clock = systemClock) {
    this.path = join(folder, FILE_NAME);
    this.#log = log;
    this.#folder = folder;
    // Before reading: what changes in between is read once more.
    this.#stamp = stampOf(this.path);
    this.data = read(this.path);
    // Polled: file events get lost on some file systems, and this has to be true within a second.
    this.#timer = clock.every(LOOK_EVERY_MS, () => this.#look());
  }

  change(edit: (data: AccessData) => AccessData): Promise<void> {
    const changed = this.#changing.then(() => this.#change(edit));
    this.#changing = changed.catch(() => {});
    return changed;
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  close(): void {
    this.#timer.cancel();
    this.#listeners.length = 0;
  }

  async #change(edit: (data: AccessData) => AccessData): Promise<void> {
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      await locked(`${this.path}.lock`, () => {
        const data = edit(read(this.path));
        const next = `${this.path}.next`;
        writeFileSync(next, `${JSON.stringify({ version: 1, ...data }, null, 1)}\n`, {
          mode: 0o600,
          flush: true,
        });
        renameSync(next, this.path);
        this.#stamp = stampOf(this.path);
        this.data = data;
      });
    } catch (error) {
      this.#log.error({ err: error, path: this.path }, "keys and revocations cannot be written");
      throw new FanfareError("unavailable", "keys and revocations cannot be written; the log says why", {
        remedy: "See that the server may write to its dataDir, and that there is room.",
        cause: error,
      });
    }
    this.#tell();
  }

  #look(): void {
    const stamp = stampOf(this.path);
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    try {
      this.data = read(this.path);
    } catch (error) {
      this.#log.error({ err: error }, "keys and revocations stay as they were");
      return;
    }
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** Another one whenever the file is another, or has been written. */
function stampOf(path: string): string {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat ? `${stat.ino} ${stat.mtimeNs} ${stat.size}` : "";
}

function read(path: string): AccessData {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return NOTHING_STORED;
    throw new TypeError(`${path} cannot be read: ${String(error)}`);
  }
  try {
    const { keys, revokedTokens, revokedUsers } = schema.parse(JSON.parse(text));
    return { keys, revokedTokens, revokedUsers };
  } catch (error) {
    const why =
      error instanceof z.ZodError
        ? `${error.issues[0]?.path.join(".")}: ${error.issues[0]?.message}`
        : String(error);
    throw new TypeError(
      `${path} is not what Fanfare wrote (${quote(why, 200)}). Mend it, or put back a copy.`,
    );
  }
}

/** Runs alone, among all processes that use the file. */
async function locked(path: string, work: () => void): Promise<void> {
  while (!take(path)) await wait(LOCK_RETRY_MS);
  try {
    work();
  } finally {
    rmSync(path, { force: true });
  }
}

function take(path: string): boolean {
  try {
    closeSync(openSync(path, "wx", 0o600));
    return true;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat && Date.now() - stat.mtimeMs > LOCK_STALE_MS) rmSync(path, { force: true });
    return false;
  }
}
