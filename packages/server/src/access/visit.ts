/**
 * One connection as access sees it: who it is, until when, and how often it was refused something. The same for every door; it
 * knows nothing of frames.
 */
import { type ChannelName, FanfareError } from "@fanfare/protocol";
import type { Clock } from "../clock.js";
import type { TimingWheel } from "../doors/timing-wheel.js";
import type { Access } from "./access.js";
import type { Action } from "./actions.js";
import { type Credentials, notLoggedIn } from "./credentials.js";
import * as policy from "./policy.js";
import { ownerOf, type Principal } from "./principal.js";

/** More refusals in a minute come from a client that tries things out. */
export const MAX_REFUSALS_A_MINUTE = 20;
const MINUTE_MS = 60_000;
/** How often it is tried, within the time between two questions, to ask somebody who cannot be reached. */
const TRIES = 10;

/** The connection, for whom the visit ends. */
export interface Visited {
  /** It has to be closed as not logged in. */
  expelled(error: FanfareError): void;
  /** Who it is was asked again: it may do other things now. */
  askedAgain(): void;
}

export class Visit {
  readonly #access: Access;
  readonly #credentials: Credentials;
  #principal: Principal;
  #refusals = 0;
  /** By the monotonic clock, when counting began. */
  #countedSince = 0;
  /** Looks after the end; another one when the end has changed. */
  #watch: object | null = null;
  /** Since when it was tried in vain to ask again, and when it is tried next: milliseconds since 1970. */
  #vain: { readonly since: number; readonly nextAt: number } | null = null;

  /** @param credentials what it came with, to ask again */
  constructor(access: Access, principal: Principal, credentials: Credentials) {
    this.#access = access;
    this.#credentials = credentials;
    this.#principal = principal;
  }

  get principal(): Principal {
    return this.#principal;
  }

  /** When the principal expires: milliseconds since 1970, or `null`. */
  get expires(): number | null {
    return this.#principal.kind === "user" ? this.#principal.expires : null;
  }

  /** @throws FanfareError `forbidden` */
  allow(action: Action, channel: ChannelName): void {
    this.#access.allow(this.#principal, action, channel, "forbidden");
  }

  may(action: Action, channel: ChannelName): boolean {
    return policy.authorize(this.#principal, action, channel);
  }

  /** Counts a refusal. True when there were too many. */
  refused(clock: Clock): boolean {
    const now = clock.monotonic();
    if (this.#refusals === 0 || now - this.#countedSince >= MINUTE_MS) {
      this.#refusals = 0;
      this.#countedSince = now;
    }
    return ++this.#refusals > MAX_REFUSALS_A_MINUTE;
  }

  /**
   * Goes on with a new token of the same user.
   *
   * @throws FanfareError `not_logged_in`, `unavailable`
   */
  async renew(token: string): Promise<void> {
    const renewed = await this.#access.authenticate({ ...this.#credentials, token });
    if (ownerOf(renewed) !== ownerOf(this.#principal) || renewed.kind !== "user") {
      throw notLoggedIn("the new token is for somebody else", "Connect anew to go on as another user.");
    }
    this.#principal = renewed;
  }

  /** Takes over what has changed about the principal. False when he may not be here any more. */
  refresh(): boolean {
    const current = this.#access.current(this.#principal);
    if (!current) return false;
    this.#principal = current;
    return true;
  }

  /**
   * Ends the visit when the principal has expired, and the grace is over; or asks again in time, where somebody can be asked. To be
   * called again after `renew`.
   */
  watch(wheel: TimingWheel, clock: Clock, visited: Visited): void {
    if (this.#lookAt() === Number.POSITIVE_INFINITY) return;
    const watch = {
      check: () => {
        if (this.#watch !== watch) return null;
        const leftMs = this.#lookAt() - clock.now();
        if (leftMs > 0) return leftMs;
        if (this.#askAgainAt === null) {
          visited.expelled(notLoggedIn("the token has expired, and no new one came in time"));
        } else void this.#askAgain(wheel, clock, visited);
        return null;
      },
    };
    this.#watch = watch;
    wheel.add(watch, this.#lookAt() - clock.now());
  }

  get #askAgainAt(): number | null {
    return this.#principal.kind === "user" ? (this.#principal.askAgainAt ?? null) : null;
  }

  #lookAt(): number {
    const end = (this.expires ?? Number.POSITIVE_INFINITY) + this.#access.graceMs;
    return this.#vain?.nextAt ?? this.#askAgainAt ?? end;
  }

  async #askAgain(wheel: TimingWheel, clock: Clock, visited: Visited): Promise<void> {
    const watch = this.#watch;
    try {
      // Asked by the server, not by the client: nobody's log-in is counted.
      const found = await this.#access.authenticate({ ...this.#credentials, from: null });
      if (this.#watch !== watch) return;
      if (ownerOf(found) !== ownerOf(this.#principal)) throw notLoggedIn("the session is over");
      this.#principal = found;
      this.#vain = null;
      visited.askedAgain();
    } catch (error) {
      if (this.#watch !== watch) return;
      if (error instanceof FanfareError && error.code === "not_logged_in") {
        visited.expelled(error);
        return;
      }
      const now = clock.now();
      const { everyMs } = this.#access.asking;
      const since = this.#vain?.since ?? now;
      if (now - since >= everyMs) {
        visited.expelled(new FanfareError("unavailable", "nobody could be asked whose session it is"));
        return;
      }
      this.#vain = { since, nextAt: Math.min(now + everyMs / TRIES, since + everyMs) };
    }
    this.watch(wheel, clock, visited);
  }

  /** The connection is over. */
  end(): void {
    this.#watch = null;
  }
}
