/**
 * The principal of one connected client, until its token expires or is revoked. Counts how often the client was refused. The same for every
 * door; it knows no protocol.
 */
import { type ChannelName, FanfareError } from "@fanfare/protocol";
import type { Clock } from "../base/clock.js";
import type { Failing } from "../base/failures.js";
import type { TimingWheel } from "../base/timing-wheel.js";
import type { Access } from "./access.js";
import type { Action } from "./grants/actions.js";
import { type Credentials, notLoggedIn } from "./grants/credentials.js";
import type { Grants } from "./grants/grants.js";
import * as policy from "./grants/policy.js";
import { checkUser, ownerOf, type Principal, type User } from "./grants/principal.js";

/** More refusals in a minute come from a client that tries things out. */
const MAX_REFUSALS_A_MINUTE = 20;
const MINUTE_MS = 60_000;
/** How often it is tried, within the time between two questions, to ask somebody who cannot be reached. */
const TRIES = 10;

/** A client session, as its identity sees it. */
export interface IdentityEvents extends Failing {
  /** It has to be closed as not logged in. */
  expelled(error: FanfareError): void;
  /** The application was asked again who the client is: the client may do other things now. */
  askedAgain(): void;
}

export class ClientIdentity {
  readonly #access: Access;
  #credentials: Credentials;
  #principal: Principal;
  /** The grants that the client knows of. */
  #told: Grants;
  #refusals = 0;
  /** By the monotonic clock, when counting began. */
  #countedSince = 0;
  /** Looks after the end; another one when the end has changed. */
  #watch: object | null = null;
  #ended = false;
  #over = false;
  /** Since when it was tried in vain to ask again, and when it is tried next: milliseconds since 1970. */
  #vain: { readonly since: number; readonly nextAt: number } | null = null;

  /**
   * To be made when the connection is let in: what was found out before may have changed since then.
   *
   * @param credentials what it came with, to ask again
   * @throws FanfareError `not_logged_in`
   */
  constructor(access: Access, principal: Principal, credentials: Credentials) {
    this.#access = access;
    this.#credentials = credentials;
    this.#principal = access.again(principal);
    this.#told = this.#principal.grants;
  }

  get principal(): Principal {
    return this.#principal;
  }

  /** When the client is told that it expires: milliseconds since 1970, or `null`. */
  get expires(): number | null {
    return this.#principal.kind === "user" ? this.#principal.expires : null;
  }

  /**
   * @param unknown what somebody is told who might log in first
   * @throws FanfareError `forbidden`, `not_logged_in`
   */
  allow(action: Action, channel: ChannelName, unknown: policy.ToUnknown = "forbidden"): void {
    this.#access.allow(this.#principal, action, channel, unknown);
  }

