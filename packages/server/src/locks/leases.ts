/**
 * The leases that this node looks after: when each of them ends, and which session holds which. Tells when one has ended; whether
 * the lock is still held then, it does not know.
 */
import type { ChannelName } from "@fanfare/protocol";
import type { Clock } from "../base/clock.js";
import { Deadlines } from "./deadlines.js";

export interface Lease {
  readonly channel: ChannelName;
  /** The fencing token under which it is held. */
  readonly token: number;
  /** When it ends, as its record says: milliseconds since 1970. */
  readonly expires: number;
  /** The holder, where that is a session. */
  readonly session: SessionLocks | null;
}

/** The locks of one session. */
export class SessionLocks {
  readonly id: string;
  readonly channels = new Set<ChannelName>();
  /** How many it is about to take. */
  taking = 0;
  /** It is over: what it is granted from now on has to be let go at once. */
  ended = false;

  constructor(id: string) {
    this.id = id;
  }
}

export class Leases {
  readonly #leases = new Map<ChannelName, Lease>();
  readonly #sessions = new Map<string, SessionLocks>();
  readonly #deadlines: Deadlines<ChannelName>;

  /** @param ended hears of a lease whose time has come; it is looked after on, until it is forgotten or set anew */
  constructor(clock: Clock, ended: (lease: Lease) => void) {
    this.#deadlines = new Deadlines(clock, (channel) => {
      const lease = this.#leases.get(channel);
      if (lease) ended(lease);
    });
  }

  get size(): number {
    return this.#leases.size;
  }

  /** How many sessions hold locks, or are about to take some. */
  get sessions(): number {
    return this.#sessions.size;
  }

  /** The most locks that one session holds. */
  get mostOfASession(): number {
    let most = 0;
    for (const { channels } of this.#sessions.values()) most = Math.max(most, channels.size);
    return most;
  }

  find(channel: ChannelName): Lease | undefined {
    return this.#leases.get(channel);
  }

  /** Looks after a lease, in place of the one that there was. */
  set(lease: Lease, leftMs: number): void {
    const { channel, session } = lease;
    const earlier = this.#leases.get(channel);
    if (earlier?.session !== session) this.#leave(earlier);
    this.#leases.set(channel, lease);
    this.#deadlines.set(channel, leftMs);
    if (session && !session.ended) session.channels.add(channel);
  }

  /** Tells again in a while that it has ended. */
  later(lease: Lease, afterMs: number): void {
    if (this.#leases.get(lease.channel) === lease) this.#deadlines.set(lease.channel, afterMs);
  }

  forget(lease: Lease): void {
    if (this.#leases.get(lease.channel) !== lease) return;
    this.#leases.delete(lease.channel);
    this.#deadlines.delete(lease.channel);
    this.#leave(lease);
  }

  session(id: string): SessionLocks {
    const known = this.#sessions.get(id);
    if (known) return known;
    const session = new SessionLocks(id);
    this.#sessions.set(id, session);
    return session;
  }

  /** Keeps nothing of a session that has no locks. */
  tidy(session: SessionLocks): void {
    if (session.channels.size > 0 || session.taking > 0) return;
    if (this.#sessions.get(session.id) === session) this.#sessions.delete(session.id);
  }

  /** A session is over; answers with the leases that it had. */
  end(id: string): Lease[] {
    const session = this.#sessions.get(id);
    if (!session) return [];
    session.ended = true;
    this.#sessions.delete(id);
    return [...session.channels].flatMap((channel) => {
      const lease = this.#leases.get(channel);
      return lease?.session === session ? [lease] : [];
    });
  }

  #leave(lease: Lease | undefined): void {
    if (!lease?.session) return;
    lease.session.channels.delete(lease.channel);
    this.tidy(lease.session);
  }

  close(): void {
    this.#deadlines.close();
    this.#leases.clear();
    this.#sessions.clear();
  }
}
