/**
 * Locks: leases on names. Each is the state of a channel of its own, changed by compare-and-set, so that it is the same on all nodes,
 * and a subscriber of that channel sees who holds it. What a lock becomes is decided in `lock-record.ts`; which leases end
 * when is kept in `leases.ts`.
 */
import {
  type ChannelName,
  FanfareError,
  type LockHolder,
  type LockRecord,
  ownChannel,
  shown,
} from "@fanfare/protocol";
import { toInfo } from "../hub/terms/draft.js";
import type { Permit } from "../hub/terms/permit.js";
import { type Lease, Leases, type SessionLocks } from "./leases.js";
import {
  changeTo,
  checkLease,
  type HeldRecord,
  heldAt,
  isLockRefused,
  recordOf,
  released,
  seenAt,
  type Take,
  taken,
} from "./lock-record.js";
import { LockUpkeep } from "./lock-upkeep.js";
import type { RecordsHost } from "./records-host.js";

/** When the engine could not be reached, it is tried again after this long to write down that a lease has ended. */
const RETRY_MS = 5000;

export interface LockInput {
  /** The caller. @default an unknown holder */
  readonly holder?: LockHolder;
  /** For how long, 1,000 to 86,400,000 ms, unless it is renewed. @default that of the last time, else 30,000 */
  readonly leaseSeconds?: number | undefined;
  /** The holder's words for watchers: any JSON value of at most 1 KiB; `null` is nothing. @default what it was */
  readonly info?: unknown;
  /** Renews only, and only while the lock is held with this token. */
  readonly token?: number | undefined;
  /** The owner of the lock's record, should this make it; it stays for a day after the lock is free. @default an owner without a bound */
  readonly owner?: string | undefined;
  /** Asked before it is taken. @default no question */
  readonly permit?: Permit | undefined;
}

/** The request, the owner of the record, and a question whether the caller may still have it. */
interface OwnedTake extends Take {
  readonly owner: string | undefined;
  readonly permit: Permit | undefined;
}

/** A lock that is held. */
export interface Held {
  /** The fencing token: each holder of the lock has a greater one than those before. */
  readonly token: number;
  /** When the lease ends unless it is renewed, and the same clock now: milliseconds since 1970. */
  readonly expires: number;
  readonly time: number;
  /** Is the lock remembered, should the process end? */
  readonly durable: boolean;
}

/** A lock at one moment. */
export interface SeenLock {
  /** `null` when it had no holder lately. */
  readonly record: LockRecord | null;
  /** The moment, by the clock that leases end by: milliseconds since 1970. */
  readonly time: number;
}

export class Locks {
  readonly #host: RecordsHost;
  readonly #leases: Leases;
  #upkeep: LockUpkeep | null = null;

  constructor(host: RecordsHost) {
    this.#host = host;
    this.#leases = new Leases(host.clock, (lease) =>
      host.failures.inBackground("ending a lease", () => this.#end(lease)),
    );
  }

  /** How many leases this node looks after. */
  get size(): number {
    return this.#leases.size;
  }

  /** How many sessions hold locks here, or are about to take some. */
  get sessions(): number {
    return this.#leases.sessions;
  }

  /** The most locks that one session holds, as far as this node knows. */
  get mostOfASession(): number {
    return this.#leases.mostOfASession;
  }

  /**
   * Takes a lock, or renews it. A session that asks again for a lock that it holds renews it.
   *
   * @throws FanfareError `locked` when somebody else holds it; `lock_lost` when it is not held with the token that was given
   * @throws FanfareError `invalid_request`, `invalid_value`, `too_large`, `too_many_locks`, `share_used_up`,
   * `too_many_channels`, `insufficient_storage`, `unavailable`
   */
  async take(
    name: ChannelName,
    { holder = {}, leaseSeconds, info, token, owner, permit }: LockInput = {},
  ): Promise<Held> {
    if (leaseSeconds !== undefined) checkLease(leaseSeconds);
    if (token !== undefined) checkToken(token);
    const take = {
      holder,
      token,
      leaseSeconds,
      info: info === undefined ? undefined : toInfo(info),
      owner,
      permit,
    };
    const session = holder.session === undefined ? null : this.#leases.session(holder.session);
    if (!session) return await this.#take(name, take, null);
    this.#assertRoom(session, ownChannel("lock", name));
    session.taking++;
    try {
      const held = await this.#take(name, take, session);
      // The client left while the lock was on its way: it would stay held.
      if (session.ended) await this.release(name, { holder, token: held.token });
      return held;
    } finally {
      session.taking--;
      this.#leases.tidy(session);
    }
  }

