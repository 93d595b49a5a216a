/** Locks as a library has them: names as texts, and a lock that can be renewed and let go of. */
import { type LockRecord, parseChannelName } from "@fanfare/protocol";
import { checkMembers, membersOf } from "../base/known-names.js";
import type { Locks } from "../locks/locks.js";

export interface LockOptions {
  /** For how long, 1 to 86,400 whole seconds, unless it is renewed. @default 30 */
  readonly leaseSeconds?: number;
  /** Words about it for watchers: any JSON value of at most 1 KiB. */
  readonly info?: unknown;
}

/** A lock that this process holds until its lease ends. With `await using` it is let go of at the end of the block. */
export interface Lock extends AsyncDisposable {
  readonly name: string;
  /**
   * The fencing token, greater than that of every holder before: hand it to what the lock protects, which refuses a smaller
   * one than it has seen.
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

const LOCK_OPTIONS = membersOf<LockOptions>({ leaseSeconds: true, info: true });

/** `fanfare.locks`. */
export interface FanfareLocks {
  /**
   * Takes a lock for this process, which holds it until it releases it, or its lease ends.
   *
   * @param name like a channel name, such as `order:42`
   * @throws FanfareError `locked` when somebody else holds it: then `error.lock` says who, and until when. `invalid_channel`,
   * `invalid_request`, `invalid_value`, `too_large`, `too_many_channels`, `insufficient_storage`, `unavailable`
   * @example
   * await using lock = await fanfare.locks.acquire("report:7", { leaseSeconds: 60 });
   */
  acquire(name: string, options?: LockOptions): Promise<Lock>;
  /** The lock and its holder; `null` when it had no holder lately. @throws FanfareError `invalid_channel`, `unavailable` */
  get(name: string): Promise<LockRecord | null>;
  /**
   * Takes a lock away from any holder, as an administrator does. Its holder learns of it when it renews the lock.
   *
   * @param token that of the lock as `get` told it, so that no later holder is meant; left out, the present holder loses it
   * @throws FanfareError `lock_lost` when it is not held with this token; `invalid_channel`, `unavailable`
   */
  break(name: string, token?: number): Promise<void>;
}

export function fanfareLocks(locks: Locks): FanfareLocks {
  return {
    async acquire(text, options = {}) {
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
    get: async (name) => (await locks.look(parseChannelName(name))).record,
    async break(text, token) {
      const name = parseChannelName(text);
      if (token === undefined) await locks.break(name);
      else await locks.release(name, { holder: null, token });
    },
  };
}
