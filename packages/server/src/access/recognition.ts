/**
 * How it is found out who somebody is, as the settings say: by key, by token, or by asking. Replaced as a whole when the settings are. Knows
 * nothing of what was revoked.
 */
import { Asking, type AskingParts } from "./asking.js";
import { type Credentials, notLoggedIn } from "./grants/credentials.js";
import type { KeyHolder, Nobody, Principal, User } from "./grants/principal.js";
import type { AccessSettings } from "./settings.js";
import { Keys, type StoredKey } from "./store/keys.js";
import { acceptsTokens } from "./tokens/token-options.js";
import { TokenVerifier } from "./tokens/tokens.js";

const HOW_TO_ACCEPT =
  "Set tokens.secrets, tokens.publicKeys, tokens.jwksUrl, authorize or apiKeys; or leave the key or token (getToken) out.";

export class Recognition {
  readonly settings: AccessSettings;
  /** Who says nothing. */
  readonly nobody: Nobody;
  /** Those who know users by the request they came with. */
  readonly asking: Asking;
  readonly #verifier: TokenVerifier;
  #keys: Keys;

  /** @throws TypeError, FanfareError `invalid_grants` */
  constructor(settings: AccessSettings, storedKeys: readonly StoredKey[], parts: AskingParts) {
    this.settings = settings;
    this.nobody = { kind: "nobody", grants: settings.anonymous };
    this.#keys = new Keys(settings.apiKeys, storedKeys);
    this.#verifier = new TokenVerifier(settings.tokens, settings.userGrants, parts.clock);
    this.asking = new Asking(settings, parts);
  }

  get acceptsUsers(): boolean {
    return acceptsTokens(this.settings.tokens) || this.asking.possible;
  }

  /** Could somebody who said nothing say who they are? */
  get canLogIn(): boolean {
    return this.#keys.count > 0 || this.acceptsUsers;
  }

  /** @throws TypeError, FanfareError `invalid_grants`; then those that there were stay */
  takeKeys(stored: readonly StoredKey[]): void {
    this.#keys = new Keys(this.settings.apiKeys, stored);
  }

  /** Is it a matter of stored keys and revocations who this is? Not with a key that is known, or for an anonymous caller. */
  needsStore({ token, request }: Credentials): boolean {
    if (token !== undefined) return this.#keys.find(token) === null;
    return request !== undefined && this.asking.possible;
  }

  /** The holder of the same key as of now. */
  holder(holder: KeyHolder): KeyHolder | null {
    return this.#keys.current(holder);
  }

  /**
   * Who it is; at once where nothing has to be verified.
   *
   * @param known how much of access has changed by now, as `Access.changes` counts
   * @throws FanfareError `not_logged_in`, `unavailable`
   */
  find(credentials: Credentials, known: number): Principal | Promise<Principal> {
    const { token } = credentials;
    const holder = token === undefined ? null : this.#keys.find(token);
    if (holder) return holder;
    if (token !== undefined && acceptsTokens(this.settings.tokens))
      return this.#verifier.verify(token, known);
    const asked = this.asking.ask(credentials, known);
    if (asked) return this.#known(asked, token);
    if (token === undefined) return this.nobody;
    if (this.canLogIn) throw notLoggedIn("the API key is not known");
    // Also where everybody may do everything: a token that is wrong is wrong everywhere.
    throw notLoggedIn("a key or token was given, and nothing is set up to check it with", HOW_TO_ACCEPT);
  }

  async #known(asked: Promise<User | null>, token: string | undefined): Promise<Principal> {
    const user = await asked;
    if (user) return user;
    if (token === undefined) return this.nobody;
    throw notLoggedIn("the token was not accepted");
  }
}
