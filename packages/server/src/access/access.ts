/**
 * Who is asking: finds the principal of what a caller brings along, and tells when that has changed: when a key, a token or a
 * user was revoked, here or on another node, or when the settings were replaced. What a principal may do is `policy.ts`.
 */
import { type ChannelName, FanfareError } from "@fanfare/protocol";
import type { Clock, Random } from "../base/clock.js";
import type { Failures } from "../base/failures.js";
import type { Log } from "../base/log.js";
import type { Engine } from "../engine/engine.js";
import type { Permit } from "../hub/terms/permit.js";
import type { Asking } from "./asking.js";
import type { Action } from "./grants/actions.js";
import { type Credentials, notLoggedIn } from "./grants/credentials.js";
import type { Grant } from "./grants/grants.js";
import * as policy from "./grants/policy.js";
import { type Nobody, type Principal, type User, withGeneral } from "./grants/principal.js";
import type { Rates } from "./rates/rates.js";
import type { Refusals } from "./rates/refusals.js";
import { Recognition } from "./recognition.js";
import type { AccessSettings } from "./settings.js";
import { keepNewKey, type NewKey, newKey, type StoredKey } from "./store/keys.js";
import { type RevokedAnswer, Revoking } from "./store/revoking.js";
import type { AccessStore } from "./store/store.js";
import { issueToken } from "./tokens/issue.js";
import type { SignedToken, TokenRequest } from "./tokens/sign.js";

/** A token of unknown age is remembered for this much longer than any may live. */
const SLACK_MS = 600_000;

export interface AccessParts {
  readonly settings: AccessSettings;
  readonly store: AccessStore;
  readonly engine: Pick<Engine, "signals">;
  /** Where refused log-ins are counted. */
  readonly rates: Rates;
  /** The figures of what is refused. */
  readonly refusals: Refusals;
  readonly failures: Failures;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export class Access {
  readonly store: AccessStore;
  readonly #rates: Rates;
  readonly #refusals: Refusals;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Log;
  readonly #revoking: Revoking;
  readonly #listeners: (() => void)[] = [];
  #changes = 0;
  #recognition: Recognition;

  /** @throws TypeError, FanfareError `invalid_grants` */
  constructor({ settings, store, engine, rates, refusals, failures, clock, random, log }: AccessParts) {
    this.store = store;
    this.#rates = rates;
    this.#refusals = refusals;
    this.#clock = clock;
    this.#random = random;
    this.#log = log;
    this.#recognition = new Recognition(settings, store.data.keys, { clock, random, log });
    this.#revoking = new Revoking({
      store,
      engine,
      failures,
      clock,
      log,
      count: () => ++this.#changes,
      tell: () => this.#tell(),
    });
    store.onChange(() => this.#storeChanged());
  }

  /** Who says nothing. */
  get nobody(): Nobody {
    return this.#recognition.nobody;
  }

  /** Could somebody who said nothing say who they are? */
  get canLogIn(): boolean {
    return this.#recognition.canLogIn;
  }

  get acceptsUsers(): boolean {
    return this.#recognition.acceptsUsers;
  }

  /** Those who know users by the request they came with. */
  get asking(): Asking {
    return this.#recognition.asking;
  }

  /** Grows whenever `current` may answer otherwise than before. */
  get changes(): number {
    return this.#changes;
  }

  /** From when somebody is not accepted any more, wherever: milliseconds since 1970. `null` is never. */
  endOf(principal: Principal): number | null {
    if (principal.kind !== "user" || principal.expires === null) return null;
    const { expires, askAgainAt } = principal;
    // Only those who make tokens have clocks of their own.
    return askAgainAt === undefined ? expires + this.#skewMs : expires;
  }

  hasEnded(principal: Principal): boolean {
    const end = this.endOf(principal);
    return end !== null && end <= this.#clock.now();
  }

  /**
   * Who is asking. At once where nothing has to be verified. Access looks at no caller for a while from a place where many
   * were refused.
   *
   * @throws FanfareError `not_logged_in`, `unavailable`, `rate_limited`
   */
  authenticate(credentials: Credentials): Principal | Promise<Principal> {
    const { token, request, from = null } = credentials;
    if (token === undefined && !request) return this.#find(credentials);
    const party = { address: from, user: null };
    const refusal = this.#rates.check("logIns", party);
    if (refusal) throw refusal;
    const count = (error: unknown) => {
      if (!(error instanceof FanfareError) || error.code !== "not_logged_in") return;
      this.#refusals.logIns++;
      this.#rates.count("logIns", party);
    };
    try {
      const found = this.#find(credentials);
      if (found instanceof Promise) found.catch(count);
      return found;
    } catch (error) {
      count(error);
      throw error;
    }
  }

  #find(credentials: Credentials): Principal | Promise<Principal> {
    const recognition = this.#recognition;
    if (!this.store.isLoaded && recognition.needsStore(credentials)) return this.#whenLoaded(credentials);
    const found = recognition.find(credentials, this.#changes);
    return found instanceof Promise ? this.#whenFound(credentials, recognition, found) : found;
  }

