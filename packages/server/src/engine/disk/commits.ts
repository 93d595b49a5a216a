/**
 * Group commit: everything that was changed while one commit is under way goes to the disk with the next, in one atomic
 * step. Those who wait are called in the order in which they came, after their commit is on the disk.
 */
import { FanfareError } from "@fanfare/protocol";
import type { Clock } from "../../clock.js";
import { Durations } from "../../durations.js";
import type { FreeSpace } from "./free-space.js";
import type { Table } from "./table.js";

/** Called once, with one or the other. */
export interface Waiting {
  done(): void;
  /** Nothing that was changed since the last commit is on the disk, and never will be. */
  failed(error: Error): void;
}

export interface CommitsOwner {
  /** Does it hold back changes until a commit begins? */
  readonly isChanged: boolean;
  /** A commit begins: the last moment to put into tables what belongs in it. Answers with what to call when it is over. */
  committing(): () => void;
  /** A commit failed: whatever was derived from changes is to be read from the disk again. */
  lost(): void;
}

/** Writes changes in one transaction, and resolves when they are on the disk. */
export type Write = (changes: () => void) => Promise<unknown>;

/** Changes that wait for the disk may take so many bytes of memory; beyond it publishers are refused. */
const MAX_PENDING_BYTES = 64 * 2 ** 20;

export class Commits {
  readonly durations = new Durations();
  readonly #write: Write;
  readonly #clock: Clock;
  readonly #space: FreeSpace;
  /** To be set before anything is changed. */
  owner: CommitsOwner | null = null;
  readonly #tables: Table[] = [];
  #waiting: Waiting[] = [];
  #pendingBytes = 0;
  #scheduled = false;
  #committing = false;

  constructor(write: Write, clock: Clock, space: FreeSpace) {
    this.#write = write;
    this.#clock = clock;
    this.#space = space;
  }

  add(table: Table): void {
    this.#tables.push(table);
  }

  /** To be called with each change of a table. */
  changed(bytes: number): void {
    this.#pendingBytes += bytes;
    this.#space.willWrite(bytes);
    this.#schedule();
  }

  /** @throws FanfareError `unavailable` when too much waits already */
  assertKeepsUp(): void {
    if (this.#pendingBytes <= MAX_PENDING_BYTES) return;
    throw new FanfareError(
      "unavailable",
      `${this.#pendingBytes} bytes wait for the disk, which is slower than what is published`,
      { remedy: "Publish more slowly, or use a faster disk.", retryAfter: 1 },
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
      void this.#commitAll();
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

  get #isChanged(): boolean {
    return this.owner?.isChanged || this.#tables.some(({ isChanged }) => isChanged);
  }

  async #commit(): Promise<Error | null> {
    const over = this.#isChanged ? this.owner?.committing() : null;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#pendingBytes = 0;
    const error = over && (await this.#writeAll());
    if (error) {
      // In the order in which they came, with those who came meanwhile.
      this.#waiting = [...waiting, ...this.#waiting];
      return error;
    }
    for (const table of this.#tables) table.written();
    over?.();
    for (const each of waiting) each.done();
    return null;
  }

  async #writeAll(): Promise<Error | null> {
    const begun = this.#clock.monotonic();
    this.#space.writing();
    try {
      await this.#space.assertFloor();
      await this.#write(() => {
        for (const table of this.#tables) table.write();
      });
      this.durations.add(this.#clock.monotonic() - begun);
      return null;
    } catch (cause) {
      if (cause instanceof FanfareError) return cause;
      const why = cause instanceof Error ? cause.message : String(cause);
      return new FanfareError("unavailable", `the disk engine could not write: ${why}`, { cause });
    } finally {
      this.#space.wrote();
    }
  }

  /** What came meanwhile builds on what failed, so it fails, too. */
  #fail(error: Error): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#pendingBytes = 0;
    for (const table of this.#tables) table.forgetChanges();
    this.#space.willNotWrite();
    this.owner?.lost();
    for (const each of waiting) each.failed(error);
  }
}
