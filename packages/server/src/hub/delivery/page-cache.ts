/**
 * The pages that were joined last. Clients that come back together, or lag together, are mostly at the same place, so one
 * joined page serves them all, also across turns of the event loop.
 */

import type { WirePage } from "../log/page.js";
import type { Encoding } from "../terms/subscriber.js";
import type { Channel } from "./channel.js";

/** Pages of at most 64 KiB, or one larger message each. */
const MAX_PAGES = 128;

interface Cached {
  readonly page: WirePage;
  readonly encoding: Encoding;
  /** Up to where the channel had been flushed: a page of then ends there, though more may fit into it now. */
  readonly flushed: number;
}

export class PageCache {
  /** By the channel's serial number and the place where the page begins. */
  readonly #pages = new Map<string, Cached>();

  get(channel: Channel, sequence: number, encoding: Encoding): WirePage | null {
    const cached = this.#pages.get(key(channel, sequence));
    return cached && cached.encoding === encoding && cached.flushed === channel.flushed ? cached.page : null;
  }

  put(channel: Channel, sequence: number, encoding: Encoding, page: WirePage): void {
    this.#pages.set(key(channel, sequence), { page, encoding, flushed: channel.flushed });
    if (this.#pages.size <= MAX_PAGES) return;
    for (const oldest of this.#pages.keys()) {
      this.#pages.delete(oldest);
      break;
    }
  }

  clear(): void {
    this.#pages.clear();
  }
}

function key(channel: Channel, sequence: number): string {
  return `${channel.serial}/${sequence}`;
}
