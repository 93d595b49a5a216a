/** The holdings of owners, in memory. */

import type { Slices } from "../../base/slices.js";
import type { Holdings, OwnerHoldings } from "../engine.js";
import { Greatest } from "../greatest.js";
import { ALL, type HoldingsTable } from "../shares.js";

export class MemoryHoldings implements HoldingsTable {
  readonly #holdings = new Map<string, Holdings>();

  get(owner: string): Holdings | null {
    return this.#holdings.get(owner) ?? null;
  }

  set(owner: string, holdings: Holdings | null): void {
    if (holdings) this.#holdings.set(owner, holdings);
    else this.#holdings.delete(owner);
  }

  async greatest(by: keyof Holdings, limit: number, slices: Slices): Promise<OwnerHoldings[]> {
    const greatest = new Greatest<keyof Holdings, OwnerHoldings>(by, limit);
    await slices.each(this.#holdings, ([owner, holdings]) => {
      if (owner !== ALL) greatest.offer({ owner, ...holdings });
    });
    return greatest.take();
  }

  clear(): void {
    this.#holdings.clear();
  }
}
