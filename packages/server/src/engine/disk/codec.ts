/** How logs lie in the store, byte by byte. A change here needs another `FORMAT`. */
import { type ChannelName, type Epoch, parseEpoch } from "@fanfare/protocol";
import type { LogEntry, Retention } from "../engine.js";
import type { Key } from "./store/table.js";

/** Bytes of ids, offsets, times and sizes: enough for 2^48 - 1. */
const NUMBER = 6;
export const NUMBER_MAX = 2 ** 48 - 1;

/** A whole number as it stands in a key: in the order of the numbers. */
export function numberKey(value: number): Key {
  const bytes = Buffer.allocUnsafe(NUMBER);
  bytes.writeUIntBE(value, 0, NUMBER);
  return bytes.toString("latin1");
}

export function numberOfKey(key: Key, start = 0): number {
  return Buffer.from(key.slice(start, start + NUMBER), "latin1").readUIntBE(0, NUMBER);
}

/** Where a message of a log lies. */
export function messageKey(log: number, offset: number): Key {
  const bytes = Buffer.allocUnsafe(2 * NUMBER);
  bytes.writeUIntBE(log, 0, NUMBER);
  bytes.writeUIntBE(offset, NUMBER, NUMBER);
  return bytes.toString("latin1");
}

// ---- entries: age, time, flags, event (of a change of the state: from), user?, id?, except?, json

const HAS = { user: 1, id: 2, except: 4 } as const;
const OPTIONAL = ["user", "id", "except"] as const;
type Parts = { [Name in (typeof OPTIONAL)[number]]?: string };
/** The entry is a change of the state. */
const CHANGE = { patch: 8, value: 16 } as const;

/** @param at when it was appended, by the store's time */
export function encodeEntry(entry: LogEntry, at: number): Buffer {
  const parts: Parts = entry;
  const first = entry.change ? String(entry.from) : entry.event;
  const texts = [first, ...OPTIONAL.map((name) => parts[name])].filter((text) => text !== undefined);
  const lengths = texts.map((text) => Buffer.byteLength(text));
  const head = 2 * NUMBER + 1;
  const size = lengths.reduce((sum, length) => sum + 4 + length, head) + Buffer.byteLength(entry.json);
  const bytes = Buffer.allocUnsafe(size);
  let place = bytes.writeUIntBE(at, 0, NUMBER);
  place = bytes.writeUIntBE(entry.time, place, NUMBER);
  const kind = entry.change ? CHANGE[entry.change] : 0;
  place = bytes.writeUInt8(
    OPTIONAL.reduce((flags, name) => (parts[name] === undefined ? flags : flags | HAS[name]), kind),
    place,
  );
  for (const [index, text] of texts.entries()) {
    place = bytes.writeUInt32BE(lengths[index] ?? 0, place);
    place += bytes.write(text, place);
  }
  bytes.write(entry.json, place);
  return bytes;
}

/** When the entry was appended, by the store's time. */
export function entryAge(bytes: Buffer): number {
  return bytes.readUIntBE(0, NUMBER);
}

export function decodeEntry(bytes: Buffer, channel: ChannelName, epoch: Epoch, offset: number): LogEntry {
  const flags = bytes.readUInt8(2 * NUMBER);
  let place = 2 * NUMBER + 1;
  const text = () => {
    const start = place + 4;
    place = start + bytes.readUInt32BE(place);
    return bytes.toString("utf8", start, place);
  };
  const first = text();
  const parts: Parts = {};
  for (const name of OPTIONAL) if (flags & HAS[name]) parts[name] = text();
  const time = bytes.readUIntBE(NUMBER, NUMBER);
  const common = { channel, epoch, offset, time, json: bytes.toString("utf8", place), ...parts };
  if (flags & CHANGE.patch) return { ...common, change: "patch", from: Number(first) };
  if (flags & CHANGE.value) return { ...common, change: "value", from: Number(first) };
  return { ...common, event: first };
}

// ---- where a log stands

