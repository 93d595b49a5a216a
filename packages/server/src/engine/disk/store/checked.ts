/**
 * How a value lies in the store: with a checksum of it and its key behind it, so that what a disk has changed is never taken for what
 * was written. CRC-32 (RFC 1952) finds every damage of up to 32 bits in a row.
 */
import { crc32 } from "node:zlib";

/** Bytes of the checksum. */
export const CHECK_BYTES = 4;

export function checked(key: Buffer, value: Buffer): Buffer {
  const record = Buffer.allocUnsafe(value.length + CHECK_BYTES);
  value.copy(record);
  record.writeUInt32LE(crc32(value, crc32(key)), value.length);
  return record;
}

/** The value; `null` when it is not what was written. */
export function intact(key: Buffer, record: Buffer): Buffer | null {
  const length = record.length - CHECK_BYTES;
  if (length < 0) return null;
  const value = record.subarray(0, length);
  return crc32(value, crc32(key)) === record.readUInt32LE(length) ? value : null;
}
