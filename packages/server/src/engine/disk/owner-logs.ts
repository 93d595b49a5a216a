/**
 * The bytes that the logs of each owner take on the disk, so that an owner who has more than a part of the room can make it. Has the bytes of each
 * owner, and the owner's logs by size, the largest class first.
 */
import type { ChannelName } from "@fanfare/protocol";
import { partOf } from "../per-owner.js";
import { numberKey, numberOfKey } from "./codec.js";
import type { DiskLog } from "./disk-log.js";
import { NOBODY, TAG_BYTES, tagOf } from "./owner-table.js";
import type { Key, Table } from "./store/table.js";

export class OwnerLogs {
  /** By tag: the bytes. By tag and the key of the size: the channel. */
  readonly #table: Table;
  readonly #most: number;
  /** The owners that may have more than their part. */
  readonly #full = new Set<Key>();

  /** @param maxBytes of all logs together */
  constructor(table: Table, maxBytes: number) {
    this.#table = table;
    this.#most = partOf(maxBytes);
  }

  /** A log takes more, or less. @param before its key among the sizes, and after that; `null` where it is empty */
  resized({ owner, channel }: DiskLog, bytes: number, before: Key | null, after: Key | null): void {
    const tag = tagOf(owner);
    if (tag === NOBODY) return;
    const total = this.#bytes(tag) + bytes;
    if (total > 0) this.#table.put(tag, Buffer.from(numberKey(total), "latin1"));
    else this.#table.remove(tag);
    if (total > this.#most) this.#full.add(tag);
    if (before === after) return;
    if (before !== null) this.#table.remove(tag + before);
    if (after !== null) this.#table.put(tag + after, Buffer.from(channel, "latin1"));
  }

  /**
   * Logs of owners who have more than their part, with the key of their size, as long as it is more. To be walked in one go.
   */
  *ofTheRich(): Generator<{ channel: ChannelName; key: Key; isRich: () => boolean }> {
    for (const tag of this.#full) {
      const isRich = () => this.#bytes(tag) > this.#most;
      for (const [key, channel] of isRich() ? this.#table.entries(tag) : []) {
        if (!isRich()) break;
        if (key === tag || channel === null) continue;
        yield { channel: channel.toString("latin1") as ChannelName, key: key.slice(TAG_BYTES), isRich };
      }
      if (!isRich()) this.#full.delete(tag);
    }
  }

  /** Whose figure is damaged begins to count anew. */
  #bytes(tag: Key): number {
    const bytes = this.#table.getIntact(tag);
    return bytes ? numberOfKey(bytes.toString("latin1")) : 0;
  }
}
