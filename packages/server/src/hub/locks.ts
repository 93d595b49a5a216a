/**
 * Locks: leases on names. Each is the state of a channel of its own, changed by compare-and-set, so that it is the same on all nodes,
 * and whoever subscribes to that channel sees who holds it. What a lock becomes is decided in `lock-record.ts`; which leases end
 * when is kept in `leases.ts`.
 */
import {
  type ChannelName,
  FanfareError,
  type LockHolder,
  type LockRecord,
  ownChannel,
} from "@fanfare/protocol";
import { toInfo } from "./draft.js";
import type { Hub } from "./hub.js";
import { type Lease, Leases, type SessionLocks } from "./leases.js";
import {
  changeTo,
  checkLease,
  type HeldRecord,
  LockRefusedError,
  recordOf,
  released,
  seenAt,
  type Take,
  taken,
} from "./lock-record.js";
import { LockUpkeep } from "./lock-upkeep.js";

/** When the engine could not be reached, it is tried again after so long to write down that a lease has ended. */
const RETRY_MS = 5000;

export interface LockInput {
  /** Who wants it. @default nobody who is known */
  readonly holder?: LockHolder;
  /** For how long, 1,000 to 86,400,000 ms, unless it is renewed. @default that of the last time, else 30,000 */
  readonly leaseMs?: number | undefined;
  /** What those who watch are told: any JSON value of at most 1 KiB; `null` is nothing. @default what it was */
  readonly info?: unknown;
  /** Renews only, and only while the lock is held with this token. */
  readonly token?: number | undefined;
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

export class Locks {
  readonly #hub: Hub;
  readonly #leases: Leases;
  #upkeep: LockUpkeep | null = null;

  constructor(hub: Hub) {
    this.#hub = hub;
    this.#leases = new Leases(hub.clock, (lease) => void this.#end(lease));
  }

  /** How many leases this node looks after. */
  get size(): number {
    return this.#leases.size;
  }

  /** The most locks that one session holds, as far as this node knows. */
  get mostOfASession(): number {
    return this.#leases.mostOfASession;
  }

  /**
   * Takes a lock, or renews it. A session that asks again for a lock that it holds renews it.
   *
   * @throws LockRefusedError `locked` when somebody else holds it; `lock_lost` when it is not held with the token that was given
   * @throws FanfareError `invalid_request`, `invalid_value`, `too_large`, `too_many_locks`, `too_many_channels`,
   * `insufficient_storage`, `unavailable`
   */
  async take(name: ChannelName, { holder = {}, leaseMs, info, token }: LockInput = {}): Promise<Held> {
    if (leaseMs !== undefined) checkLease(leaseMs);
    if (token !== undefined) checkToken(token);
    const take: Take = { holder, token, leaseMs, info: info === undefined ? undefined : toInfo(info) };
    const session = holder.session === undefined ? null : this.#leases.session(holder.session);
    if (!session) return await this.#take(name, take, null);
    this.#assertRoom(session, ownChannel("lock", name));
    session.taking++;
    try {
      const held = await this.#take(name, take, session);
      // The client left while the lock was on its way: nobody would let go of it.
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
   * @param held `holder`: `null` lets go of it whoever holds it
   * @throws LockRefusedError `lock_lost` when it is not held with this token
   * @throws FanfareError `invalid_request`, `insufficient_storage`, `unavailable`
   */
  async release(
    name: ChannelName,
    held: { readonly holder: LockHolder | null; readonly token: number },
  ): Promise<void> {
    checkToken(held.token);
    const channel = ownChannel("lock", name);
    try {
      await this.#change(channel, (present, now) => released(name, present, held, now));
      this.#forget(channel, held.token);
    } catch (error) {
      if (error instanceof LockRefusedError) this.#forget(channel, held.token);
      throw error;
    }
  }

  /** Who holds a lock; `null` when nobody has lately. @throws FanfareError `unavailable` */
  async look(name: ChannelName): Promise<LockRecord | null> {
    const state = await this.#hub.state(ownChannel("lock", name));
    return seenAt(recordOf(state), this.#hub.clock.now());
  }

  /** A session is over: what it held is free. */
  sessionEnded(id: string): void {
    for (const lease of this.#leases.end(id)) {
      // Where that fails, it is free when the lease ends.
      this.#free(lease, Number.POSITIVE_INFINITY).catch(() => {});
    }
  }

  /** From now on looks, too, after locks whose node is gone, and takes away the records of those that nobody has held for long. */
  startUpkeep(): void {
    this.#upkeep ??= new LockUpkeep(this.#hub, (channel, record) => {
      if (!this.#leases.find(channel)) this.#watch(channel, record, this.#sessionOf(record.holder));
    });
  }

  close(): void {
    this.#upkeep?.close();
    this.#leases.close();
  }

  async #take(name: ChannelName, take: Take, session: SessionLocks | null): Promise<Held> {
    const { clock, counters, engine } = this.#hub;
    const channel = ownChannel("lock", name);
    try {
      const record = await this.#change(channel, (present, now) => taken(name, present, take, now));
      if (take.token === undefined) counters.locksTaken++;
      this.#watch(channel, record, session);
      const { token, expires } = record;
      return { token, expires, time: clock.now(), durable: engine.durable };
    } catch (error) {
      if (error instanceof LockRefusedError) {
        counters.locksRefused++;
        this.#forget(channel, take.token);
      }
      throw error;
    }
  }

  async #change<Record extends LockRecord>(
    channel: ChannelName,
    next: (present: LockRecord | null, now: number) => Record,
  ): Promise<Record> {
    let record: Record | undefined;
    await this.#hub.updateState(channel, (present) => {
      record = next(recordOf(present), this.#hub.clock.now());
      return changeTo(record);
    });
    if (!record) throw new TypeError("nothing was worked out");
    return record;
  }

  /** @throws FanfareError `too_many_locks` */
  #assertRoom({ channels, taking }: SessionLocks, channel: ChannelName): void {
    const { locksPerConnection } = this.#hub.limits;
    if (channels.has(channel) || channels.size + taking < locksPerConnection) return;
    throw new FanfareError("too_many_locks", `this session holds ${locksPerConnection} locks`);
  }

  #watch(channel: ChannelName, { token, expires, leaseMs }: HeldRecord, session: SessionLocks | null): void {
    // The clock may have been set back meanwhile: nobody waits for longer than the lease.
    const leftMs = Math.max(0, Math.min(expires - this.#hub.clock.now(), leaseMs));
    this.#leases.set({ channel, token, expires, session }, leftMs);
  }

  #forget(channel: ChannelName, token: number | undefined): void {
    const lease = this.#leases.find(channel);
    if (lease && lease.token === token) this.#leases.forget(lease);
  }

  /** The time of a lease has come; somebody may have renewed it on another node. */
  async #end(lease: Lease): Promise<void> {
    try {
      if (await this.#free(lease, lease.expires)) this.#hub.counters.leasesEnded++;
    } catch {
      this.#leases.later(lease, RETRY_MS);
    }
  }

  /** Writes down that nobody holds the lock any more, unless the lease lasts longer than it should. */
  async #free(lease: Lease, until: number): Promise<boolean> {
    const { channel, token } = lease;
    const appended = await this.#hub.updateState(channel, (present) => {
      const record = recordOf(present);
      if (!record?.holder || record.token !== token || (record.expires ?? 0) > until) return null;
      return changeTo({ token, freed: this.#hub.clock.now() });
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
  throw new FanfareError("invalid_request", `token is ${token}`, {
    remedy: "Give the token exactly as it came with the lock.",
  });
}
