/**
 * Who is asking: finds the principal of what a caller brings along, and tells when that has changed: when a key, a token or a
 * user was revoked, here or on another node, or when the settings were replaced. What a principal may do is `policy.ts`.
 */
import { FanfareError, quote } from "@fanfare/protocol";
import type { Clock, Random } from "../clock.js";
import type { Engine } from "../engine/engine.js";
import type { Log } from "../log.js";
import { type Credentials, notLoggedIn } from "./credentials.js";
import { ALL_GRANTS, type Grant, Grants, grantsOf, userProblem } from "./grants.js";
import { Keys, newKey, type StoredKey } from "./keys.js";
import type { KeyHolder, Nobody, Principal, User } from "./principal.js";
import { Revocations, type Revoked, withRevoked } from "./revocations.js";
import type { AccessSettings, Authorized } from "./settings.js";
import { type SignedToken, signToken, type TokenRequest } from "./sign.js";
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
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export class Access {
  readonly store: AccessStore;
  readonly #engine: AccessParts["engine"];
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

  /** @throws TypeError, FanfareError `invalid_grants` */
  constructor({ settings, store, engine, clock, random, log }: AccessParts) {
    this.store = store;
    this.#engine = engine;
    this.#clock = clock;
    this.#random = random;
    this.#log = log;
    this.#settings = settings;
    this.#nobody = { kind: "nobody", grants: settings.anonymous };
    this.#keys = new Keys(settings.apiKeys, store.data.keys);
    this.#verifier = new TokenVerifier(settings.tokens, settings.userGrants, clock);
    this.#remember();
    store.onChange(() => this.#storeChanged());
    this.#stopListening = engine.onSignal(REVOKED_TOPIC, (json) => {
      this.#revocations.add(JSON.parse(json) as Revoked);
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
    return acceptsTokens(this.#settings.tokens) || this.#settings.authorize !== null;
  }

  /** Is the request looked at, beside the token? */
  get looksAtRequests(): boolean {
    return this.#settings.authorize !== null;
  }

  /** For how long a live connection is kept after its principal expired. */
  get graceMs(): number {
    return this.#settings.tokens.graceSeconds * 1000;
  }

  /**
   * Who is asking. At once where nothing has to be verified.
   *
   * @throws FanfareError `not_logged_in`, `unavailable`
   */
  authenticate(credentials: Credentials): Principal | Promise<Principal> {
    const { token } = credentials;
    const holder = token === undefined ? null : this.#keys.find(token);
    if (holder) return holder;
    if (token !== undefined && acceptsTokens(this.#settings.tokens)) return this.#verify(token);
    if (this.#settings.authorize && credentials.request) return this.#ask(credentials);
    // Where everybody may do everything, and nobody is known, a page works with its token as without.
    const open = this.#settings.anonymous === ALL_GRANTS && !this.canLogIn;
    if (token === undefined || open) return this.#nobody;
    throw notLoggedIn("the API key is not known");
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
    const { secrets, issuers, audiences, maxSeconds } = this.#settings.tokens;
    const [secret] = secrets;
    if (secret === undefined) {
      throw new FanfareError("not_configured", "there is no secret to make tokens with", {
        remedy: "Set tokens.secrets (FANFARE_SECRET), such as: openssl rand -hex 32",
      });
    }
    const { expiresInSeconds } = request;
    if (expiresInSeconds !== undefined && expiresInSeconds > maxSeconds) {
      throw new FanfareError("invalid_request", `expiresInSeconds is ${expiresInSeconds}`, {
        remedy: `Give at most ${maxSeconds}, or raise tokens.maxSeconds.`,
      });
    }
    return signToken({
      ...request,
      secret,
      issuer: issuers[0],
      audience: audiences[0],
      now: this.#clock.now(),
    });
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

  async #ask({ token, csrf, request }: Credentials): Promise<Principal> {
    const { authorize } = this.#settings;
    if (!authorize || !request) return this.#nobody;
    const found = await authorize({ ...request(), token, csrf });
    if (found) return this.#unlessRevoked(this.#userOf(found));
    if (token === undefined) return this.#nobody;
    throw notLoggedIn("the token was not accepted");
  }

  /** What the application says is checked like anything else. @throws TypeError, FanfareError `invalid_grants` */
  #userOf({ user, grants, expires }: Authorized): User {
    const problem = userProblem(user);
    if (problem !== null) throw new TypeError(`authorize: user ${problem}: ${quote(String(user))}`);
    const own = new Grants(grants, user);
    return {
      kind: "user",
      user,
      grants: grantsOf(user, this.#settings.userGrants, own.list),
      token: null,
      issued: this.#clock.now(),
      expires: expires ?? null,
    };
  }

  #unlessRevoked(user: User): User {
    if (!this.#revocations.covers(user)) return user;
    throw notLoggedIn("the token was revoked", "Log in again.");
  }
}

/** @throws FanfareError `forbidden` when somebody would hand out more than he has */
export function checkHandsOut(holder: KeyHolder, request: TokenRequest): void {
  const wanted = new Grants(request.grants, request.user);
  const lacking = holder.grants.lacks(wanted, "token");
  if (!lacking) return;
  throw new FanfareError(
    "forbidden",
    `this API key may not hand out ${lacking.action} on ${quote(lacking.grant.channels)}`,
    {
      remedy: `Use a key with the actions token and ${lacking.action} on these channels, or leave the grant out.`,
    },
  );
}
