/**
 * The stubs of forgotten channels on the disk: where their logs stood. There is a bound; beyond it those go that were not used for the
 * longest, and one owner has a part of them only. Knows no channels that have a log.
 */
import type { ChannelName } from "@fanfare/protocol";
import { decodeLog, encodeLog, numberKey, type StoredLog } from "./codec.js";
import type { Ledger } from "./ledger.js";
import { OwnerTable, tagIn, tagOf } from "./owner-table.js";
import type { Key, Table } from "./store/table.js";

/** The store's time, then a number that keeps apart what happens at once. */
const ORDER_BYTES = 12;

export class DiskStubs {
  /** By name: the key in `#order`, then the log. */
  readonly #stubs: Table;
  /** Names, the least recently used first, and behind a NUL the tag of the owner, where there is one. */
  readonly #order: Table;
  readonly #owners: OwnerTable;
  readonly #ledger: Ledger;
  readonly #maxStubs: number;

  constructor(
    tables: { stubs: Table; stubOrder: Table; stubOwners: Table },
    ledger: Ledger,
    maxStubs: number,
  ) {
    this.#stubs = tables.stubs;
    this.#order = tables.stubOrder;
    this.#owners = new OwnerTable(tables.stubOwners, maxStubs);
    this.#ledger = ledger;
    this.#maxStubs = maxStubs;
  }

  /** On the disk. */
  get size(): number {
    return this.#stubs.size;
  }

  /** Where the channel stood; `null` when there is no stub. @throws DamagedError */
  find(channel: ChannelName): StoredLog | null {
    return this.#logOf(this.#stubs.get(channel));
  }

  /** The same; what is damaged is not there. */
  findIntact(channel: ChannelName): StoredLog | null {
    return this.#logOf(this.#stubs.getIntact(channel));
  }

  put(channel: ChannelName, log: StoredLog, owner: string | null | undefined): void {
    this.#put(channel, encodeLog(log), tagOf(owner));
  }

  /** Keeps the channel's stub, if it has one, from being the next to go. @throws DamagedError */
  touch(channel: ChannelName): void {
    const stub = this.#stubs.get(channel);
    if (stub) this.#put(channel, stub.subarray(ORDER_BYTES), this.#remove(channel, stub));
  }

  remove(channel: ChannelName): void {
    const stub = this.#stubs.getIntact(channel);
    if (stub) this.#remove(channel, stub);
  }

  /** Throws away stubs where there are too many on the disk, or too many of one owner, at most this many. @returns how many */
  trim(atMost: number): number {
    let removed = 0;
    for (const [, order] of this.#owners.tooMany()) {
      if (removed >= atMost) return removed;
      this.#forget(order, this.#order.getIntact(order));
      removed++;
    }
    let left = Math.min(this.#stubs.size - removed - this.#maxStubs, atMost - removed);
    if (left <= 0) return removed;
    for (const [order, entry] of this.#order.entries()) {
      if (left-- <= 0) break;
      this.#forget(order, entry);
      removed++;
    }
    return removed;
  }

  #put(channel: ChannelName, log: Buffer, tag: Key): void {
    const order = numberKey(this.#ledger.at) + numberKey(this.#ledger.nextLog());
    this.#order.put(order, Buffer.from(tag ? `${channel}\0${tag}` : channel, "latin1"));
    this.#owners.add(tag, order);
    this.#stubs.put(channel, Buffer.concat([Buffer.from(order, "latin1"), log]));
  }

  /** @returns the tag of its owner */
  #remove(channel: ChannelName, stub: Buffer): Key {
    const order = stub.toString("latin1", 0, ORDER_BYTES);
    const { tag } = inOrder(this.#order.getIntact(order));
    this.#stubs.remove(channel);
    this.#removeOrder(order, tag);
    return tag;
  }

  /** @param entry what stands in the order; `null` where that is damaged */
  #forget(order: Key, entry: Buffer | null): void {
    const { channel, tag } = inOrder(entry);
    if (channel) this.#stubs.remove(channel);
    this.#removeOrder(order, tag);
  }

  #removeOrder(order: Key, tag: Key): void {
    this.#order.remove(order);
    this.#owners.remove(tag, order);
  }

  #logOf(stub: Buffer | null): StoredLog | null {
    return stub && decodeLog(stub.subarray(ORDER_BYTES), this.#ledger.life);
  }
}

/** Which channel an entry of the order is about, and the tag of its owner. */
function inOrder(entry: Buffer | null): { readonly channel: Key; readonly tag: Key } {
  const end = entry?.indexOf(0) ?? -1;
  const channel = entry?.toString("latin1", 0, end < 0 ? entry.length : end) ?? "";
  return { channel, tag: tagIn(end < 0 || !entry ? null : entry.subarray(end + 1)) };
}
