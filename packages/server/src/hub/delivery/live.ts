/**
 * The subscriptions of one channel that keep up, by their encodings. Writing to them is the hot path: the same bytes to
 * each, and nothing is allocated per subscription.
 */

import type { Entry } from "../log/entry.js";
import { buildPage, type PageOptions, type WirePage } from "../log/page.js";
import type { Counters } from "../terms/counters.js";
import type { Encoding } from "../terms/subscriber.js";
import type { Connection } from "./connection.js";
import type { Subscription } from "./subscription.js";

interface Group {
  readonly encoding: Encoding;
  readonly live: Subscription[];
  /** Whose they are, at the same places: where all goes well, the subscriptions themselves are not looked at. */
  readonly connections: Connection[];
}

/** A connection took no more: its subscription has seen up to this offset, or nothing of what was written (`null`). */
export type FallBehind = (subscription: Subscription, offset: number | null) => void;

export class LiveSubscriptions {
  readonly #counters: Counters;
  readonly #groups: Group[] = [];

  constructor(counters: Counters) {
    this.#counters = counters;
  }

  add(subscription: Subscription): void {
    const { encoding } = subscription.connection.subscriber;
    let group = this.#groups.find((each) => each.encoding === encoding);
    if (!group) {
      group = { encoding, live: [], connections: [] };
      this.#groups.push(group);
    }
    subscription.standAt(group.live.length);
    group.live.push(subscription);
    group.connections.push(subscription.connection);
  }

  /** All of them. */
  all(): Subscription[] {
    return this.#groups.flatMap(({ live }) => live);
  }

  /** All of them, which leaves none. */
  takeAll(): Subscription[] {
    return this.#groups.flatMap(({ live, connections }) => {
      connections.length = 0;
      return live.splice(0);
    });
  }

  remove(subscription: Subscription): void {
    const group = this.#groups.find((each) => each.live[subscription.index] === subscription);
    const last = group?.live.pop();
    const lastConnection = group?.connections.pop();
    if (!group || !last || !lastConnection || last === subscription) return;
    group.live[subscription.index] = last;
    group.connections[subscription.index] = lastConnection;
    last.standAt(subscription.index);
  }

  /** Writes these entries to all; a subscriber that cannot take them has to be removed by `fallBehind`. */
  write(entries: readonly Entry[], options: PageOptions, fallBehind: FallBehind): void {
    const excepted = connectionsExcepted(entries);
    for (const { encoding, live, connections } of this.#groups) {
      if (live.length === 0) continue;
      const pages = buildPages(entries, encoding, options);
      /** How many were written all of these pages. */
      let whole = live.length;
      // Backwards, so that taking one out (which moves the last into its place) does not skip another.
      for (let index = live.length - 1; index >= 0; index--) {
        const subscription = live[index];
        const connection = connections[index];
        if (!subscription || !connection) continue;
        if (connection.full) {
          whole--;
          fallBehind(subscription, null);
        } else if (excepted?.has(connection.id)) {
          whole--;
          const own = buildPages(entries, encoding, { ...options, recipient: connection.id });
          this.#count(own, writePages(subscription, connection, own, fallBehind), 1);
        } else {
          const written = writePages(subscription, connection, pages, fallBehind);
          if (written === pages.length) continue;
          whole--;
          this.#count(pages, written, 1);
        }
      }
      this.#count(pages, pages.length, whole);
    }
  }

  /** The first this many of these pages went to this many connections. */
  #count(pages: readonly WirePage[], written: number, connections: number): void {
    for (let index = 0; index < written; index++) {
      const page = pages[index];
      if (page) this.#counters.wrote(page, connections);
    }
  }
}

/** Answers with how many pages were written. */
function writePages(
  subscription: Subscription,
  connection: Connection,
  pages: readonly WirePage[],
  fallBehind: FallBehind,
): number {
  const last = pages.length - 1;
  for (let index = 0; index <= last; index++) {
    const page = pages[index];
    if (!page) return index;
    connection.write(page.bytes);
    if (connection.full && index < last) {
      fallBehind(subscription, page.offset);
      return index + 1;
    }
  }
  return pages.length;
}

function buildPages(entries: readonly Entry[], encoding: Encoding, options: PageOptions): WirePage[] {
  const pages: WirePage[] = [];
  for (let start = 0; start < entries.length; ) {
    const page = buildPage(entries, start, encoding, options);
    pages.push(page);
    start += page.count;
  }
  return pages;
}

function connectionsExcepted(entries: readonly Entry[]): Set<string> | null {
  let excepted: Set<string> | null = null;
  for (const { message } of entries) {
    if (message?.except === undefined) continue;
    excepted ??= new Set();
    excepted.add(message.except);
  }
  return excepted;
}