  may(action: Action, channel: ChannelName): boolean {
    return policy.authorize(this.#principal, action, channel);
  }

  /** How much of access has changed: see `Access.changes`. */
  get changes(): number {
    return this.#access.changes;
  }

  /** Was the client sent away? */
  get isOver(): boolean {
    return this.#over;
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
   * Goes on with a new token of the same user. To be followed by `watch`.
   *
   * @param from the address for which refused tokens are counted
   * @throws FanfareError `not_logged_in`, `unavailable`
   */
  async renew(token: string, from: string | null): Promise<void> {
    const renewed = await this.#access.authenticate({ ...this.#credentials, token, from });
    if (ownerOf(renewed) !== ownerOf(this.#principal) || renewed.kind !== "user") {
      throw notLoggedIn("the new token is for somebody else", "Connect anew to go on as another user.");
    }
    this.#becomes(this.#access.again(renewed));
    this.#told = this.#principal.grants;
    this.#keep(token);
  }

  /**
   * The user of a token, for a client that wants to go on as that user.
   *
   * @param from the address for which refused tokens are counted
   * @throws FanfareError `not_logged_in`, `unavailable`, `rate_limited`
   */
  async userOf(token: string, from: string | null): Promise<User> {
    return checkUser(await this.#access.authenticate({ ...this.#credentials, token, from }));
  }

  /** Goes on as the user of a token. To be followed by `watch`. @throws FanfareError `not_logged_in` */
  logIn(user: User, token: string): void {
    this.#becomes(this.#access.again(user));
    this.#keep(token);
  }

  /** Answers for the principal before come too late from now on. */
  #becomes(principal: Principal): void {
    this.#principal = principal;
    this.#vain = null;
    this.#watch = null;
  }

  /** The application is asked about this token from now on. */
  #keep(token: string): void {
    if (this.#credentials.request) this.#credentials = { ...this.#credentials, token };
  }

  /** Goes on as an anonymous client. */
  logOut(): void {
    this.#becomes(this.#access.nobody);
  }

  /** Has the client other grants than it was told of? True once for each change. To be called after `refresh`. */
  grantsChanged(): boolean {
    const { grants } = this.#principal;
    const before = this.#told;
    this.#told = grants;
    return before !== grants && JSON.stringify(before.list) !== JSON.stringify(grants.list);
  }

  /** Takes over what has changed about the principal. False when he may not be here any more. */
  refresh(): boolean {
    const current = this.#access.current(this.#principal);
    if (!current) {
      this.#over = true;
      return false;
    }
    this.#principal = current;
    return true;
  }

  /**
   * Tells when the principal is not accepted any more; or asks again in time, where somebody can be asked. To be called again
   * after `renew`.
   */
  watch(wheel: TimingWheel, clock: Clock, events: IdentityEvents): void {
    if (this.#ended || this.#lookAt() === Number.POSITIVE_INFINITY) return;
    const watch = {
      check: () => {
        if (this.#watch !== watch) return null;
        const leftMs = this.#lookAt() - clock.now();
        if (leftMs > 0) return leftMs;
        if (this.#askAgainAt === null) {
          this.#expel(events, notLoggedIn("the token has expired, and no new one came in time"));
        } else {
          this.#askAgain(wheel, clock, events).catch((error: unknown) => events.failedInside(error));
        }
        return null;
      },
      failedInside: (error: unknown) => events.failedInside(error),
    };
    this.#watch = watch;
    wheel.add(watch, this.#lookAt() - clock.now());
  }

  get #askAgainAt(): number | null {
    return this.#principal.kind === "user" ? (this.#principal.askAgainAt ?? null) : null;
  }

  #lookAt(): number {
    const end = this.#access.endOf(this.#principal);
    return this.#vain?.nextAt ?? this.#askAgainAt ?? end ?? Number.POSITIVE_INFINITY;
  }

  async #askAgain(wheel: TimingWheel, clock: Clock, events: IdentityEvents): Promise<void> {
    const watch = this.#watch;
    try {
      // Asked by the server, not by the client: no log-in is counted.
      const found = await this.#access.authenticate({ ...this.#credentials, from: null });
      if (this.#watch !== watch) return;
      if (ownerOf(found) !== ownerOf(this.#principal)) throw notLoggedIn("the session is over");
      this.#principal = this.#access.again(found);
      this.#vain = null;
      events.askedAgain();
    } catch (error) {
      if (this.#watch !== watch) return;
      if (error instanceof FanfareError && error.code === "not_logged_in") {
        this.#expel(events, error);
        return;
      }
      const now = clock.now();
      const { everyMs } = this.#access.asking;
      const since = this.#vain?.since ?? now;
      if (now - since >= everyMs) {
        this.#expel(
          events,
          new FanfareError("unavailable", "the application could not be asked whose session it is"),
        );
        return;
      }
      this.#vain = { since, nextAt: Math.min(now + everyMs / TRIES, since + everyMs) };
    }
    this.watch(wheel, clock, events);
  }

  #expel(events: IdentityEvents, error: FanfareError): void {
    this.#over = true;
    events.expelled(error);
  }

  /** The connection is over. */
  end(): void {
    this.#ended = true;
    this.#watch = null;
  }
}
