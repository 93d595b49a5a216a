/** A page of what `find` found, as Feathers has it. */
import type { JsonObject } from "@fanfare/protocol";

/** A page ends when it has so many bytes as JSON, whatever was asked for: it has to fit into one answer. */
const MAX_PAGE_BYTES = 1024 * 1024;

export interface Found {
  /** How many there are in all, of those that the caller may read. */
  readonly total: number;
  /** The most that this page could hold; the next begins at `skip + limit`. */
  readonly limit: number;
  readonly skip: number;
  readonly data: readonly JsonObject[];
}

export class FoundPage {
  readonly #skip: number;
  readonly #data: JsonObject[] = [];
  #limit: number;
  #bytes = 0;
  #total = 0;

  constructor(limit: number, skip: number) {
    this.#limit = limit;
    this.#skip = skip;
  }

  /** The next record that matches. */
  add(record: JsonObject): void {
    this.#total++;
    if (this.#total <= this.#skip || this.#data.length >= this.#limit) return;
    this.#bytes += JSON.stringify(record).length;
    if (this.#bytes > MAX_PAGE_BYTES && this.#data.length > 0) this.#limit = this.#data.length;
    else this.#data.push(record);
  }

  found(): Found {
    return { total: this.#total, limit: this.#limit, skip: this.#skip, data: this.#data };
  }
}
