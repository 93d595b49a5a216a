/** How tokens of users are checked and made: each option is declared here once. Without a secret or key no token is accepted. */
import { z } from "zod";
import { checkKinds, kindOf } from "../../base/known-names.js";
import { described, type Given } from "../../base/option.js";
import { checkedOptions, explain } from "../../base/option-checks.js";
import { visibleText } from "../../base/option-kinds.js";
import { checkKeySetUrl, checkPublicKeys } from "./token-keys.js";

/** Shorter secrets can be found by trying. */
const MIN_SECRET_LENGTH = 32;

const ALLOWED_SECRET = `at least ${MIN_SECRET_LENGTH} visible ASCII characters without commas, such as what openssl rand -hex 32 prints`;

/** The comments are what editors show: `config/options.test.ts` holds them to the texts and defaults. */
const options = {
  /** Secrets that tokens of users are signed with (HS256, HS384, HS512). The first makes tokens, all are accepted: so one can be replaced without a pause. @default none */
  secrets: described(z.array(visibleText(MIN_SECRET_LENGTH)).default([]), {
    text: "Secrets that tokens of users are signed with (HS256, HS384, HS512). The first makes tokens, all are accepted: so one can be replaced without a pause.",
    allowed: ALLOWED_SECRET,
    secret: true,
    variable: "FANFARE_SECRET",
  }),
  /** Public keys that tokens are checked with (RS, PS, ES with 256, 384 or 512, and EdDSA). @default none */
  publicKeys: described(
    z
      .array(z.string())
      .superRefine((publicKeys, context) => explain(context, () => checkPublicKeys(publicKeys)))
      .default([]),
    {
      text: "Public keys that tokens are checked with (RS, PS, ES with 256, 384 or 512, and EdDSA).",
      allowed: "a list of public keys as PEM",
    },
  ),
  /** Where to fetch the JSON Web Key Set that tokens are checked with. The server fetches it again after 10 minutes, and when a token names a key that is not in it, at most every 10 seconds. So publish a new key before you sign with it. Empty is nowhere. @default "" */
  jwksUrl: described(
    z
      .string()
      .superRefine((jwksUrl, context) => explain(context, () => checkKeySetUrl(jwksUrl)))
      .default(""),
    {
      text: "Where to fetch the JSON Web Key Set that tokens are checked with. The server fetches it again after 10 minutes, and when a token names a key that is not in it, at most every 10 seconds. So publish a new key before you sign with it. Empty is nowhere.",
      allowed: "an address with https",
    },
  ),
  /** Accepted values of `iss`. None: it is not looked at. @default none */
  issuers: described(z.array(z.string().min(1)).default([]), {
    text: "Accepted values of `iss`. None: it is not looked at.",
    allowed: "a text",
  }),
  /** Accepted values of `aud`. None: it is not looked at. @default none */
  audiences: described(z.array(z.string().min(1)).default([]), {
    text: "Accepted values of `aud`. None: it is not looked at.",
    allowed: "a text",
  }),
  /** How far the clocks of those who make tokens may be off. A token holds for this long after its `exp`: at log-in, over HTTP and on open connections. @default 30 */
  clockSkewSeconds: described(z.number().min(0).max(600).default(30), {
    text: "How far the clocks of those who make tokens may be off. A token holds for this long after its `exp`: at log-in, over HTTP and on open connections.",
    allowed: "a number from 0 to 600",
    unit: "seconds",
  }),
  /** For how long a token may be made at most. The server remembers a log-out for this time. @default 86,400 */
  maxSeconds: described(z.number().min(60).default(86_400), {
    text: "For how long a token may be made at most. The server remembers a log-out for this time.",
    allowed: "a number from 60 up",
    unit: "seconds",
  }),
};

export const TOKENS = z.strictObject(options);

export type TokenOptions = Given<typeof options>;
export type TokenSettings = z.output<typeof TOKENS>;

/** Can anybody log in with a token? */
export function acceptsTokens({ secrets, publicKeys, jwksUrl }: TokenSettings): boolean {
  return secrets.length > 0 || publicKeys.length > 0 || jwksUrl !== "";
}

/** @throws TypeError */
export function tokenSettings(given: TokenOptions = {}): TokenSettings {
  return checkedOptions("tokens", TOKENS, given);
}

/** @throws TypeError, which does not show the secret, also when it is a bad one */
export function checkSecret(secret: string, name: string): void {
  checkKinds("", { [name]: secret ?? null }, { [name]: "a text" }, kindOf);
  if (visibleText(MIN_SECRET_LENGTH).safeParse(secret).success) return;
  throw new TypeError(`${name} is a text of ${secret.length} characters. Give ${ALLOWED_SECRET}.`);
}
