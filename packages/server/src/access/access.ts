/**
 * Who is asking: finds the principal of what a caller brings along, and tells when that has changed: when a key, a token or a
 * user was revoked, here or on another node, or when the settings were replaced. What a principal may do is `policy.ts`.
 */
import { type ChannelName, FanfareError } from "@fanfare/protocol";
import type { Clock, Random } from "../clock.js";
import type { Engine } from "../engine/engine.js";
import type { Log } from "../log.js";
import type { Action } from "./actions.js";
import { Asking } from "./asking.js";
import { type Credentials, notLoggedIn } from "./credentials.js";
import { ALL_GRANTS, type Grant } from "./grants.js";
import { issueToken } from "./issue.js";
import { Keys, newKey, type StoredKey } from "./keys.js";
import * as policy from "./policy.js";
import type { Nobody, Principal, User } from "./principal.js";
import type { Rates } from "./rates.js";
import type { Refusals } from "./refusals.js";
import { Revocations, type Revoked, withRevoked } from "./revocations.js";
import type { AccessSettings } from "./settings.js";
import type { SignedToken, TokenRequest } from "./sign.js";
import type { AccessStore } from "./store.js";
import { acceptsTokens } from "./token-options.js";
import { TokenVerifier } from "./tokens.js";

const REVOKED_TOPIC = "access.revoked";
/** A token of unknown age is remembered for this much longer than any may live. */
const SLACK_MS = 600_000;

export interface AccessParts {
  readonly settings: AccessSettings;
  readonly store: AccessStore;
  readonly engine: Pick<Engine, "signal" | "onSignal">;
  /** Where refused log-ins are counted. */
  readonly rates: Rates;
  /** The figures of what is refused. */
  readonly refusals: Refusals;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export class Access {
  readonly store: AccessStore;
  readonly #engine: AccessParts["engine"];
  readonly #rates: Rates;
  readonly #refusals: Refusals;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Log;
  readonly #revocations = new Revocations();
  readonly #listeners: (() => void)[] = [];
  readonly #stopListening: () => void;
  #settings: AccessSettings;
  #nobody: Nobody;
  #keys: Keys;
  #verifier: TokenVerifier;
  #asking: Asking;

  /** @throws TypeError, FanfareError `invalid_grants` */
  constructor({ settings, store, engine, rates, refusals, clock, random, log }: AccessParts) {
    this.store = store;
    this.#engine = engine;
    this.#rates = rates;
    this.#refusals = refusals;
    this.#clock = clock;
    this.#random = random;
    this.#log = log;
    this.#settings = settings;
    this.#nobody = { kind: "nobody", grants: settings.anonymous };
    this.#keys = new Keys(settings.apiKeys, store.data.keys);
    this.#verifier = new TokenVerifier(settings.tokens, settings.userGrants, clock);
    this.#asking = new Asking(settings, { clock, random, log });
    this.#remember();
    store.onChange(() => this.#storeChanged());
    this.#stopListening = engine.onSignal(REVOKED_TOPIC, (json) => {
      this.#revocations.add(JSON.parse(json) as Revoked);
      this.#asking.forget();
      this.#tell();
    });
  }

  /** Who says nothing. */
  get nobody(): Nobody {
    return this.#nobody;
  }

  /** Could somebody who said nothing say who he is? */
  get canLogIn(): boolean {
    return this.#keys.count > 0 || this.acceptsUsers;
  }