  /**
   * Lets go of a lock.
   *
   * @param held `holder`: `null` lets go of it for any holder
   * @throws FanfareError `lock_lost` when it is not held with this token
   * @throws FanfareError `invalid_request`, `insufficient_storage`, `unavailable`
   */
  async release(
    name: ChannelName,
    held: { readonly holder: LockHolder | null; readonly token: number; readonly permit?: Permit },
  ): Promise<void> {
    checkToken(held.token);
    const channel = ownChannel("lock", name);
    try {
      await this.#change(channel, (present, now) => {
        held.permit?.check();
        return released(name, present, held, now);
      });
      this.#forget(channel, held.token);
    } catch (error) {
      if (isLockRefused(error)) this.#forget(channel, held.token);
      throw error;
    }
  }

  /**
   * Frees a lock for any holder. Its record stays for a day, as that of any free lock, so that tokens only grow. False when
   * it is free.
   *
   * @throws FanfareError `insufficient_storage`, `unavailable`
   */
  async break(name: ChannelName, permit?: Permit): Promise<boolean> {
    const channel = ownChannel("lock", name);
    let token: number | undefined;
    await this.#host.updateState(channel, (present, now) => {
      permit?.check();
      token = heldAt(recordOf(present), now)?.token;
      return token === undefined ? null : changeTo({ token, freed: now });
    });
    this.#forget(channel, token);
    return token !== undefined;
  }

  /** The lock as it is. @throws FanfareError `unavailable` */
  async look(name: ChannelName): Promise<SeenLock> {
    const state = await this.#host.engine.logs.state(ownChannel("lock", name));
    return { record: seenAt(recordOf(state), state.time), time: state.time };
  }

  /** A session is over: what it held is free. */
  sessionEnded(id: string): void {
    for (const lease of this.#leases.end(id)) {
      // Where that fails, it is free when the lease ends.
      this.#host.failures.inBackground("letting go of a lock", () =>
        this.#free(lease, Number.POSITIVE_INFINITY),
      );
    }
  }

  /** From now on looks, too, after locks whose node is gone, and takes away the records of those that have been free for long. */
  startUpkeep(): void {
    this.#upkeep ??= new LockUpkeep(this.#host, (channel, record, time) => {
      if (!this.#leases.find(channel)) this.#watch(channel, record, time, this.#sessionOf(record.holder));
    });
  }

  close(): void {
    this.#upkeep?.close();
    this.#leases.close();
  }

  async #take(name: ChannelName, take: OwnedTake, session: SessionLocks | null): Promise<Held> {
    const { counters, engine } = this.#host;
    const channel = ownChannel("lock", name);
    const { owner, permit } = take;
    try {
      const next = (present: LockRecord | null, now: number) => {
        permit?.check();
        return taken(name, present, take, now);
      };
      const { record, time } = await this.#change(channel, next, owner);
      if (take.token === undefined) counters.locksTaken++;
      this.#watch(channel, record, time, session);
      const { token, expires } = record;
      return { token, expires, time, durable: engine.durable };
    } catch (error) {
      if (isLockRefused(error)) {
        counters.locksRefused++;
        this.#forget(channel, take.token);
      }
      throw error;
    }
  }

  async #change<Record extends LockRecord>(
    channel: ChannelName,
    next: (present: LockRecord | null, now: number) => Record,
    owner?: string,
  ): Promise<{ readonly record: Record; readonly time: number }> {
    let record: Record | undefined;
    const appended = await this.#host.updateState(channel, (present, now) => {
      record = next(recordOf(present), now);
      return { ...changeTo(record), ...(owner !== undefined && { owner }) };
    });
    if (!record || !appended) throw new TypeError("nothing was worked out");
    return { record, time: appended.time };
  }

  /** @throws FanfareError `too_many_locks` */
  #assertRoom({ channels, taking }: SessionLocks, channel: ChannelName): void {
    const { locksPerConnection } = this.#host.limits;
    if (channels.has(channel) || channels.size + taking < locksPerConnection) return;
    throw new FanfareError("too_many_locks", `this session holds ${locksPerConnection} locks`);
  }

  /** @param now the engine's time */
  #watch(
    channel: ChannelName,
    { token, expires, leaseSeconds }: HeldRecord,
    now: number,
    session: SessionLocks | null,
  ): void {
    // The clock may have been set back meanwhile: no caller waits for longer than the lease.
    const leftMs = Math.max(0, Math.min(expires - now, leaseSeconds * 1000));
    this.#leases.set({ channel, token, expires, session }, leftMs);
  }

  #forget(channel: ChannelName, token: number | undefined): void {
    const lease = this.#leases.find(channel);
    if (lease && lease.token === token) this.#leases.forget(lease);
  }

  /** The time of a lease has come; somebody may have renewed it on another node. */
  async #end(lease: Lease): Promise<void> {
    try {
      if (await this.#free(lease, lease.expires)) this.#host.counters.leasesEnded++;
    } catch (error) {
      this.#leases.later(lease, RETRY_MS);
      this.#host.failures.goesOn("ending a lease", error);
    }
  }

  /** Writes down that the lock is free, unless the lease lasts longer than it should. */
  async #free(lease: Lease, until: number): Promise<boolean> {
    const { channel, token } = lease;
    const appended = await this.#host.updateState(channel, (present, now) => {
      const record = recordOf(present);
      if (!record?.holder || record.token !== token || (record.expires ?? 0) > until) return null;
      return changeTo({ token, freed: now });
    });
    this.#leases.forget(lease);
    return appended !== null;
  }

  #sessionOf({ session }: LockHolder): SessionLocks | null {
    return session === undefined ? null : this.#leases.session(session);
  }
}

/** @throws FanfareError `invalid_request` */
function checkToken(token: number): void {
  if (Number.isSafeInteger(token) && token >= 0) return;
  throw new FanfareError("invalid_request", `token is ${shown(token)}`, {
    remedy: "Give the token exactly as it came with the lock.",
  });
}
