/**
 * One connection as access sees it: who it is, until when, and how often it was refused something. The same for every door; it
 * knows nothing of frames.
 */
import type { ChannelName, FanfareError } from "@fanfare/protocol";
import type { Clock } from "../clock.js";
import type { TimingWheel } from "../doors/timing-wheel.js";
import type { Access } from "./access.js";
import type { Action } from "./actions.js";
import { notLoggedIn } from "./credentials.js";
import * as policy from "./policy.js";
import { ownerOf, type Principal } from "./principal.js";

/** More refusals in a minute come from a client that tries things out. */
export const MAX_REFUSALS_A_MINUTE = 20;
const MINUTE_MS = 60_000;

/** The connection, for whom the visit ends. */
export interface Visited {
  /** It has to be closed as not logged in. */
  expelled(error: FanfareError): void;
}

export class Visit {
  readonly #access: Access;
  #principal: Principal;
  #refusals = 0;
  /** By the monotonic clock, when counting began. */
  #countedSince = 0;
  /** Looks after the end; another one when the end has changed. */
  #watch: object | null = null;

  constructor(access: Access, principal: Principal) {
    this.#access = access;
    this.#principal = principal;
  }

  get principal(): Principal {
    return this.#principal;
  }

  /** When the principal expires: milliseconds since 1970, or `null`. */
  get expires(): number | null {
    return this.#principal.kind === "user" ? this.#principal.expires : null;
  }

  /** @throws FanfareError `forbidden`, `not_logged_in` */
  allow(action: Action, channel: ChannelName): void {
    policy.allow(this.#principal, action, channel, false);
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
    const renewed = await this.#access.authenticate({ token });
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

  /** Ends the visit when the principal has expired, and the grace is over. To be called again after `renew`. */
  watch(wheel: TimingWheel, clock: Clock, visited: Visited): void {
    const end = () => (this.expires ?? Number.POSITIVE_INFINITY) + this.#access.graceMs;
    if (end() === Number.POSITIVE_INFINITY) return;
    const watch = {
      check: () => {
        if (this.#watch !== watch) return null;
        const leftMs = end() - clock.now();
        if (leftMs > 0) return leftMs;
        visited.expelled(notLoggedIn("the token has expired, and no new one came in time"));
        return null;
      },
    };
    this.#watch = watch;
    wheel.add(watch, end() - clock.now());
  }

  /** The connection is over. */
  end(): void {
    this.#watch = null;
  }
}
