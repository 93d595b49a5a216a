/**
 * Group commit: everything that was changed while one commit is under way goes to the disk with the next, in one atomic
 * step. Calls the waiting in the order in which they came, after their commit is on the disk.
 */
import { asError, FanfareError } from "@fanfare/protocol";
import type { Clock } from "../../../base/clock.js";
import { Durations } from "../../../base/durations.js";
import { type FreeSpace, isNoRoom } from "./free-space.js";
import type { Place } from "./place.js";
import type { Table } from "./table.js";

/** One of the two is called; `failed` after `done` where that throws. */
export interface Waiting {
  done(): void;
  /** Nothing that was changed since the last commit is on the disk, and never will be; or what `done` threw. */
  failed(error: Error): void;
}

export interface CommitsOwner {
  /** Does it hold back changes until a commit begins? */
  readonly isChanged: boolean;
  /** A commit begins: the last moment to put into tables what belongs in it. Answers with what to call when it is over. */
  committing(): () => void;
  /** A commit failed: whatever was derived from changes is to be read from the disk again. */
  lost(error: Error): void;
}

/** Writes changes in one transaction, and resolves when they are on the disk. */
export type Write = (changes: () => void) => Promise<unknown>;

/** Changes that wait for the disk may take this many bytes of memory; beyond it publishers are refused. */
const MAX_PENDING_BYTES = 64 * 2 ** 20;
/** The same of their number: a commit hands them over, and answers those who wait for it, in one go. A message makes about four. */
const MAX_PENDING_CHANGES = 200_000;

export class Commits {
  readonly durations = new Durations();
  readonly #write: Write;
  readonly #clock: Clock;
  readonly #space: FreeSpace;
  readonly #place: Place;
  /** To be set before anything is changed. */
  owner: CommitsOwner | null = null;
  readonly #tables: Table[] = [];
  #waiting: Waiting[] = [];
  #pendingBytes = 0;
  #pendingChanges = 0;
  /** Does what is pending add something, or does it only make room? */
  #grows = false;
  #isClearing = false;
  #scheduled = false;
  #committing = false;

  constructor(write: Write, clock: Clock, space: FreeSpace, place: Place) {
    this.#write = write;
    this.#clock = clock;
    this.#space = space;
    this.#place = place;
  }

  add(table: Table): void {
    this.#tables.push(table);
  }

  /** To be called with each change of a table. */
  changed(bytes: number, isRemoval: boolean): void {
    if (!isRemoval && !this.#isClearing) this.#grows = true;
    this.#pendingBytes += bytes;
    this.#pendingChanges++;
    this.#space.willWrite(bytes);
    this.#schedule();
  }

  /** Does in one step what makes room, or what is written with every commit: that is written also where there is hardly any room. */
  clearing<Result>(work: () => Result): Result {
    const outer = this.#isClearing;
    this.#isClearing = true;
    try {
      return work();
    } finally {
      this.#isClearing = outer;
    }
  }

  /** @throws FanfareError `unavailable` when too much waits already */
  assertKeepsUp(): void {
    if (this.#pendingBytes <= MAX_PENDING_BYTES && this.#pendingChanges <= MAX_PENDING_CHANGES) return;
    throw new FanfareError(
      "unavailable",
      `${this.#pendingBytes} bytes in ${this.#pendingChanges} changes wait for the disk, which is slower than what is published`,
      { remedy: "Publish more slowly, or use a faster disk.", retryAfterSeconds: 1 },
    );
  }

  /** Waits for the commit that takes what is pending now. */
  wait(waiting: Waiting): void {
    this.#waiting.push(waiting);
    this.#schedule();
  }

  /**
   * Resolves when everything that was changed so far is on the disk.
   *
   * @throws FanfareError `unavailable`, `insufficient_storage`
   */
  flushed(): Promise<void> {
    return new Promise((done, failed) => this.wait({ done, failed }));
  }

  #schedule(): void {
    if (this.#scheduled || this.#committing) return;
    this.#scheduled = true;
    // At the end of the turn, so that all that is published in it shares one commit.
    this.#clock.endOfTurn(() => {
      this.#scheduled = false;
      this.#commitAll().catch((error: unknown) => this.#giveUp(error));
    });
  }

  async #commitAll(): Promise<void> {
    this.#committing = true;
    while (this.#waiting.length > 0 || this.#isChanged) {
      const error = await this.#commit();
      if (!error) continue;
      this.#committing = false;
      this.#fail(error);
      return;
    }
    this.#committing = false;
  }

  /** Nothing is known of what was changed; the next changes begin anew from what is on the disk. */
  #giveUp(error: unknown): void {
    this.#committing = false;
    this.#fail(this.#errorOf(error));
  }

  get #isChanged(): boolean {
    return this.owner?.isChanged || this.#tables.some(({ isChanged }) => isChanged);
  }

  async #commit(): Promise<Error | null> {
    if (this.#isChanged) {
      const error = await this.#whyNot();
      if (error) return error;
    }
    // From here to the hand-over in one step: what a commit holds belongs together.
    let over: (() => void) | null | undefined = null;
    try {
      if (this.#isChanged) over = this.clearing(() => this.owner?.committing());
    } catch (cause) {
      return this.#errorOf(cause);
    }
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#pendingBytes = 0;
    this.#pendingChanges = 0;
    this.#grows = false;
    const error = over && (await this.#writeAll());
    if (error) {
      // In the order in which they came, with those who came meanwhile.
      this.#waiting = [...waiting, ...this.#waiting];
      return error;
    }
    try {
      for (const table of this.#tables) table.written();
      over?.();
    } finally {
      // It is on the disk, whatever comes after.
      for (const each of waiting) answer(each);
    }
    return null;
  }

  /** Why nothing can be written now. */
  async #whyNot(): Promise<Error | null> {
    try {
      this.#place.assertThere();
      let grew: boolean;
      do {
        grew = this.#grows;
        await this.#space.assertFloor(grew);
        // Something else may have come meanwhile.
      } while (this.#grows !== grew);
      return null;
    } catch (cause) {
      return this.#errorOf(cause);
    }
  }

  async #writeAll(): Promise<Error | null> {
    const begun = this.#clock.monotonic();
    this.#space.writing();
    try {
      await this.#write(() => {
        for (const table of this.#tables) table.write();
      });
      this.durations.add(this.#clock.monotonic() - begun);
      this.#space.wrote(true);
      return null;
    } catch (cause) {
      this.#space.wrote(false);
      return this.#errorOf(cause);
    }
  }

  #errorOf(cause: unknown): Error {
    if (cause instanceof FanfareError) return cause;
    if (isNoRoom(cause)) {
      this.#space.refused();
      return this.#space.error(cause);
    }
    // The system's messages name files, which is for the log alone.
    const why = cause instanceof Error && "code" in cause ? `: ${cause.code}` : "";
    return new FanfareError("unavailable", `the disk engine could not write${why}`, { cause });
  }

  /** What came meanwhile builds on what failed, so it fails, too. */
  #fail(error: Error): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#pendingBytes = 0;
    this.#pendingChanges = 0;
    this.#grows = false;
    for (const table of this.#tables) table.forgetChanges();
    this.#space.willNotWrite();
    this.owner?.lost(error);
    for (const each of waiting) each.failed(error);
  }
}

/** A listener that fails keeps no caller from the answer, and no commit from being made. */
function answer(waiting: Waiting): void {
  try {
    waiting.done();
  } catch (cause) {
    waiting.failed(asError(cause));
  }
}
