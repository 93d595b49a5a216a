/**
 * The clients of all doors together: who may come in, how many there are, and how they are sent away when the server stops. What is
 * said to them is the business of their doors.
 */
import type { IncomingMessage } from "node:http";
import { FanfareError } from "@fanfare/protocol";
import type { Access } from "../access/access.js";
import { allHosts, type Caller } from "../access/addresses.js";
import type { Entrance } from "../access/entrance.js";
import type { Hub } from "../hub/hub.js";
import type { Log } from "../log.js";

/** How many clients come back in a second after a restart, and the longest that one is asked to wait. */
const RETURNS_PER_SECOND = 500;
const MAX_RETRY_SECONDS = 30;
/** How many clients are sent away in a second. */
const GOODBYES_PER_SECOND = 5000;

/** A client whom a door has let in. */
export interface Guest {
  /** The server stops: it has to go, and may come back after so many seconds. */
  goodbye(retryAfter: number): void;
  /** Keys, tokens or grants have changed: it may have to go, or to hear less. */
  accessChanged(): void;
  destroy(): void;
}

export interface GuestsParts {
  readonly hub: Hub;
  readonly access: Access;
  readonly entrance: Entrance;
  readonly log: Log;
}

export class Guests {
  readonly #hub: Hub;
  readonly #entrance: Entrance;
  readonly #log: Log;
  readonly #guests = new Set<Guest>();
  #closing = false;
  #emptied: (() => void) | null = null;

  constructor({ hub, access, entrance, log }: GuestsParts) {
    this.#hub = hub;
    this.#entrance = entrance;
    this.#log = log;
    access.onChange(() => {
      for (const guest of this.#guests) guest.accessChanged();
    });
  }

  /**
   * Who calls, if he may come in: by the right host name, from a page that may, not too often, and while there is room.
   *
   * @throws FanfareError `host_not_allowed`, `origin_not_allowed`, `rate_limited`, `too_many_connections`, `unavailable`
   */
  admit(request: IncomingMessage): Caller {
    this.#checkOpen();
    const caller = this.#entrance.admit(request.socket.remoteAddress, request.headers, allHosts(request));
    this.checkRoom(caller);
    return caller;
  }

  /** The same for a caller who has passed the entrance. @throws FanfareError */
  checkRoom({ line }: Caller): void {
    this.#checkOpen();
    const { rates } = this.#entrance;
    const address = rates.addressOf(line);
    const refusal = address === null ? null : rates.take("connects", { address, user: null });
    if (refusal) throw refusal;
    this.checkPlace(this.#guests.size);
  }

  /** Is there a place for one more? @param taken how many there are @throws FanfareError `too_many_connections` */
  checkPlace(taken: number): void {
    const { connections } = this.#hub.limits;
    if (taken < connections) return;
    this.#entrance.refusals.count("too_many_connections");
    throw new FanfareError("too_many_connections", `this process has ${connections} connections`, {
      retryAfter: 10,
    });
  }

  add(guest: Guest): void {
    this.#guests.add(guest);
  }

  gone(guest: Guest): void {
    this.#guests.delete(guest);
    if (this.#guests.size === 0) this.#emptied?.();
  }

  /**
   * Says goodbye to everybody, a few at a time, each with another time to come back, and resolves when all are gone.
   *
   * @param withinMs after so long the rest is cut off
   */
  async close(withinMs: number): Promise<void> {
    this.#closing = true;
    const guests = [...this.#guests];
    if (guests.length === 0) return;
    const { clock, random } = this.#hub;
    const windowMs = Math.min(withinMs / 2, (guests.length * 1000) / GOODBYES_PER_SECOND);
    const spreadSeconds = Math.min(MAX_RETRY_SECONDS, Math.max(1, guests.length / RETURNS_PER_SECOND));
    const emptied = new Promise<void>((done) => {
      this.#emptied = done;
    });
    for (const [index, guest] of guests.entries()) {
      const retryAfter = Math.round((0.2 + random.fraction() * spreadSeconds) * 100) / 100;
      const afterMs = (index / guests.length) * windowMs;
      // The first batch goes at once; the others are spread, so that the way back is too.
      if (afterMs < 1) guest.goodbye(retryAfter);
      else clock.after(afterMs, () => guest.goodbye(retryAfter));
    }
    const cutOff = clock.after(withinMs, () => {
      this.#log.warn(
        { connections: this.#guests.size },
        "connections that did not close in time are cut off",
      );
      for (const guest of this.#guests) guest.destroy();
    });
    if (this.#guests.size > 0) await emptied;
    cutOff.cancel();
  }

  #checkOpen(): void {
    if (this.#closing) throw new FanfareError("unavailable", "the server stops", { retryAfter: 1 });
  }
}
