/**
 * Watches that all happens in time with one client: that it says `connect`, that it gives signs of life, and that it is gone once it
 * closes. Driven by the wheel, whose milliseconds all times here are; see PROTOCOL.md, section 7.
 */
import type { Random } from "../../base/clock.js";
import type { Failing } from "../../base/failures.js";
import type { TimingWheel, Watched } from "../../base/timing-wheel.js";
import { Liveness } from "./liveness.js";

export const CONNECT_WITHIN_MS = 10_000;
/** How long a full socket is given to take the close frame. */
export const CLOSE_WITHIN_MS = 2000;

/** Whose lifetime it is. */
export interface Mortal extends Failing {
  /** Bytes that the socket has not taken yet. */
  readonly waitingBytes: number;
  /** Would anything that the client sends be noticed? */
  readonly isReading: boolean;
  /** Does it still have to say `connect`? */
  readonly owesConnect: boolean;
  /** It is to be asked for a sign of life. */
  ping(): void;
  /** Now and then, while it lives. */
  stillAlive(): void;
  connectMissing(): void;
  /** Gave no sign of life for this long. */
  dead(silentMs: number): void;
  /** It should have been gone by now. */
  notGoneInTime(): void;
}

/** Signs of life are a part of it, and no object of their own: there is one for each connection. */
export class Lifetime extends Liveness implements Watched {
  readonly #mortal: Mortal;
  readonly #connectBy: number;
  /** When it has to be gone; `null` while it is not closing. */
  #closeBy: number | null = null;
  #over = false;

  constructor(mortal: Mortal, wheel: TimingWheel, random: Random) {
    super(wheel, random);
    this.#mortal = mortal;
    this.#connectBy = wheel.exactly() + CONNECT_WITHIN_MS;
    wheel.add(this, CONNECT_WITHIN_MS);
  }

  get isClosing(): boolean {
    return this.#closeBy !== null || this.#over;
  }

  /** The connection is closing, from either side: it has to be over in time. */
  closing(): void {
    if (this.isClosing) return;
    this.#closeBy = this.wheel.exactly() + CLOSE_WITHIN_MS;
    this.wheel.add(this, CLOSE_WITHIN_MS);
  }

  /** It is gone. */
  end(): void {
    this.#over = true;
  }

  failedInside(error: unknown): void {
    this.#mortal.failedInside(error);
  }

  check(now: number): number | null {
    const mortal = this.#mortal;
    if (this.#over) return null;
    if (this.#closeBy !== null) {
      if (now < this.#closeBy) return this.#closeBy - now;
      mortal.notGoneInTime();
      return null;
    }
    if (mortal.owesConnect && now >= this.#connectBy) {
      mortal.connectMissing();
      return null;
    }
    const { deadForMs, ping, due, lookAt } = this.look(now, mortal.waitingBytes, mortal.isReading);
    if (deadForMs !== null) {
      mortal.dead(deadForMs);
      return null;
    }
    if (ping) mortal.ping();
    if (due) mortal.stillAlive();
    const connectBy = mortal.owesConnect ? this.#connectBy : Number.POSITIVE_INFINITY;
    return Math.min(lookAt, connectBy) - now;
  }
}
