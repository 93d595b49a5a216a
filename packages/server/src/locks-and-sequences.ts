/** Locks and sequences as a library has them: names as texts, and a lock that can be renewed and let go of. */
import { type LockRecord, parseChannelName } from "@fanfare/protocol";
import type { Hub } from "./hub/hub.js";
import { checkMembers, membersOf } from "./known-names.js";

export interface LockOptions {
  /** For how long, 1,000 to 86,400,000 ms, unless it is renewed. @default 30,000 */
  readonly leaseMs?: number;
  /** What those who watch are told about it: any JSON value of at most 1 KiB. */
  readonly info?: unknown;
}

/** A lock that this process holds until its lease ends. With `await using` it is let go of at the end of the block. */
export interface Lock extends AsyncDisposable {
  readonly name: string;
  /**
   * The fencing token, greater than that of every holder before: hand it to what the lock protects, which refuses whoever comes
   * with a smaller one than it has seen.
   */
  readonly token: number;
  /** When the lease ends unless it is renewed: milliseconds since 1970. */
  readonly expires: number;
  /** Is the lock remembered, should this process end? As the engine says. */
  readonly durable: boolean;
  /** Holds it for a whole lease from now on. @throws FanfareError `lock_lost`, `unavailable` */
  renew(options?: LockOptions): Promise<void>;
  /** Lets go of it. @throws FanfareError `lock_lost` when it was lost before, `unavailable` */
  release(): Promise<void>;
}

export interface NextOptions {
  /** How many numbers, 1 to 1,000. @default 1 */
  readonly count?: number;
  /** The first number of a sequence that has given none yet: 0 to 2^53 − 1. @default 1 */
  readonly start?: number;
  /** Idempotency key: for 5 minutes the same call with the same key is given the same numbers. */
  readonly key?: string;
}

const LOCK_OPTIONS = membersOf<LockOptions>({ leaseMs: true, info: true });
const NEXT_OPTIONS = membersOf<NextOptions>({ count: true, start: true, key: true });

/** The part of a Fanfare that looks after locks and sequences. */
export interface LocksAndSequences {
  /**
   * Takes a lock for this process. It is held until it is let go of, or its lease ends.
   *
   * @param name like a channel name, such as `order:42`
   * @throws FanfareError `locked` when somebody else holds it: then `error.lock` says who, and until when. `invalid_channel`,
   * `invalid_request`, `invalid_value`, `too_large`, `too_many_channels`, `insufficient_storage`, `unavailable`
   * @example
   * await using lock = await fanfare.lock("report:7", { leaseMs: 60_000 });
   */
  lock(name: string, options?: LockOptions): Promise<Lock>;
  /** Who holds a lock; `null` when nobody has lately. @throws FanfareError `invalid_channel`, `unavailable` */
  lockState(name: string): Promise<LockRecord | null>;
  /**
   * Lets go of a lock whoever holds it, as an administrator does. Its holder learns of it when it renews the lock.
   *
   * @param token that of the lock as `lockState` told it, so that nobody else's is meant
   * @throws FanfareError `lock_lost` when it is not held with this token; `invalid_channel`, `unavailable`
   */
  breakLock(name: string, token: number): Promise<void>;
  /**
   * Takes the next numbers of a sequence: `first` to `last` are nobody else's. On a durable engine no number is ever given twice.
   *
   * @param name like a channel name, such as `invoice`
   * @throws FanfareError `invalid_channel`, `invalid_request`, `sequence_exhausted`, `key_reused`, `insufficient_storage`,
   * `unavailable`
   * @example const { first } = await fanfare.next("invoice");
   */
  next(name: string, options?: NextOptions): Promise<{ first: number; last: number; durable: boolean }>;
  /** The number that was given last; `null` when none was. @throws FanfareError `invalid_channel`, `unavailable` */
  sequence(name: string): Promise<number | null>;
}

export function locksAndSequences({ locks, sequences }: Hub): LocksAndSequences {
  return {
    async lock(text, options = {}) {
      checkMembers("options", options, LOCK_OPTIONS);
      const name = parseChannelName(text);
      const { token, durable, ...taken } = await locks.take(name, options);
      let { expires } = taken;
      const release = () => locks.release(name, { holder: {}, token });
      return {
        name,
        token,
        durable,
        get expires() {
          return expires;
        },
        async renew(changed = {}) {
          checkMembers("options", changed, LOCK_OPTIONS);
          ({ expires } = await locks.take(name, { ...changed, token }));
        },
        release,
        [Symbol.asyncDispose]: release,
      };
    },
    lockState: async (name) => await locks.look(parseChannelName(name)),
    breakLock: async (name, token) => await locks.release(parseChannelName(name), { holder: null, token }),
    async next(name, options = {}) {
      checkMembers("options", options, NEXT_OPTIONS);
      return await sequences.next(parseChannelName(name), options);
    },
    sequence: async (name) => await sequences.last(parseChannelName(name)),
  };
}