  /** Nobody knows before that what was revoked. */
  async #whenLoaded(credentials: Credentials): Promise<Principal> {
    await this.store.loaded();
    return await this.#find(credentials);
  }

  /** What was revoked, or set up otherwise, while it was found out who somebody is, counts. */
  async #whenFound(
    credentials: Credentials,
    recognition: Recognition,
    finding: Promise<Principal>,
  ): Promise<Principal> {
    const found = await finding;
    if (recognition !== this.#recognition) return await this.#find(credentials);
    return found.kind === "user" ? this.#letIn(found) : found;
  }

  #letIn(user: User): User {
    const { token, issued } = user;
    const shown = token === null ? null : { id: token, user: user.user, issued };
    if (shown && !this.#revoking.accepts(shown, this.#skewMs, this.#forgetAt())) throw revoked();
    if (this.#revoking.covers(user)) throw revoked();
    // From a clock that is ahead: it may be from before any log-out that is heard of later.
    return issued <= this.#clock.now() ? user : { ...user, issued: Number.NEGATIVE_INFINITY };
  }

  /** Lets somebody go on who may do this: see `policy.ts`. @throws FanfareError `forbidden`, `not_logged_in` */
  allow(principal: Principal, action: Action, channel: ChannelName | null, unknown?: policy.ToUnknown): void {
    try {
      policy.allow(principal, action, channel, this.canLogIn, unknown);
    } catch (error) {
      this.#refusals.actions[action]++;
      throw error;
    }
  }

  /** Lets somebody go on who may do this on any channel at all, to be asked before it is known which. @throws FanfareError */
  allowSomewhere(principal: Principal, action: Action): void {
    if (!principal.grants.has(action)) this.allow(principal, action, null);
  }

  /** The same somebody as of now; `null` when they may not be here any more. Whether they have expired is not looked at. */
  current(principal: Principal): Principal | null {
    switch (principal.kind) {
      case "nobody":
        return this.nobody;
      case "key":
        return this.#recognition.holder(principal);
      case "user":
        return this.#revoking.covers(principal)
          ? null
          : withGeneral(principal, this.#recognition.settings.userGrants);
    }
  }

  /**
   * The same somebody as of now: for those who have waited for something.
   *
   * @throws FanfareError `not_logged_in` when they may not be here any more
   */
  again(principal: Principal): Principal {
    if (this.hasEnded(principal)) throw notLoggedIn("the token has expired", "Get a new one.");
    const current = this.current(principal);
    if (current) return current;
    throw revoked();
  }

  /** Has the user been logged out since then (milliseconds since 1970)? */
  loggedOutSince(user: string, since: number): boolean {
    return this.#revoking.loggedOutSince(user, since);
  }

  /** Calls whenever `current` may answer otherwise than before. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Goes on with other settings. Live connections stay, as far as their principals do. @throws TypeError, FanfareError */
  reload(settings: AccessSettings): void {
    // All of it, or nothing.
    this.#recognition = new Recognition(settings, this.#revoking.keys, {
      clock: this.#clock,
      random: this.#random,
      log: this.#log,
    });
    this.#changes++;
    this.#tell();
  }

  // ---- keys, tokens and what is taken back

  /** The keys that were made while running. @throws FanfareError `unavailable` while they cannot be read and are not known */
  async listKeys(): Promise<readonly StoredKey[]> {
    // Those that are known are good enough while the engine cannot be reached.
    await this.store.latest().catch(() => this.store.loaded());
    return this.#revoking.keys;
  }

  /**
   * Makes a key. It is told once.
   *
   * @param permit is asked before it is kept
   * @throws FanfareError `invalid_grants`, `not_configured`, `unavailable`
   */
  async addKey(
    wanted: { readonly name: string; readonly grants: readonly Grant[] },
    permit?: Permit,
  ): Promise<NewKey> {
    return await keepNewKey(this.store, newKey(wanted, this.#clock.now(), this.#random), permit);
  }

  /** Its connections are closed. `null` when there is none. @throws FanfareError `unavailable` when that cannot be known */
  async revokeKey(id: string): Promise<RevokedAnswer | null> {
    const isKnown = () => this.#revoking.keys.some((key) => key.id === id);
    if (!isKnown()) {
      // Another node may have made it just now.
      await this.store.latest();
      if (!isKnown()) return null;
    }
    const settled = this.#revoking.revokeKey(id);
    this.#storeChanged();
    return await settled;
  }

  /**
   * Makes a token for a user.
   *
   * @throws FanfareError `not_configured`, `invalid_grants`, `invalid_request`
   */
  async makeToken(request: TokenRequest): Promise<SignedToken> {
    return issueToken(this.#recognition.settings.tokens, request, this.#clock.now());
  }

  /** The token is not accepted any more, and its connections are closed. */
  async revokeToken(id: string): Promise<RevokedAnswer> {
    return await this.#revoking.revoke({ tokens: [{ id, until: this.#forgetAt() }], users: [] });
  }

  /** Nothing that the user had until now is accepted any more, and the user's connections are closed. They may log in anew. */
  async revokeUser(user: string): Promise<RevokedAnswer> {
    const at = this.#clock.now();
    return await this.#revoking.revoke({ tokens: [], users: [{ user, at, until: this.#forgetAt() }] });
  }

  close(): void {
    this.#revoking.close();
    this.#listeners.length = 0;
    this.store.close();
  }

  #forgetAt(): number {
    const { maxSeconds } = this.#recognition.settings.tokens;
    return this.#clock.now() + maxSeconds * 1000 + 2 * this.#skewMs + SLACK_MS;
  }

  get #skewMs(): number {
    return this.#recognition.settings.tokens.clockSkewSeconds * 1000;
  }

  #storeChanged(): void {
    this.#changes++;
    try {
      this.#recognition.takeKeys(this.#revoking.keys);
    } catch (error) {
      this.#log.error({ err: error }, "API keys stay as they were");
    }
    this.#revoking.remember();
    this.#tell();
  }

  /** To be called when `changes` has grown. */
  #tell(): void {
    this.asking.forget();
    for (const listener of this.#listeners) listener();
  }
}

function revoked(): FanfareError {
  return notLoggedIn("the key or token was revoked, or its user was logged out", "Log in again.");
}
