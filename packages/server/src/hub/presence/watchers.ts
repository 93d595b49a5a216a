/**
 * The subscriptions of one channel that may see who is there. Writes changes to all of them, the same bytes to each. One
 * that cannot take it, or has not had the list yet, is not owed every change: it is given the list as it is once there is room.
 */
import type { Connection } from "../delivery/connection.js";
import type { Subscription } from "../delivery/subscription.js";
import type { Counters } from "../terms/counters.js";
import type { Encoding, PresenceNews } from "../terms/subscriber.js";
import type { ListQueue, ListReader } from "./list-queue.js";

/** The parts of the channel that watchers need. */
export interface Watched {
  /** The list as it is, in pages, each of them news; one without members where names are not told. */
  list(): readonly PresenceNews[];
  /** Counts what has been announced: who was given a list before the last announcement lacks it. */
  readonly announcements: number;
  /** Characters of the list. */
  readonly listBytes: number;
}

const NOTHING: Uint8Array = new Uint8Array();

class Watcher implements ListReader {
  /** It lacks something: the list as a whole is to follow, and until then no changes. */
  due = false;
  ended = false;
  /** It is on its way. */
  reading = false;
  readonly #connection: Connection;
  readonly #owner: Watchers;

  constructor(connection: Connection, owner: Watchers) {
    this.#connection = connection;
    this.#owner = owner;
  }

  get connection(): Connection {
    return this.#connection;
  }

  get listBytes(): number {
    return this.ended ? 0 : this.#owner.watched.listBytes;
  }

  /** The list is written page by page, in turn with everything else that waits for the connection. */
  read(): void {
    if (this.ended || this.reading) return;
    this.reading = true;
    this.#connection.offer((encoding) => this.#page(this.#owner.pages(encoding), 0, encoding));
  }

  #page(list: PreparedList, index: number, encoding: Encoding): Uint8Array {
    if (this.ended) return NOTHING;
    const bytes = list.pages[index] ?? NOTHING;
    this.#owner.wrote(1);
    if (index + 1 < list.pages.length) {
      this.#connection.offer(() => this.#page(list, index + 1, encoding));
    } else {
      this.due = false;
      this.reading = false;
      if (list.announcements !== this.#owner.watched.announcements) this.#owner.owe(this);
    }
    return bytes;
  }
}

/** A list as bytes; it lacks what was announced since. */
interface PreparedList {
  readonly encoding: Encoding;
  readonly pages: readonly Uint8Array[];
  readonly announcements: number;
}

/** News as bytes: made when somebody takes them, and shared by all with the same encoding. */
class Frame {
  readonly #news: PresenceNews;
  #encoding: Encoding | null = null;
  #bytes: Uint8Array = NOTHING;

  constructor(news: PresenceNews) {
    this.#news = news;
  }

  bytes(encoding: Encoding): Uint8Array {
    if (this.#encoding !== encoding) {
      this.#encoding = encoding;
      this.#bytes = encoding.presence?.(this.#news) ?? NOTHING;
    }
    return this.#bytes;
  }
}

export class Watchers {
  readonly watched: Watched;
  readonly #queue: ListQueue;
  readonly #counters: Counters;
  readonly #watchers = new Map<Subscription, Watcher>();
  /** The last list that was made into bytes: after a storm, everybody is given the same. */
  #prepared: PreparedList | null = null;

  constructor(watched: Watched, queue: ListQueue, counters: Counters) {
    this.watched = watched;
    this.#queue = queue;
    this.#counters = counters;
  }

  get size(): number {
    return this.#watchers.size;
  }

  has(subscription: Subscription): boolean {
    return this.#watchers.has(subscription);
  }

  /** @param due whether the list is still to follow */
  add(subscription: Subscription, due: boolean): void {
    const watcher = new Watcher(subscription.connection, this);
    this.#watchers.set(subscription, watcher);
    if (due) this.owe(watcher);
  }

  delete(subscription: Subscription): void {
    const watcher = this.#watchers.get(subscription);
    if (!watcher) return;
    watcher.ended = true;
    this.#watchers.delete(subscription);
    this.#queue.delete(watcher);
  }

  clear(): void {
    for (const subscription of [...this.#watchers.keys()]) this.delete(subscription);
  }

  /** Writes news to all who have had the list; to those who wait for it, the count. */
  write(news: PresenceNews): void {
    this.#prepared = null;
    const { channel, count } = news;
    const whole = new Frame(news);
    const counted = new Frame({ channel, count });
    let written = 0;
    for (const watcher of this.#watchers.values()) {
      const { connection, due, reading } = watcher;
      if (connection.full) {
        if (!due) this.owe(watcher);
        continue;
      }
      if (reading) continue;
      connection.write((due ? counted : whole).bytes(connection.subscriber.encoding));
      written++;
    }
    this.wrote(written);
  }

  /** All of them lack something; they are told the count until they get it. */
  oweAll(news: Pick<PresenceNews, "channel" | "count">): void {
    for (const watcher of this.#watchers.values()) this.owe(watcher);
    this.write(news);
  }

  // ---- what a watcher asks

  owe(watcher: Watcher): void {
    watcher.due = true;
    this.#queue.add(watcher);
  }

  pages(encoding: Encoding): PreparedList {
    const { announcements } = this.watched;
    const prepared = this.#prepared;
    if (prepared?.encoding === encoding && prepared.announcements === announcements) return prepared;
    const pages = this.watched.list().map((news) => encoding.presence?.(news) ?? NOTHING);
    this.#prepared = { encoding, pages, announcements };
    return this.#prepared;
  }

  wrote(frames: number): void {
    this.#counters.presenceFrames += frames;
  }
}