/** The store's record of a channel's log. Times are milliseconds. */
export interface StoredLog {
  /** Its number; 0 while it has none, since nothing was appended. No number comes twice. */
  readonly id: number;
  readonly epoch: Epoch;
  /** The offset of the newest message ever appended. */
  readonly head: number;
  /** The offset of the oldest message that is held. */
  readonly first: number;
  /** The offset of the oldest message that still lies in the store, on its way out. */
  readonly floor: number;
  /** Bytes that the messages take, roughly. */
  readonly bytes: number;
  /** The time of the newest message, since 1970. */
  readonly time: number;
  /** When it was last used, by the store's time. */
  readonly usedAt: number;
  readonly retention: Retention;
  readonly startedOver: boolean;
  /** Who made the channel: `null` is an owner without a bound, and `undefined` says that nothing was appended since it is there. */
  readonly owner: string | null | undefined;
  /** The owner that brought the present state into being. */
  readonly stateOwner: string | null;
}

/** The facts about a log. */
const IS = { startedOver: 1, made: 2, owned: 4, stateOwned: 8 } as const;
const LOG_NUMBERS = 9;

/**
 * Of an epoch only its second half is stored with a log; its first half is the store's. So every log gets another epoch at once
 * when the store begins another life.
 */
export const EPOCH_BYTES = 4;

export function writeEpoch(bytes: Buffer, epoch: Epoch, place: number): number {
  return place + bytes.write(epoch.slice(-2 * EPOCH_BYTES), place, "hex");
}

/** @param life the first half of every epoch of the store */
export function readEpoch(bytes: Buffer, life: string, place: number): Epoch {
  return parseEpoch(life + bytes.toString("hex", place, place + EPOCH_BYTES));
}

export function encodeLog(log: StoredLog): Buffer {
  const { owner, stateOwner } = log;
  const owners = [owner, stateOwner].flatMap((each) => (each ? [Buffer.from(each)] : []));
  const fixed = EPOCH_BYTES + LOG_NUMBERS * NUMBER + 1;
  const bytes = Buffer.allocUnsafe(owners.reduce((sum, each) => sum + 2 + each.length, fixed));
  let place = writeEpoch(bytes, log.epoch, 0);
  const { messages, ageMs } = log.retention;
  const { id, head, first, floor, bytes: size, time, usedAt } = log;
  for (const value of [id, head, first, floor, size, time, usedAt, messages, ageMs]) {
    place = bytes.writeUIntBE(Math.min(Math.floor(value), NUMBER_MAX), place, NUMBER);
  }
  const made = owner === undefined ? 0 : IS.made | (owner ? IS.owned : 0);
  place = bytes.writeUInt8(
    (log.startedOver ? IS.startedOver : 0) | made | (stateOwner ? IS.stateOwned : 0),
    place,
  );
  for (const each of owners) {
    place = bytes.writeUInt16BE(each.length, place);
    place += each.copy(bytes, place);
  }
  return bytes;
}

export function decodeLog(bytes: Buffer, life: string): StoredLog {
  const number = (index: number) => bytes.readUIntBE(EPOCH_BYTES + index * NUMBER, NUMBER);
  let place = EPOCH_BYTES + LOG_NUMBERS * NUMBER;
  const flags = bytes.readUInt8(place++);
  const text = () => {
    const start = place + 2;
    place = start + bytes.readUInt16BE(place);
    return bytes.toString("utf8", start, place);
  };
  return {
    epoch: readEpoch(bytes, life, 0),
    id: number(0),
    head: number(1),
    first: number(2),
    floor: number(3),
    bytes: number(4),
    time: number(5),
    usedAt: number(6),
    retention: { messages: number(7), ageMs: number(8) },
    startedOver: (flags & IS.startedOver) !== 0,
    owner: flags & IS.owned ? text() : flags & IS.made ? null : undefined,
    stateOwner: flags & IS.stateOwned ? text() : null,
  };
}

// ---- what a message takes

/** A value above this lies in pages of its own. */
const LARGEST_IN_PAGE = 2000;
const PAGE_BYTES = 4096;
const PAGE_HEADER = 16;
/** Key, header and pointer of an entry. */
const ENTRY_BYTES = 2 * NUMBER + 10;

/** Bytes on the disk, roughly, of a message with this many bytes. */
export function sizeOnDisk(length: number): number {
  if (length <= LARGEST_IN_PAGE) return ENTRY_BYTES + length;
  return ENTRY_BYTES + Math.ceil((length + PAGE_HEADER) / PAGE_BYTES) * PAGE_BYTES;
}
