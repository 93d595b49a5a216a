/**
 * The share of listening: how many connections one owner has on this process, and how many subscriptions these have together. An owner is
 * an opaque text; the door says it when it opens the connection.
 */
import { FanfareError, quote } from "@fanfare/protocol";
import type { Limits } from "./limits.js";

/** The numbers of open connections and subscriptions. */
export interface Listening {
  readonly connections: number;
  readonly subscriptions: number;
}

export interface OwnerListening extends Listening {
  readonly owner: string;
}

type ListeningLimits = Pick<Limits, "connectionsPerOwner" | "subscriptionsPerOwner">;

const NOTHING: Listening = { connections: 0, subscriptions: 0 };
/** When a client that was refused may try again. */
const RETRY_SECONDS = 10;

/** The open connections and subscriptions of one owner: the same object for all connections of the owner. */
export class Seat implements Listening {
  readonly owner: string;
  connections = 0;
  #subscriptions = 0;
  readonly #shares: ListeningShares;

  constructor(owner: string, shares: ListeningShares) {
    this.owner = owner;
    this.#shares = shares;
  }

  get subscriptions(): number {
    return this.#subscriptions;
  }

  /** Why the owner cannot have this much more; `null` when there is room. */
  refusal(more: Listening): FanfareError | null {
    const { connectionsPerOwner, subscriptionsPerOwner } = this.#shares.limits;
    const { refused } = this.#shares;
    if (more.connections > 0 && this.connections + more.connections > connectionsPerOwner) {
      refused.connections++;
      return usedUp(
        `${quote(this.owner)} has ${this.connections} connections and wants 1 more; one user or address may have ${connectionsPerOwner}`,
        "Close connections that are not needed, or raise limits.connectionsPerOwner on the server.",
      );
    }
    if (more.subscriptions > 0 && this.#subscriptions + more.subscriptions > subscriptionsPerOwner) {
      refused.subscriptions++;
      return usedUp(
        `${quote(this.owner)} has ${this.#subscriptions} subscriptions and wants ${more.subscriptions} more; one user or address may have ${subscriptionsPerOwner}`,
        "Unsubscribe from what is not needed, or raise limits.subscriptionsPerOwner on the server.",
      );
    }
    return null;
  }

  subscribed(count = 1): void {
    this.#subscriptions += count;
    this.#shares.mayBeMost(this);
  }

  unsubscribed(count = 1): void {
    this.#subscriptions -= count;
  }
}

export class ListeningShares {
  readonly limits: ListeningLimits;
  /** How often somebody wanted more of each than one may have, since this process began. */
  readonly refused = { connections: 0, subscriptions: 0 };
  /** The owners that have a connection. */
  readonly #seats = new Map<string, Seat>();
  #most = NOTHING;

  constructor(limits: ListeningLimits) {
    this.limits = limits;
  }

  /** The most of each that one owner has had since this process began. */
  get most(): Listening {
    return this.#most;
  }

  /** Everybody who has a connection, for people. */
  values(): Iterable<OwnerListening> {
    return this.#seats.values();
  }

  of(owner: string): Listening {
    return this.#seats.get(owner) ?? NOTHING;
  }

  /**
   * Why somebody cannot have one more connection; `null` when there is room.
   *
   * @param owner `null` is an owner without a bound
   * @param subscriptions that the connection brings
   */
  refusal(owner: string | null, subscriptions: number): FanfareError | null {
    if (owner === null) return null;
    return (this.#seats.get(owner) ?? new Seat(owner, this)).refusal({ connections: 1, subscriptions });
  }

  /** The same. @throws FanfareError `share_used_up` */
  assertRoomToConnect(owner: string | null, subscriptions = 0): void {
    const refusal = this.refusal(owner, subscriptions);
    if (refusal) throw refusal;
  }

  /** Counts a connection. To be given back by {@link leave}. @param subscriptions that it has already */
  enter(owner: string | null, subscriptions = 0): Seat | null {
    if (owner === null) return null;
    let seat = this.#seats.get(owner);
    if (!seat) {
      seat = new Seat(owner, this);
      this.#seats.set(owner, seat);
    }
    seat.connections++;
    seat.subscribed(subscriptions);
    return seat;
  }

  leave(seat: Seat | null, subscriptions: number): void {
    if (!seat) return;
    seat.unsubscribed(subscriptions);
    if (--seat.connections === 0) this.#seats.delete(seat.owner);
  }

  /** One owner has more than before. */
  mayBeMost({ connections, subscriptions }: Listening): void {
    const most = this.#most;
    if (connections <= most.connections && subscriptions <= most.subscriptions) return;
    this.#most = {
      connections: Math.max(connections, most.connections),
      subscriptions: Math.max(subscriptions, most.subscriptions),
    };
  }
}

function usedUp(message: string, remedy: string): FanfareError {
  return new FanfareError("share_used_up", message, { remedy, retryAfterSeconds: RETRY_SECONDS });
}
