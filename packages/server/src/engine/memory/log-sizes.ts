/**
 * The bytes that all logs in memory take, and the log that has to lose a message when that is too much: one of an owner who has more than a part of it, else
 * one of the largest. So no owner loses history because another one fills many logs. Does not touch the logs.
 */

import { type OwnList, PerOwner, partOf } from "../per-owner.js";
import { LargestFirst } from "./largest-first.js";
import type { MemoryLog } from "./memory-log.js";

export class LogSizes {
  readonly #logs = new LargestFirst<MemoryLog>();
  readonly #perOwner = new PerOwner<MemoryLog>(Number.POSITIVE_INFINITY);
  readonly #owners = new LargestFirst<OwnList<MemoryLog>>();

  /** Bytes of all logs. */
  get bytes(): number {
    return this.#logs.bytes;
  }
  /** Messages of all logs. */
  get count(): number {
    return this.#logs.count;
  }

  /** Owners who have a log. */
  get owners(): number {
    return this.#perOwner.size;
  }

  /** The log counts for an owner from now on. To be called while it is in no list. */
  own(log: MemoryLog, owner: string): void {
    this.#perOwner.add(log, owner);
    this.#ownerChanged(log, 0);
  }

  /** To be called after each change of a log, with what it held before. */
  changed(log: MemoryLog, bytesBefore: number, countBefore: number): void {
    this.#logs.changed(log, bytesBefore, countBefore);
    this.#ownerChanged(log, bytesBefore);
  }

  /** The log, which is empty, is thrown away. */
  gone(log: MemoryLog): void {
    this.#perOwner.remove(log);
  }

  /** The log that is to lose its oldest message. @param most bytes that all may have together */
  next(most: number): MemoryLog | undefined {
    const list = this.#owners.largest(partOf(most));
    return (list && this.#nextOf(list)) ?? this.#logs.largest();
  }

  clear(): void {
    this.#logs.clear();
    this.#owners.clear();
    this.#perOwner.clear();
  }

  /** Those of one owner lose messages in turn. Empty ones leave the list until something is appended to them. */
  #nextOf(list: OwnList<MemoryLog>): MemoryLog | undefined {
    for (let log = list.oldest; log; log = list.oldest) {
      if (log.count > 0) {
        this.#perOwner.renew(log);
        return log;
      }
      this.#perOwner.remove(log);
    }
    return undefined;
  }

  #ownerChanged(log: MemoryLog, bytesBefore: number): void {
    const { list } = log;
    if (!list) return;
    const before = list.bytes;
    list.bytes += log.bytes - bytesBefore;
    this.#owners.changed(list, before, list.count);
  }
}
