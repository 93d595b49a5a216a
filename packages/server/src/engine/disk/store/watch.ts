/**
 * Tells the operator about a store: why it takes no messages, when that begins and ends, and which parts are damaged, once.
 */
import { type FanfareError, quote } from "@fanfare/protocol";
import type { Log } from "../../../base/log.js";
import type { EngineTrouble } from "../../engine.js";
import { BACKUP } from "./errors.js";
import type { FreeSpace } from "./free-space.js";
import { type Place, PUT_BACK } from "./place.js";

/** This many damaged records are told. */
const MAX_TOLD = 1000;

export class Watch {
  readonly #folder: string;
  readonly #space: FreeSpace;
  readonly #place: Place;
  readonly #log: Log;
  #told: EngineTrouble | null = null;

  readonly #damaged = new Set<string>();

  constructor(folder: string, space: FreeSpace, place: Place, log: Log) {
    this.#folder = folder;
    this.#space = space;
    this.#place = place;
    this.#log = log;
  }

  get trouble(): EngineTrouble | null {
    if (this.#place.gone !== null) return "gone";
    return this.#space.isLow ? "full" : null;
  }

  /** Never throws. */
  async look(): Promise<void> {
    await this.#place.look();
    // A disk that does not answer has not changed, as far as is known.
    await this.#space.ask().catch(() => {});
    this.#tell();
  }

  /** A record is not what was written. @param key as it stands in the store */
  damaged(table: string, key: string): void {
    const place = `${table} ${Buffer.from(key, "latin1").toString("hex")}`;
    if (this.#damaged.has(place) || this.#damaged.size >= MAX_TOLD) return;
    this.#damaged.add(place);
    this.#log.error(
      { table, key: quote(key, 200), remedy: BACKUP },
      `a record in ${this.#folder} is damaged: it is not what was written there. Calls that need it are answered with 500`,
    );
  }

  /** The upkeep met what it did not expect. It goes on the next time. */
  failed(error: unknown): void {
    this.#log.error({ err: error }, `the upkeep of ${this.#folder} failed`);
  }

  /** A commit failed. What keeps all commits from being written is told once, when it begins. */
  notWritten(error: Error): void {
    if (error.cause === undefined || this.trouble !== null) return;
    this.#log.error({ err: error.cause }, `${this.#folder} could not be written to: ${error.message}`);
  }

  #tell(): void {
    const { trouble } = this;
    if (trouble === this.#told) return;
    this.#told = trouble;
    if (trouble === "gone")
      this.#log.error({ remedy: PUT_BACK }, `${this.#place.gone}: nothing is published`);
    else if (trouble === "full") this.#tellFull(this.#space.error());
    else this.#log.info({}, "messages are taken again");
  }

  #tellFull({ message, remedy }: FanfareError): void {
    this.#log.warn({ remedy, folder: this.#folder }, `nothing is published: ${message}`);
  }
}
