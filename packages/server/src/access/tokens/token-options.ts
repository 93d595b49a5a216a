/** How tokens of users are checked and made. Every member may be left out; without a secret or key no token is accepted. */
import { shown } from "@fanfare/protocol";
import { checkKinds, checkOptions, checkTexts, givenOf, type Kinds } from "../../base/known-names.js";
import { TokenKeys } from "./token-keys.js";

export interface TokenOptions {
  /**
   * Secrets of HS256, HS384 and HS512, at least 32 characters each. All are accepted, and the first makes tokens: to replace one, put
   * the new one first, and take the old one out when its tokens have expired. @default none
   */
  readonly secrets?: readonly string[];
  /** Public keys as PEM, for RS, PS and ES with 256, 384 or 512, and EdDSA (Ed25519). @default none */
  readonly publicKeys?: readonly string[];
  /** Address of a JSON Web Key Set; it is fetched when it is needed, and again when a token names a key that is not in it. @default none, and so is an empty one */
  readonly jwksUrl?: string | undefined;
  /** Accepted values of `iss`. @default not looked at */
  readonly issuers?: readonly string[];
  /** Accepted values of `aud`. @default not looked at */
  readonly audiences?: readonly string[];
  /** How far the clocks of those who make tokens may be off, in seconds. A token holds for this long after its `exp`, everywhere. @default 30 */
  readonly clockSkewSeconds?: number;
  /** For how long a token may be made at most, in seconds. @default 86,400: a day */
  readonly maxSeconds?: number;
}

export type TokenSettings = Required<TokenOptions>;

export const DEFAULT_TOKENS: TokenSettings = {
  secrets: [],
  publicKeys: [],
  jwksUrl: undefined,
  issuers: [],
  audiences: [],
  clockSkewSeconds: 30,
  maxSeconds: 86_400,
};

const LISTS = ["secrets", "publicKeys", "issuers", "audiences"] as const;
const KINDS: Kinds<TokenOptions> = {
  secrets: "a list",
  publicKeys: "a list",
  issuers: "a list",
  audiences: "a list",
  jwksUrl: "a text",
};

/** Shorter secrets can be found by trying. */
export const MIN_SECRET_LENGTH = 32;

/** Can anybody log in with a token? */
export function acceptsTokens({ secrets, publicKeys, jwksUrl }: TokenSettings): boolean {
  return secrets.length > 0 || publicKeys.length > 0 || jwksUrl !== undefined;
}

/** @throws TypeError */
export function tokenSettings(options: TokenOptions = {}): TokenSettings {
  checkOptions("tokens", options, Object.keys(DEFAULT_TOKENS));
  checkKinds("tokens.", options, KINDS);
  for (const name of LISTS) checkTexts(`tokens.${name}`, options[name] ?? []);
  const settings = { ...DEFAULT_TOKENS, ...givenOf(options), jwksUrl: options.jwksUrl || undefined };
  for (const [index, secret] of settings.secrets.entries()) checkSecret(secret, `tokens.secrets[${index}]`);
  // Keys are looked at now, not with the first token.
  new TokenKeys(settings);
  for (const name of ["clockSkewSeconds", "maxSeconds"] as const) {
    const value = settings[name];
    if (!(Number.isFinite(value) && value >= 0)) {
      throw new TypeError(`tokens.${name} is ${shown(value)}. Give a number of seconds, 0 or more.`);
    }
  }
  return settings;
}

/** @throws TypeError, which does not show the secret, also when it is a bad one */
export function checkSecret(secret: string, name: string): void {
  checkKinds("", { [name]: secret ?? null }, { [name]: "a text" });
  if (secret.length >= MIN_SECRET_LENGTH) return;
  throw new TypeError(
    `${name} has ${secret.length} characters. Give at least ${MIN_SECRET_LENGTH}, such as: openssl rand -hex 32`,
  );
}
