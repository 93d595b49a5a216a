/**
 * Watches how much room there is, on the disk and in the file itself, so that publishers are refused before the store is asked to
 * write what does not fit: the library below can end the process when a write fails. Knows neither the file nor what is in it.
 */
import { rm, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { FanfareError } from "@fanfare/protocol";

/** Bytes that are free for this process on the disk of a folder. */
export type AskFree = (folder: string) => Promise<number>;

const askFree: AskFree = async (folder) => {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
};

/** Nothing that grows is written below this part of the reserve. */
const FLOOR_PART = 1 / 8;
/** A change touches a page of 4 KiB at most besides its own bytes. */
const PAGE_BYTES = 4096;
/** Removing needs pages, too: below this many bytes, and this many times what changes, nothing is written at all. */
const LEAST_BYTES = 2 ** 20;
const REMOVAL_FACTOR = 3;
/** What one commit gave back, the next cannot use yet, and the one after it only when no read sees what was before. */
const UNUSABLE_COMMITS = 2;
/** Written and removed to see whether a disk that refused a write takes one again. */
const TRIAL_FILE = "trial";

/** The disk is asked before each commit where less than this many times the reserve is left; else once a second. */
const PLENTY = 4;

export class FreeSpace {
  readonly #folder: string;
  readonly #reserve: number;
  readonly #askFree: AskFree;
  /** Bytes of the file that hold nothing and will be used again; to be set when the file is open. */
  askInFile: () => Promise<number> = async () => 0;
  #free = Number.POSITIVE_INFINITY;
  /** The free bytes in the file, newest last, and how many commits were over then. */
  #measured: { readonly commits: number; readonly bytes: number; readonly written: number }[] = [];
  #commits = 0;
  /** The most that all commits wrote. */
  #written = 0;
  /** The most that will be written: by the next commit, and by the one that is under way. */
  #pending = 0;
  #underWay = 0;
  #isWriting = false;
  /** The most that was written since the disk was asked. */
  #sinceAsked = 0;
  /** The disk refused the last commit for lack of room, whatever it says about itself: a quota may be used up. */
  #wasRefused = false;

  /** @param reserve bytes that publishers leave free */
  constructor(folder: string, reserve: number, ask: AskFree = askFree) {
    this.#folder = folder;
    this.#reserve = reserve;
    this.#askFree = ask;
  }

  /** Bytes on the disk, as it said when it was asked last. */
  get free(): number {
    return this.#free;
  }

  /** Bytes in the file that the next commit can use again. */
  get inFile(): number {
    const newest = this.#measured.at(-1);
    const [usable] = this.#measured;
    if (!newest || !usable) return 0;
    return Math.max(0, Math.min(newest.bytes, usable.bytes - (newest.written - usable.written)));
  }

  /** Are publishers refused? */
  get isLow(): boolean {
    return this.#wasRefused || this.#left < this.#reserve;
  }

  /** @throws whatever the disk answers */
  async ask(): Promise<void> {
    const before = this.#sinceAsked;
    this.#free = await this.#askFree(this.#folder);
    // While a commit is under way, the file's figures are partly those from before.
    if (!this.#isWriting) await this.#measure();
    this.#sinceAsked = Math.max(0, this.#sinceAsked - before);
  }

  async #measure(): Promise<void> {
    const [commits, written] = [this.#commits, this.#written];
    const bytes = await this.askInFile();
    const before = this.#measured.filter((each) => each.commits < commits);
    // The newest of those that are old enough, and all after it.
    const old = before.findLastIndex((each) => each.commits <= commits - UNUSABLE_COMMITS);
    this.#measured = [...before.slice(Math.max(0, old)), { commits, bytes, written }];
  }

  willWrite(bytes: number): void {
    this.#pending += bytes + PAGE_BYTES;
  }
  willNotWrite(): void {
    this.#pending = 0;
  }

  /** A commit begins. */
  writing(): void {
    this.#isWriting = true;
    this.#underWay = this.#pending;
    this.#pending = 0;
  }

  /** A commit is over. @param isDone false when it failed */
  wrote(isDone: boolean): void {
    this.#isWriting = false;
    if (isDone) this.#commits++;
    this.#written += this.#underWay;
    this.#sinceAsked += this.#underWay;
    this.#underWay = 0;
  }

  /** The disk refused a commit for lack of room. */
  refused(): void {
    this.#wasRefused = true;
  }

  /** @throws FanfareError `insufficient_storage` */
  assertRoom(): void {
    if (this.isLow) throw this.error();
  }

  /**
   * Lets nothing that grows through where even the reserve is used up. Removing passes, since it makes room.
   *
   * @throws FanfareError `insufficient_storage`
   */
  async assertFloor(grows: boolean): Promise<void> {
    if (this.#left > PLENTY * this.#reserve && !this.#wasRefused) return;
    await this.ask();
    if (this.#wasRefused) await this.#try();
    const least = LEAST_BYTES + REMOVAL_FACTOR * this.#pending;
    const floor = grows ? this.#reserve * FLOOR_PART : Math.min(least, this.#reserve);
    if (this.#free + this.inFile < floor) {
      throw this.#error(`${mebibytes(floor)} are needed for whatever is written`);
    }
  }

  /** The error for publishers. */
  error(cause?: unknown): FanfareError {
    const why = this.#wasRefused
      ? "the disk refused a write for lack of room"
      : `${mebibytes(this.#reserve)} are kept in reserve`;
    return this.#error(why, cause);
  }

  /** Lets the disk show by a file of no use that it takes writes again. @throws FanfareError `insufficient_storage` */
  async #try(): Promise<void> {
    const path = join(this.#folder, TRIAL_FILE);
    try {
      await writeFile(path, Buffer.alloc(LEAST_BYTES), { mode: 0o600, flush: true });
    } catch (cause) {
      throw this.error(cause);
    } finally {
      await rm(path, { force: true }).catch(() => {});
    }
    this.#wasRefused = false;
  }

  get #left(): number {
    return this.#free + this.inFile - this.#pending - this.#underWay - this.#sinceAsked;
  }

  #error(why: string, cause?: unknown): FanfareError {
    return new FanfareError(
      "insufficient_storage",
      `${mebibytes(this.#free)} are free on the disk of the server and ${mebibytes(this.inFile)} in its file, and ${why}`,
      { cause },
    );
  }
}

/** The system's codes for a write that does not fit: the disk is full, a quota is used up, a file may not grow. */
const NO_ROOM = [
  { code: "ENOSPC", number: 28, text: /No space left/i },
  { code: "EDQUOT", number: 122, text: /quota exceeded/i },
  { code: "EFBIG", number: 27, text: /File too large/i },
];

/** Did a write fail for lack of room? */
export function isNoRoom(cause: unknown): boolean {
  if (!(cause instanceof Error)) return false;
  const code = "code" in cause ? cause.code : undefined;
  return NO_ROOM.some((each) => code === each.code || code === each.number || each.text.test(cause.message));
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
