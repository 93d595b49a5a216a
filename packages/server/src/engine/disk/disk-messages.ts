/**
 * The messages of all logs on the disk: puts them there, finds which of a log are alive, reads them, and removes those that
 * are not, a few at a time. Says which logs have to shrink when all together take too much.
 */
import type { ChannelName } from "@fanfare/protocol";
import { DamagedError } from "../damaged.js";
import type { LogEntry, LossReason, ReadLimit } from "../engine.js";
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
import { OwnerLogs } from "./owner-logs.js";
import type { Table } from "./store/table.js";

/** This many messages are removed for each that is appended, at most: a log that has to shrink does so bit by bit. */
const REMOVED_PER_APPEND = 16;
/** Logs below this many bytes are one class; each class above is twice as wide. */
const SMALLEST_CLASS = 1024;
const LARGEST_CLASS = 63;

export class DiskMessages {
  readonly #messages: Table;
  /** Logs by size, the largest class first: the class turned round, then the log's number; the channel is the value. */
  readonly #sizes: Table;
  /** Logs that are gone, and whose messages have yet to go: number, then first and last offset. */
  readonly #graves: Table;
  readonly #owners: OwnerLogs;
  readonly #ledger: Ledger;

  /** @param maxBytes what all may take together */
  constructor(
    tables: { messages: Table; sizes: Table; graves: Table; ownerLogs: Table },
    ledger: Ledger,
    maxBytes: number,
  ) {
    this.#messages = tables.messages;
    this.#sizes = tables.sizes;
    this.#graves = tables.graves;
    this.#owners = new OwnerLogs(tables.ownerLogs, maxBytes);
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
    // Reads pass over what is too old, and the sweep removes it.
    this.#keepNewest(log);
    this.#dropDead(log, REMOVED_PER_APPEND);
  }

  /** Lets go of what retention does not hold on to, and removes some of it. @returns whether something changed */
  trim(log: DiskLog, at: number, atMost: number): boolean {
    const { first, floor } = log;
    this.#keepNewest(log);
    const isAlive = this.#isAlive(log, at, (key) => this.#messages.get(key));
    log.first = firstOf(log.first, log.head + 1, isAlive);
    this.#dropDead(log, atMost);
    return log.first !== first || log.floor !== floor;
  }

  /** Logs that are not what they were on the disk may be in the wrong class here, and are passed over. */
  *largest(): Generator<{ channel: ChannelName; isInClass: (log: DiskLog) => boolean }> {
    for (const [key, channel] of this.#sizes.entries()) {
      if (channel === null) continue;
      const isInClass = (log: DiskLog) => log.bytes > 0 && sizeKey(log.bytes, log.id) === key;
      yield { channel: channel.toString("latin1") as ChannelName, isInClass };
    }
  }

  /** The same for owners who have more than a part of the room, each as long as it is so. */
  *ofTheRich(): ReturnType<DiskMessages["largest"]> {
    for (const { channel, key, isRich } of this.#owners.ofTheRich()) {
      const isInClass = (log: DiskLog) => log.bytes > 0 && sizeKey(log.bytes, log.id) === key && isRich();
      yield { channel, isInClass };
    }
  }

  /** Takes the oldest message from a log that has one, whatever its retention says. */
  dropOldest(log: DiskLog): void {
    log.first = Math.max(log.first, log.floor + 1);
    this.#dropOldest(log);
  }

  /** No call will ask for this log any more. */
  bury(log: DiskLog): void {
    if (log.bytes > 0) {
      const key = sizeKey(log.bytes, log.id);
      this.#sizes.remove(key);
      this.#owners.resized(log, -log.bytes, key, null);
    }
    if (log.floor > log.head) return;
    this.#graves.put(numberKey(log.id), Buffer.from(numberKey(log.floor) + numberKey(log.head), "latin1"));
  }

  /** Removes messages of logs that are gone. @returns how many more may be removed */
  emptyGraves(atMost: number): number {
    let left = atMost;
    for (const [key, value] of this.#graves.entries()) {
      if (left <= 0) break;
      if (value === null) {
        // Which messages lie there cannot be known any more.
        this.#graves.remove(key);
        continue;
      }
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
    // A commit that is over, but which no caller knows of yet, may have removed some.
    const isAlive = this.#isAlive(log, at, (key) => this.#messages.stored(key));
    return firstOf(log.first, log.head + 1, isAlive);
  }

  /** @param lost what the page will say of the position that was asked for @throws DamagedError that says where */
  read(
    channel: ChannelName,
    log: OnDisk,
    from: number,
    { messages, bytes }: ReadLimit,
    lost?: LossReason,
  ): LogEntry[] {
    const found: LogEntry[] = [];
    if (from > log.head || messages <= 0) return found;
    let total = 0;
    let offset = from;
    const damaged = (cause?: unknown) => {
      const position = { epoch: log.epoch, offset };
      return new DamagedError(`the message ${offset} of ${channel}`, cause, {
        position,
        before: found.length,
        lost,
      });
    };
    const range = this.#messages.storedFrom(messageKey(log.id, from), messageKey(log.id, log.head));
    try {
      for (const [key, value] of range) {
        // No offset is left out between the oldest that is held and the newest.
        if (value === null || key !== messageKey(log.id, offset)) throw damaged();
        const message = decodeEntry(value, channel, log.epoch, offset);
        total += message.json.length;
        if (total > bytes && found.length > 0) return found;
        found.push(message);
        offset++;
        if (found.length >= messages) return found;
      }
    } catch (error) {
      throw error instanceof DamagedError && !error.entry ? damaged(error) : error;
    }
    if (offset <= log.head) throw damaged();
    return found;
  }

  /** Damaged messages are as old as the one that follows, since their own age is not known. */
  #isAlive(
    { id, head, retention }: OnDisk,
    at: number,
    get: (key: string) => Buffer | null,
  ): (offset: number) => boolean {
    const oldest = at - retention.ageMs;
    return (offset) => {
      for (let next = offset; next <= head; next++) {
        try {
          const bytes = get(messageKey(id, next));
          return bytes !== null && entryAge(bytes) >= oldest;
        } catch (error) {
          if (!(error instanceof DamagedError)) throw error;
        }
      }
      return false;
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
    const length = this.#messages.lengthOf(key);
    if (length === null) return 0;
    this.#messages.remove(key);
    return sizeOnDisk(length);
  }

  #resize(log: DiskLog, bytes: number): void {
    const before = log.bytes > 0 ? sizeKey(log.bytes, log.id) : null;
    log.bytes += bytes;
    this.#ledger.bytes += bytes;
    const after = log.bytes > 0 ? sizeKey(log.bytes, log.id) : null;
    this.#owners.resized(log, bytes, before, after);
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
