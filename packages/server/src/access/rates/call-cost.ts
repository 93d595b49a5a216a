/**
 * What calls cost: they are counted by what they make the server do, so that a few large ones weigh as much as many small ones. What a call
 * costs is known only when it is done, so 1 is counted before, and the rest afterwards.
 */

/** An answer of this many bytes costs about as much as one call. */
const BYTES_PER_READ = 64 * 1024;
/** Looking at this many records costs about as much as one call. */
const RECORDS_PER_READ = 100;

/**
 * Taking apart, checking and appending this many bytes costs about as much as a small message. Larger ones take longer: a
 * state of 64 KiB is parsed
 * and printed with each patch.
 */
const BYTES_PER_WRITE = 16 * 1024;

/** What a call has read. */
export interface ReadWork {
  /** Bytes, or characters, of the answer. */
  readonly bytes?: number;
  /** Records, members or names that were looked at, also those that are not in the answer. */
  readonly records?: number;
}

/** How many calls this counts as beyond the one that was counted before. */
export function extraReads({ bytes = 0, records = 0 }: ReadWork): number {
  return Math.floor(bytes / BYTES_PER_READ) + Math.floor(records / RECORDS_PER_READ);
}

/** The same of a call that publishes a message or changes a state. @param bytes of the message as JSON, or of the state */
export function extraWrites(bytes: number): number {
  return Math.floor(bytes / BYTES_PER_WRITE);
}
