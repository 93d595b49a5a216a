/**
 * Watches how much room the disk has, so that publishers are refused before the store is asked to write what does not fit:
 * the library below can end the process when a write fails for lack of room.
 */
import { statfs } from "node:fs/promises";
import { FanfareError } from "@fanfare/protocol";

/** Bytes that are free for this process on the disk of a folder. */
export type AskFree = (folder: string) => Promise<number>;

export const askFree: AskFree = async (folder) => {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
};

/** Nothing at all is written below this part of the reserve. */
const FLOOR_PART = 1 / 8;
/** A change touches a page of 4 KiB at most besides its own bytes. */
const PAGE_BYTES = 4096;

/** The disk is asked before each commit where less than so many times the reserve is left; else once a second. */
const PLENTY = 4;

export class FreeSpace {
  readonly #folder: string;
  readonly #reserve: number;
  readonly #askFree: AskFree;
  #free = Number.POSITIVE_INFINITY;
  /** What will be written at most: by the next commit, and by the one that is under way. */
  #pending = 0;
  #underWay = 0;
  /** What was written at most since the disk was asked. */
  #sinceAsked = 0;

  /** @param reserve bytes that publishers leave free */
  constructor(folder: string, reserve: number, ask: AskFree = askFree) {
    this.#folder = folder;
    this.#reserve = reserve;
    this.#askFree = ask;
  }

  /** Bytes, as the disk said when it was asked last. */
  get free(): number {
    return this.#free;
  }

  /** Are publishers refused? */
  get isLow(): boolean {
    return this.#left < this.#reserve;
  }

  /** @throws whatever the disk answers */
  async ask(): Promise<void> {
    const before = this.#sinceAsked;
    this.#free = await this.#askFree(this.#folder);
    this.#sinceAsked = Math.max(0, this.#sinceAsked - before);
  }

  willWrite(bytes: number): void {
    this.#pending += bytes + PAGE_BYTES;
  }
  willNotWrite(): void {
    this.#pending = 0;
  }

  /** A commit begins. */
  writing(): void {
    this.#underWay = this.#pending;
    this.#pending = 0;
  }

  /** A commit is over. */
  wrote(): void {
    this.#sinceAsked += this.#underWay;
    this.#underWay = 0;
  }

  /** @throws FanfareError `insufficient_storage` */
  assertRoom(): void {
    if (this.isLow) throw this.#error(this.#reserve, "are kept in reserve");
  }

  /** Lets nothing through where even the reserve is used up. @throws FanfareError `insufficient_storage` */
  async assertFloor(): Promise<void> {
    if (this.#left > PLENTY * this.#reserve) return;
    await this.ask();
    const floor = this.#reserve * FLOOR_PART;
    if (this.#free < floor) throw this.#error(floor, "are needed for whatever is written");
  }

  get #left(): number {
    return this.#free - this.#pending - this.#underWay - this.#sinceAsked;
  }

  #error(wanted: number, why: string): FanfareError {
    return new FanfareError(
      "insufficient_storage",
      `${mebibytes(this.#free)} are free on the disk of ${this.#folder}, and ${mebibytes(wanted)} ${why}`,
    );
  }
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
