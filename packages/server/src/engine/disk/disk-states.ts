/** The states of channels on the disk, apart from their logs: what a log lets go of changes nothing here. */
import type { ChannelName } from "@fanfare/protocol";
import type { ChannelState } from "../engine.js";
import type { DiskLog, OnDisk } from "./disk-log.js";
import type { Table } from "./store/table.js";

const OFFSET_BYTES = 6;

export class DiskStates {
  /** By channel: the offset of the last change, then the state; nothing after the offset stands for one that was removed. */
  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
  }

  /** What holds for a change of it, on the disk or not. @throws DamagedError */
  latest({ channel, epoch }: DiskLog): ChannelState | null {
    return stateOf(this.#table.get(channel), epoch);
  }

  /** The state on the disk. */
  onDisk(channel: ChannelName, { epoch }: OnDisk): ChannelState | null {
    return stateOf(this.#table.stored(channel), epoch);
  }

  /** Is there a state, and not only a removed one? */
  has(channel: ChannelName): boolean {
    return (this.#table.lengthOf(channel) ?? 0) > OFFSET_BYTES;
  }

  set(channel: ChannelName, offset: number, json: string | null): void {
    const bytes = Buffer.alloc(OFFSET_BYTES + Buffer.byteLength(json ?? ""));
    bytes.writeUIntBE(offset, 0, OFFSET_BYTES);
    bytes.write(json ?? "", OFFSET_BYTES);
    this.#table.put(channel, bytes);
  }

  remove(channel: ChannelName): void {
    if (this.#table.lengthOf(channel) !== null) this.#table.remove(channel);
  }
}

function stateOf(bytes: Buffer | null, epoch: ChannelState["epoch"]): ChannelState | null {
  if (!bytes) return null;
  const json = bytes.length > OFFSET_BYTES ? bytes.toString("utf8", OFFSET_BYTES) : null;
  return { epoch, offset: bytes.readUIntBE(0, OFFSET_BYTES), json };
}
