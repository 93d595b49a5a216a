/**
 * Keys and revocations in a space of the engine, which all nodes share. What is in it is kept in memory, so that asking takes no time; whether
 * it has changed is asked twice a second. Holds no secrets, only hashes.
 */
import { asError, FanfareError } from "@fanfare/protocol";
import type { Clock, Timer } from "../../base/clock.js";
import { inTime } from "../../base/in-time.js";
import type { Log } from "../../base/log.js";
import type { Space } from "../../engine/space.js";
import { type AccessData, NOTHING_STORED, PARTS, type Part, withPart } from "./stored.js";

/** The name of the space. */
export const ACCESS_SPACE = "access";
const LOOK_EVERY_MS = 500;
/** How long callers wait for the first time that it is read. */
const LOADED_WITHIN_MS = 5000;
/** Each try fails only because another node has changed the same meanwhile. */
const MAX_TRIES = 50;

export interface AccessStoreParts {
  readonly space: Space;
  readonly clock: Clock;
  readonly log: Log;
}

export class AccessStore {
  /** What is in it, as far as this node has read. */
  data: AccessData = NOTHING_STORED;
  readonly #space: Space;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #timer: Timer;
  readonly #listeners: (() => void)[] = [];
  /** The parts as they stand in the space. */
  readonly #texts = new Map<Part, string>();
  /** Of what was read last; `null` before the first time. */
  #version: number | null = null;
  #loaded = false;
  readonly #firstRead: Promise<void>;
  #wasRead = () => {};
  /** Reading and changing follow each other. */
  #last: Promise<unknown> = Promise.resolve();
  #looking = false;
  #closed = false;
  /** What went wrong last, as it was logged; an error that stays is logged once. */
  #told: { readonly reading: string | null; readonly writing: string | null } = {
    reading: null,
    writing: null,
  };

  constructor({ space, clock, log }: AccessStoreParts) {
    this.#space = space;
    this.#clock = clock;
    this.#log = log;
    this.#firstRead = new Promise((resolve) => {
      this.#wasRead = resolve;
    });
    this.#timer = clock.every(LOOK_EVERY_MS, () => this.#look());
    this.#look();
  }

  /** Does it outlive the process? */
  get durable(): boolean {
    return this.#space.durable;
  }

  /** Has it been read? Before that nobody knows which tokens were revoked. */
  get isLoaded(): boolean {
    return this.#loaded;
  }

  /** Resolves when it has been read. @throws FanfareError `unavailable` after 5 seconds */
  async loaded(): Promise<void> {
    if (this.#loaded || (await inTime(this.#clock, LOADED_WITHIN_MS, this.#firstRead))) return;
    throw notAnswered("read", undefined);
  }

  /**
   * Changes it; other nodes see it within a second.
   *
   * @param edit may be called again, with what it has made and what other nodes have changed
   * @throws FanfareError `unavailable` when it cannot be written; what `edit` throws, and then nothing is changed
   */
  async change(edit: (data: AccessData) => AccessData): Promise<void> {
    await this.#next(async () => {
      for (let tries = 0; tries < MAX_TRIES; tries++) {
        if (tries > 0 || !this.#loaded) await this.#writing(() => this.#read());
        const next = edit(this.data);
        if (!(await this.#writing(() => this.#write(next)))) continue;
        this.#tell();
        return;
      }
      throw notAnswered("written", new Error("other nodes change them all the time"));
    });
  }

  /** Reads what other nodes have changed until now. @throws FanfareError `unavailable` */
  async latest(): Promise<void> {
    await this.#next(() => this.#readIfChanged()).catch((error: unknown) => {
      throw notAnswered("read", error);
    });
  }

  /** Calls whenever what is in it was changed, by this node or another. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  close(): void {
    this.#closed = true;
    this.#timer.cancel();
    this.#listeners.length = 0;
  }

  #look(): void {
    if (this.#looking) return;
    this.#looking = true;
    this.#next(() => this.#readIfChanged())
      .then(
        () => this.#answered("reading"),
        (error: unknown) => this.#failed("reading", error),
      )
      .finally(() => {
        this.#looking = false;
      });
  }

  async #readIfChanged(): Promise<void> {
    if ((await this.#ask(() => this.#space.version())) !== this.#version) await this.#read();
  }

  /** @throws TypeError when it is not what was written; then all of it stays as it was */
  async #read(): Promise<void> {
    // Before reading: what changes in between is read once more.
    const version = await this.#ask(() => this.#space.version());
    const values = await this.#ask(() => this.#space.list(null, PARTS.length));
    const texts = new Map(values.map(({ key, value }) => [key, value]));
    let { data } = this;
    for (const part of PARTS) {
      const text = texts.get(part);
      if (text === this.#texts.get(part)) continue;
      data = text === undefined ? { ...data, [part]: [] } : withPart(data, part, text);
    }
    for (const part of PARTS) this.#remember(part, texts.get(part));
    this.#version = version;
    const isNew = data !== this.data || !this.#loaded;
    this.data = data;
    this.#loaded = true;
    this.#wasRead();
    if (isNew) this.#tell();
  }

  /** @returns false when another node has changed something meanwhile; then only a part may have been written */
  async #write(next: AccessData): Promise<boolean> {
    for (const part of PARTS) {
      if (next[part] === this.data[part]) continue;
      const before = this.#texts.get(part);
      const text = JSON.stringify(next[part]);
      if (text === (before ?? "[]")) continue;
      if (!(await this.#ask(() => this.#space.compareAndSet(part, before ?? null, text)))) return false;
      this.#remember(part, text);
      this.data = { ...this.data, [part]: next[part] };
    }
    return true;
  }

  #remember(part: Part, text: string | undefined): void {
    if (text === undefined) this.#texts.delete(part);
    else this.#texts.set(part, text);
  }

  /** @throws FanfareError `unavailable` instead of what went wrong, which is logged */
  async #writing<Answer>(work: () => Promise<Answer>): Promise<Answer> {
    try {
      const answer = await work();
      this.#answered("writing");
      return answer;
    } catch (error) {
      this.#failed("writing", error);
      throw notAnswered("written", error);
    }
  }

  async #ask<Answer>(call: () => Promise<Answer>): Promise<Answer> {
    if (this.#closed) throw new Error("the server has stopped");
    return await call();
  }

  #next<Answer>(work: () => Promise<Answer>): Promise<Answer> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return done;
  }

  #failed(doing: "reading" | "writing", error: unknown): void {
    const what = asError(error instanceof FanfareError ? (error.cause ?? error) : error).message;
    if (this.#closed || this.#told[doing] === what) return;
    this.#told = { ...this.#told, [doing]: what };
    this.#log.error(
      { err: error },
      `keys and revocations cannot be ${doing === "reading" ? "read" : "written"}; it is tried again`,
    );
  }

  #answered(doing: "reading" | "writing"): void {
    if (this.#told[doing] === null) return;
    this.#told = { ...this.#told, [doing]: null };
    this.#log.info({}, `keys and revocations can be ${doing === "reading" ? "read" : "written"} again`);
  }

  #tell(): void {
    for (const listener of this.#listeners) {
      try {
        listener();
      } catch (error) {
        // What was changed is written, and the others hear of it.
        this.#log.error({ err: error }, "a change of the keys and revocations was not taken over everywhere");
      }
    }
  }
}

/** @throws TypeError, FanfareError when that cannot be known */
export async function hasStoredKeys(space: Space): Promise<boolean> {
  const text = await space.get("keys");
  return text !== null && withPart(NOTHING_STORED, "keys", text).keys.length > 0;
}

function notAnswered(what: "read" | "written", cause: unknown): FanfareError {
  return new FanfareError("unavailable", `keys and revocations cannot be ${what}; the log says why`, {
    remedy: "See that the server reaches its engine, may write to its dataDir, and that there is room.",
    cause,
  });
}
