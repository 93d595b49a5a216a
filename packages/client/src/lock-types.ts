/** The types of locks and sequences that users of the client see. */
import type { LockRecord, Numbers } from "@fanfare/protocol";
import type { Subscription } from "./types.js";

export interface LockOptions {
  /** How long the lock outlasts a lost connection or a page that is stopped, 1 to 86,400 whole seconds. @default 30 */
  readonly leaseSeconds?: number;
  /** Words for watchers, and for callers that find it held: any JSON value of at most 1 KiB. */
  readonly info?: unknown;
  /** Seconds to wait until it is free. @default 0 */
  readonly waitSeconds?: number;
}

/** A lock that this client holds. It is renewed until it is released, or lost. With `await using` it is released at the end of the block. */
export interface Lock {
  readonly name: string;
  /** The fencing token: hand it to what the lock protects, which refuses a smaller one than it has seen. */
  readonly token: number;
  /** Does the lock outlast the server's process? */
  readonly durable: boolean;
  /** Aborted when the lock is lost; the reason is a {@link ClientError}. Not when it is released. */
  readonly signal: AbortSignal;
  /**
   * Lets go of it. Where the server cannot be told now, as without a connection or over a rate, the client tells it later, unless the lease
   * has ended by then. Does nothing when the lock was lost.
   */
  release(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface NextOptions {
  /** How many numbers, 1 to 1,000. @default 1 */
  readonly count?: number;
  /** Idempotency key, 1 to 200 characters: for 5 minutes the same call with the same id is given the same numbers. */
  readonly id?: string;
}

/** The part of a client that looks after locks and sequences. */
export interface LocksAndSequences {
  /**
   * Takes a lock, and renews it until it is released. It belongs to the session, so it outlasts a lost connection that is back before the
   * lease ends. Closing the page or the client releases it. A page that may not lock gets `forbidden`.
   *
   * @param name written like a channel name, such as `order:42`
   * @throws ClientError `locked` when it is held; then `error.lock` says by whom, and until when. `not_connected`, `invalid_channel`, or
   * what the server refuses it with
   * @example
   * const lock = await client.lock("order:42", { info: { name: "Alice" } });
   * lock.signal.addEventListener("abort", () => showReadOnly());
   */
  lock(name: string, options?: LockOptions): Promise<Lock>;
  /**
   * Tells who holds a lock: at once where there is a holder, or was one lately, and after each change; `null` when there was
   * none lately. The
   * page needs the grant to subscribe to the name.
   *
   * @throws ClientError `invalid_channel`
   */
  watchLock(name: string, handler: (lock: LockRecord | null) => void): Subscription;
  /**
   * Takes the next numbers of a sequence. A page that may not gets `forbidden`.
   *
   * @param name written like a channel name, such as `invoice`
   * @throws ClientError `not_connected`: where the connection was lost before the answer came, numbers may be left out;
   * `invalid_channel`, or what the server refuses it with
   * @example const { first } = await client.next("invoice");
   */
  next(name: string, options?: NextOptions): Promise<Numbers>;
  /**
   * Tells the number that a sequence gave last: at once where there is one, and whenever it gives more. Needs the grant to subscribe
   * to the name.
   *
   * @throws ClientError `invalid_channel`
   */
  watchSequence(name: string, handler: (last: number | null) => void): Subscription;
}
