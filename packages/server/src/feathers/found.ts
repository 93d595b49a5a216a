/** The answer of `find`: a page as Feathers has it, or a list where the service has no pages. */
import { FanfareError, type JsonObject } from "@fanfare/protocol";
import type { Order, Query } from "./query.js";
import type { Kept } from "./records.js";

/** An answer ends when it has this many bytes as JSON, whatever was asked for. */
export const MAX_ANSWER_BYTES = 1024 * 1024;

interface Page {
  /** How many there are in all, of those that the caller may read. */
  readonly total: number;
  /** The most that this page could hold; the next begins at `skip + limit`. */
  readonly limit: number;
  readonly skip: number;
  readonly data: readonly JsonObject[];
}

export type Found = Page | readonly JsonObject[];

/** Records in the order in which they came. */
export class FoundRecords {
  /** Characters of what was found, as JSON. */
  bytes = 0;
  readonly #query: Query;
  readonly #paged: boolean;
  readonly #counts: boolean;
  readonly #data: JsonObject[] = [];
  #limit: number;
  /** How many of those that come are not in the page. */
  #skip: number;
  #total: number;

  /**
   * @param paged is it asked how many there are in all?
   * @param total how many that is, where only those of the page come; else they are counted
   */
  constructor(query: Query, paged: boolean, total: number | null = null) {
    this.#query = query;
    this.#paged = paged;
    this.#limit = query.limit ?? Number.POSITIVE_INFINITY;
    this.#skip = total === null ? query.skip : 0;
    this.#counts = total === null;
    this.#total = total ?? 0;
  }

  /** Does it need no more? A page tells the total, for which all have to be looked at. */
  get isComplete(): boolean {
    return !this.#paged && this.#data.length >= this.#limit;
  }

  /** The next record that matches. @throws FanfareError `too_large` where the answer cannot say that it has ended early */
  add(kept: Kept): void {
    if (this.#counts) this.#total++;
    if (this.#skip > 0) {
      this.#skip--;
      return;
    }
    if (this.#data.length >= this.#limit) return;
    const { selects, selected } = this.#query;
    const record = selected(kept.record);
    const bytes = selects ? JSON.stringify(record).length : kept.length;
    if (this.bytes + bytes <= MAX_ANSWER_BYTES || this.#data.length === 0) {
      this.bytes += bytes;
      this.#data.push(record);
    } else if (this.#paged) this.#limit = this.#data.length;
    else throw tooLarge();
  }

  found(): Found {
    if (!this.#paged) return this.#data;
    return { total: this.#total, limit: this.#limit, skip: this.#query.skip, data: this.#data };
  }
}

/** Records that wait for their order. Of each only what that depends on is kept. */
export class Sorting {
  readonly #order: Order;
  readonly #skip: number;
  readonly #end: number;
  #rows: { readonly id: string; readonly keys: readonly unknown[] }[] = [];
  total = 0;

  constructor(order: Order, { skip, limit }: Query) {
    this.#order = order;
    this.#skip = skip;
    this.#end = skip + (limit ?? Number.POSITIVE_INFINITY);
  }

  add({ id, record }: Kept): void {
    this.total++;
    this.#rows.push({ id, keys: this.#order.keysOf(record) });
    if (this.#rows.length >= 2 * this.#end + 1000) this.#cut();
  }

  /** The ids of the page. */
  ids(): string[] {
    this.#cut();
    return this.#rows.slice(this.#skip).map(({ id }) => id);
  }

  /** Keeps what can still be in the page. */
  #cut(): void {
    this.#rows.sort((one, other) => this.#order.compare(one.keys, other.keys));
    this.#rows = this.#rows.slice(0, this.#end);
  }
}

export function tooLarge(): FanfareError {
  return new FanfareError("too_large", `the answer would have more than ${MAX_ANSWER_BYTES} bytes`, {
    remedy: "Narrow the query, or ask for less of each record with $select.",
  });
}
