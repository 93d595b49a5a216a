/**
 * The messages of all logs on the disk: puts them there, finds which of a log are alive, reads them, and removes those that
 * are not, a few at a time. Keeps what all together take below a bound, at the cost of the largest logs.
 */
import type { ChannelName } from "@fanfare/protocol";
import type { LogEntry, ReadLimit } from "../engine.js";
import {
  decodeEntry,
  encodeEntry,
  entryAge,
  messageKey,
  numberKey,
  numberOfKey,
  sizeOnDisk,
} from "./codec.js";
import type { DiskLog, OnDisk } from "./disk-log.js";
import type { Ledger } from "./ledger.js";
import type { Table } from "./table.js";

/** So many messages are removed for each that is appended, at most: a log that has to shrink does so bit by bit. */
const REMOVED_PER_APPEND = 16;
/** Logs below so many bytes are one class; each class above is twice as wide. */
const SMALLEST_CLASS = 1024;
const LARGEST_CLASS = 63;

export class DiskMessages {
  readonly #messages: Table;
  /** Logs by size, the largest class first: the class turned round, then the log's number; the channel is the value. */
  readonly #sizes: Table;
  /** Logs that are gone, and whose messages have yet to go: number, then first and last offset. */
  readonly #graves: Table;
  readonly #ledger: Ledger;

  constructor(tables: { messages: Table; sizes: Table; graves: Table }, ledger: Ledger) {
    this.#messages = tables.messages;
    this.#sizes = tables.sizes;
    this.#graves = tables.graves;
    this.#ledger = ledger;
  }

  /** How many lie on the disk. */
  get size(): number {
    return this.#messages.size;
  }

  put(log: DiskLog, message: LogEntry, at: number): void {
    const bytes = encodeEntry(message, at);
    this.#messages.put(messageKey(log.id, message.offset), bytes);
    this.#resize(log, sizeOnDisk(bytes.length));
    // What is too old is passed over by whoever reads, and removed by the sweep.
    this.#keepNewest(log);
    this.#dropDead(log, REMOVED_PER_APPEND);
  }

  /** Lets go of what retention does not hold on to, and removes some of it. @returns whether something changed */
  trim(log: DiskLog, at: number, atMost: number): boolean {
    const { first, floor } = log;
    this.#keepNewest(log);
    const isAlive = this.#isAlive(log.id, at - log.retention.ageMs, (key) => this.#messages.get(key));
    log.first = firstOf(log.first, log.head + 1, isAlive);
    this.#dropDead(log, atMost);
    return log.first !== first || log.floor !== floor;
  }

  /** Logs that are not what they were on the disk may be in the wrong class here, and are passed over. */
  *largest(): Generator<{ channel: ChannelName; isInClass: (log: DiskLog) => boolean }> {
    for (const [key, channel] of this.#sizes.entries()) {
      const isInClass = (log: DiskLog) => log.bytes > 0 && sizeKey(log.bytes, log.id) === key;
      yield { channel: channel.toString("latin1") as ChannelName, isInClass };
    }
  }

  /** Takes the oldest message from a log that has one, whatever its retention says. */
  dropOldest(log: DiskLog): void {
    log.first = Math.max(log.first, log.floor + 1);
    this.#dropOldest(log);
  }

  /** Nobody will ask for this log any more. */
  bury(log: DiskLog): void {
    if (log.bytes > 0) this.#sizes.remove(sizeKey(log.bytes, log.id));
    if (log.floor > log.head) return;
    this.#graves.put(numberKey(log.id), Buffer.from(numberKey(log.floor) + numberKey(log.head), "latin1"));
  }

  /** Removes messages of logs that are gone. @returns how many more may be removed */
  emptyGraves(atMost: number): number {
    let left = atMost;
    for (const [key, value] of this.#graves.entries()) {
      if (left <= 0) break;
      const [id, to] = [numberOfKey(key), value.readUIntBE(6, 6)];
      let from = value.readUIntBE(0, 6);
      for (; from <= to && left > 0; from++, left--) this.#ledger.bytes -= this.#remove(id, from);
      if (from > to) this.#graves.remove(key);
      else this.#graves.put(key, Buffer.from(numberKey(from) + numberKey(to), "latin1"));
    }
    return left;
  }

  /** The offset of the oldest message that is alive and on the disk; `head + 1` when none is. */
  firstOnDisk(log: OnDisk, at: number): number {
    // A commit that is over, but of which nobody has been told yet, may have removed some.
    const isAlive = this.#isAlive(log.id, at - log.retention.ageMs, (key) => this.#messages.stored(key));
    return firstOf(log.first, log.head + 1, isAlive);
  }

  read(channel: ChannelName, log: OnDisk, from: number, { messages, bytes }: ReadLimit): LogEntry[] {
    const found: LogEntry[] = [];
    if (from > log.head || messages <= 0) return found;
    let total = 0;
    let offset = from;
    for (const [, value] of this.#messages.storedFrom(
      messageKey(log.id, from),
      messageKey(log.id, log.head),
    )) {
      const message = decodeEntry(value, channel, log.epoch, offset++);
      total += message.json.length;
      if (total > bytes && found.length > 0) break;
      found.push(message);
      if (found.length >= messages) break;
    }
    return found;
  }

  #isAlive(id: number, oldest: number, get: (key: string) => Buffer | null): (offset: number) => boolean {
    return (offset) => {
      const bytes = get(messageKey(id, offset));
      return bytes !== null && entryAge(bytes) >= oldest;
    };
  }

  #keepNewest(log: DiskLog): void {
    log.first = Math.max(log.first, log.head - log.retention.messages + 1);
  }

  #dropDead(log: DiskLog, atMost: number): void {
    for (let left = atMost; left > 0 && log.floor < log.first; left--) this.#dropOldest(log);
  }

  #dropOldest(log: DiskLog): void {
    if (log.floor > log.head) return;
    this.#resize(log, -this.#remove(log.id, log.floor));
    log.floor += 1;
  }

  /** @returns what it took */
  #remove(id: number, offset: number): number {
    const key = messageKey(id, offset);
    const bytes = this.#messages.get(key);
    if (!bytes) return 0;
    this.#messages.remove(key);
    return sizeOnDisk(bytes.length);
  }

  #resize(log: DiskLog, bytes: number): void {
    const before = log.bytes > 0 ? sizeKey(log.bytes, log.id) : null;
    log.bytes += bytes;
    this.#ledger.bytes += bytes;
    const after = log.bytes > 0 ? sizeKey(log.bytes, log.id) : null;
    if (before === after) return;
    if (before !== null) this.#sizes.remove(before);
    if (after !== null) this.#sizes.put(after, Buffer.from(log.channel, "latin1"));
  }
}

function sizeKey(bytes: number, id: number): string {
  const size = bytes < SMALLEST_CLASS ? 0 : 1 + Math.floor(Math.log2(bytes / SMALLEST_CLASS));
  return String.fromCharCode(LARGEST_CLASS - size) + numberKey(id);
}

/** The first number from `low` on, below `high`, for which it holds; it holds for all after one for which it does. */
function firstOf(low: number, high: number, holds: (value: number) => boolean): number {
  let [from, to] = [low, high];
  // Most often it holds for the first.
  if (from < to && holds(from)) return from;
  while (from < to) {
    const middle = Math.floor((from + to) / 2);
    if (holds(middle)) to = middle;
    else from = middle + 1;
  }
  return from;
}
