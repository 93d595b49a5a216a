/** The holdings of owners, on the disk: a record for each, written with the commit that changes it. */

import type { Slices } from "../../base/slices.js";
import type { Holdings, OwnerHoldings } from "../engine.js";
import { Greatest } from "../greatest.js";
import { ALL, type HoldingsTable } from "../shares.js";
import type { Key, Table } from "./store/table.js";

/** A walk over what is on the disk is done in one go; this many owners are read in one. */
const READ_AT_ONCE = 500;

export class DiskHoldings implements HoldingsTable {
  /** By owner: the counts as JSON. */
  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
  }

  get(owner: string): Holdings | null {
    // Whose figures are damaged begins to count anew.
    const bytes = this.#table.getIntact(keyOf(owner));
    return bytes && holdingsOf(bytes);
  }

  set(owner: string, holdings: Holdings | null): void {
    if (holdings) this.#table.put(keyOf(owner), Buffer.from(JSON.stringify(holdings)));
    else this.#table.remove(keyOf(owner));
  }

  /** As it is on the disk. @param isOpen may the disk still be read? */
  async greatest(
    by: keyof Holdings,
    limit: number,
    slices: Slices,
    isOpen: () => boolean,
  ): Promise<OwnerHoldings[]> {
    const greatest = new Greatest<keyof Holdings, OwnerHoldings>(by, limit);
    await slices.each(this.#pages(isOpen), (page) => {
      for (const [key, bytes] of page) {
        const owner = ownerOf(key);
        if (bytes && owner !== ALL) greatest.offer({ owner, ...holdingsOf(bytes) });
      }
    });
    return greatest.take();
  }

  *#pages(isOpen: () => boolean): Generator<[Key, Buffer | null][]> {
    for (let from = ""; isOpen(); ) {
      const page: [Key, Buffer | null][] = [];
      for (const entry of this.#table.storedFrom(from)) {
        page.push(entry);
        if (page.length === READ_AT_ONCE) break;
      }
      yield page;
      const last = page.at(-1);
      if (!last || page.length < READ_AT_ONCE) return;
      from = `${last[0]}\0`;
    }
  }
}

/** A key may not be empty. */
function keyOf(owner: string): Key {
  return `=${Buffer.from(owner).toString("latin1")}`;
}

function ownerOf(key: Key): string {
  return Buffer.from(key.slice(1), "latin1").toString();
}

function holdingsOf(bytes: Buffer): Holdings {
  return JSON.parse(bytes.toString());
}