  get acceptsUsers(): boolean {
    return acceptsTokens(this.#settings.tokens) || this.#asking.possible;
  }

  /** Those who know users by the request they came with. */
  get asking(): Asking {
    return this.#asking;
  }

  /** For how long a live connection is kept after its principal expired. */
  get graceMs(): number {
    return this.#settings.tokens.graceSeconds * 1000;
  }

  /**
   * Who is asking. At once where nothing has to be verified. From where many were refused, nobody is looked at for a while.
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
    const { token } = credentials;
    const holder = token === undefined ? null : this.#keys.find(token);
    if (holder) return holder;
    if (token !== undefined && acceptsTokens(this.#settings.tokens)) return this.#verify(token);
    const asked = this.#asking.ask(credentials);
    if (asked) return this.#known(asked, token);
    // Where everybody may do everything, and nobody is known, a page works with its token as without.
    const open = this.#settings.anonymous === ALL_GRANTS && !this.canLogIn;
    if (token === undefined || open) return this.#nobody;
    throw notLoggedIn("the API key is not known");
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

  /** The same somebody as of now; `null` when he may not be here any more. */
  current(principal: Principal): Principal | null {
    switch (principal.kind) {
      case "nobody":
        return this.#nobody;
      case "key":
        return this.#keys.holder(principal.key);
      case "user":
        return this.#revocations.covers(principal) ? null : principal;
    }
  }

  /** Calls whenever `current` may answer otherwise than before. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Goes on with other settings. Live connections stay, as far as their principals do. @throws TypeError, FanfareError */
  reload(settings: AccessSettings): void {
    // All of it, or nothing.
    const keys = new Keys(settings.apiKeys, this.store.data.keys);
    const verifier = new TokenVerifier(settings.tokens, settings.userGrants, this.#clock);
    this.#keys = keys;
    this.#verifier = verifier;
    this.#settings = settings;
    this.#asking = new Asking(settings, { clock: this.#clock, random: this.#random, log: this.#log });
    this.#nobody = { kind: "nobody", grants: settings.anonymous };
    this.#tell();
  }

  // ---- keys, tokens and what is taken back

  get storedKeys(): readonly StoredKey[] {
    return this.store.data.keys;
  }

  /**
   * Makes a key. It is told once.
   *
   * @throws FanfareError `invalid_grants`, `not_configured`, `unavailable`
   */
  async addKey(wanted: {
    readonly name: string;
    readonly grants: readonly Grant[];
  }): Promise<{ readonly key: string; readonly stored: StoredKey }> {
    if (!this.store.durable) {
      throw new FanfareError("not_configured", "there is no place to keep keys in", {
        remedy: "Set dataDir to a folder; or give keys as apiKeys.",
      });
    }
    const made = newKey(wanted, this.#clock.now(), this.#random);
    await this.store.change((data) => ({ ...data, keys: [...data.keys, made.stored] }));
    return made;
  }

  /** Its connections are closed. False when there is none. @throws FanfareError `unavailable` */
  async revokeKey(id: string): Promise<boolean> {
    if (!this.store.data.keys.some((key) => key.id === id)) return false;
    await this.store.change((data) => ({ ...data, keys: data.keys.filter((key) => key.id !== id) }));
    return true;
  }

  /**
   * Makes a token for a user.
   *
   * @throws FanfareError `not_configured`, `invalid_grants`, `invalid_request`
   */
  async makeToken(request: TokenRequest): Promise<SignedToken> {
    return issueToken(this.#settings.tokens, request, this.#clock.now());
  }

  /** The token is not accepted any more, and its connections are closed. @throws FanfareError `unavailable` */
  async revokeToken(id: string): Promise<void> {
    await this.#revoke({ tokens: [{ id, until: this.#forgetAt() }], users: [] });
  }

  /**
   * Nothing that was issued to the user until now is accepted any more, and his connections are closed. He may log in anew.
   *
   * @throws FanfareError `unavailable`
   */
  async revokeUser(user: string): Promise<void> {
    await this.#revoke({ tokens: [], users: [{ user, at: this.#clock.now(), until: this.#forgetAt() }] });
  }

  close(): void {
    this.#stopListening();
    this.#listeners.length = 0;
    this.store.close();
  }

  async #revoke(revoked: Revoked): Promise<void> {
    await this.store.change((data) => withRevoked(data, revoked, this.#clock.now()));
    await this.#engine.signal(REVOKED_TOPIC, JSON.stringify(revoked));
  }

  #forgetAt(): number {
    const { maxSeconds, clockSkewSeconds } = this.#settings.tokens;
    return this.#clock.now() + (maxSeconds + 2 * clockSkewSeconds) * 1000 + SLACK_MS;
  }

  #storeChanged(): void {
    try {
      this.#keys = new Keys(this.#settings.apiKeys, this.store.data.keys);
    } catch (error) {
      this.#log.error({ err: error }, "API keys stay as they were");
    }
    this.#remember();
    this.#tell();
  }

  #remember(): void {
    const { revokedTokens, revokedUsers } = this.store.data;
    this.#revocations.add({ tokens: revokedTokens, users: revokedUsers });
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }

  async #verify(token: string): Promise<User> {
    return this.#unlessRevoked(await this.#verifier.verify(token));
  }

  async #known(asked: Promise<User | null>, token: string | undefined): Promise<Principal> {
    const user = await asked;
    if (user) return this.#unlessRevoked(user);
    if (token === undefined) return this.#nobody;
    throw notLoggedIn("the token was not accepted");
  }

  #unlessRevoked(user: User): User {
    if (!this.#revocations.covers(user)) return user;
    throw notLoggedIn("the token was revoked", "Log in again.");
  }
}
