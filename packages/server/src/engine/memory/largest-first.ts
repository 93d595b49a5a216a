/**
 * Counts what all logs together hold, and knows one of the largest without sorting: logs lie in classes by size, each
 * twice as wide as the one below. Knows nothing of channels or messages.
 */

/** A thing whose size changes. */
export interface Sized {
  readonly bytes: number;
  readonly count: number;
}

/** The logs below this size, in bytes, are one class. */
const SMALLEST_CLASS = 1024;

export class LargestFirst<Log extends Sized> {
  #bytes = 0;
  #count = 0;
  /** `#classes[n]` holds the logs below 2^n KiB that are too large for the class before. Empty logs are in none. */
  readonly #classes: Set<Log>[] = [];

  /** Bytes of all logs. */
  get bytes(): number {
    return this.#bytes;
  }
  /** Messages of all logs. */
  get count(): number {
    return this.#count;
  }

  /** To be called after each change of a log, with what it held before. Constant time. */
  changed(log: Log, bytesBefore: number, countBefore: number): void {
    this.#bytes += log.bytes - bytesBefore;
    this.#count += log.count - countBefore;
    const before = classOf(bytesBefore);
    const after = classOf(log.bytes);
    if (before === after) return;
    this.#classes[before]?.delete(log);
    if (after === EMPTY) return;
    for (let missing = this.#classes.length; missing <= after; missing++) this.#classes.push(new Set());
    this.#classes[after]?.add(log);
  }

  /**
   * A log that no other is twice as large as; of several in its class, the one that has been in it the longest.
   *
   * @param above it has to have more bytes than this
   */
  largest(above = 0): Log | undefined {
    const smallest = classOf(above);
    for (let size = this.#classes.length - 1; size >= 0 && size >= smallest; size--) {
      for (const log of this.#classes[size] ?? []) if (log.bytes > above) return log;
    }
    return undefined;
  }

  clear(): void {
    this.#bytes = 0;
    this.#count = 0;
    this.#classes.length = 0;
  }
}

const EMPTY = -1;

function classOf(bytes: number): number {
  // clz32 cuts off the fraction, and what is left fits 32 bits up to 4 TiB.
  return bytes === 0 ? EMPTY : 32 - Math.clz32(bytes / SMALLEST_CLASS);
}
