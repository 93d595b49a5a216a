/**
 * A named place of an engine for what is neither a message nor a session: API keys, revocations, tickets, the nodes there are. Knows
 * nothing of what its values mean.
 */
import { FanfareError } from "@fanfare/protocol";

/** The most bytes of a key as UTF-8. */
const MAX_SPACE_KEY_BYTES = 1000;

/** All nodes see the same values. All calls throw `unavailable` after the engine's end. */
export interface Space {
  /** Do the values outlive the process? */
  readonly durable: boolean;

  /**
   * The value of a key, whether or not it is on the disk yet; `null` when there is none.
   *
   * @throws FanfareError `invalid_request` for a key of more than 1,000 bytes; `unavailable`
   */
  get(key: string): Promise<string | null>;

  /**
   * Sets a value, or removes it (`null`), if the value there is the expected one; `null` expects none. Of several calls at once with
   * the same expectation only one succeeds. Resolves when the outcome is as lasting as the engine is.
   *
   * @returns whether it was set
   * @throws FanfareError `invalid_request` for a key of more than 1,000 bytes; `insufficient_storage`, `unavailable`
   */
  compareAndSet(key: string, expected: string | null, value: string | null): Promise<boolean>;

  /**
   * The values after a key, or from the first (`null`), in the order of their keys' bytes as UTF-8: at most this many. Shows what is
   * as lasting as the engine is.
   *
   * @throws FanfareError `unavailable`
   */
  list(after: string | null, limit: number): Promise<SpaceValue[]>;

  /**
   * Another number after each change, so that a node learns cheaply whether to read again. Two equal answers mean that `list` gave
   * the same in between; which of two is greater means nothing. A change that `compareAndSet` has answered for is in it.
   *
   * @throws FanfareError `unavailable`
   */
  version(): Promise<number>;
}

/** The options of a space. */
export interface SpaceOptions {
  /**
   * The values may be lost when all processes of the engine have ended, and those that were not changed for a week before that. An engine
   * that lives in one process keeps them in its memory.
   *
   * @default false
   */
  readonly volatile?: boolean;
}

export interface SpaceValue {
  readonly key: string;
  readonly value: string;
}

/**
 * A key as its UTF-8 bytes, each a character: what sorts as the keys of a space do.
 *
 * @throws FanfareError `invalid_request`
 */
export function bytesOfKey(key: string): string {
  const bytes = Buffer.from(key);
  if (bytes.length <= MAX_SPACE_KEY_BYTES) return bytes.toString("latin1");
  throw new FanfareError(
    "invalid_request",
    `a key of a space has ${bytes.length} bytes, and at most ${MAX_SPACE_KEY_BYTES} are allowed`,
    { remedy: "Use a shorter key, such as a digest of it." },
  );
}

export function keyOfBytes(bytes: string): string {
  return Buffer.from(bytes, "latin1").toString();
}
