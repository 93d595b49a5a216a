/** How access is set up: the options, and what they mean. Can be replaced while the server runs. */
import { z } from "zod";
import type { Log } from "../base/log.js";
import { described, type Given } from "../base/option.js";
import { checkedOptions } from "../base/option-checks.js";
import { inCode } from "../base/option-kinds.js";
import { FORWARDED_SESSION, type ForwardedSessionSettings } from "./forwarded-session-options.js";
import type { AccessRequest } from "./grants/credentials.js";
import { grantsOption } from "./grants/grant-options.js";
import { ALL_GRANTS, type Grant, Grants, NO_GRANTS } from "./grants/grants.js";
import { API_KEYS, type ApiKey } from "./store/keys.js";
import { TOKENS, type TokenSettings } from "./tokens/token-options.js";

/** `granted`: a client may do what its grants say. `open`: an anonymous client may do everything. */
const ACCESS_MODES = ["granted", "open"] as const;
export type AccessMode = (typeof ACCESS_MODES)[number];

/** Somebody whom your own code knows. */
export interface Authorized {
  /** The id of the user, 1 to 200 characters. */
  readonly user: string;
  /** The grants of the user, beside `userGrants`. */
  readonly grants: readonly Grant[];
  /** When this ends: milliseconds since 1970. Then it is asked again for those who are connected. @default never */
  readonly expires?: number;
  /** Others who may see that the user is present see it, such as `{ name: "Alice" }`: any JSON value of at most 1 KiB. */
  readonly info?: unknown;
}

/** The question to your own code. */
export interface AuthorizeRequest extends AccessRequest {
  /** The token that the client gave, where it is no API key; over HTTP after `Authorization: Bearer`. */
  readonly token: string | undefined;
  /** The CSRF token that the client gave. */
  readonly csrf: string | undefined;
}

/** The user; `null` when you do not know them: then they are anonymous, or refused when they gave a token. */
export type AuthorizeHook = (request: AuthorizeRequest) => Authorized | null | Promise<Authorized | null>;

/** The comments are what editors show: `config/options.test.ts` holds them to the texts and defaults. */
export const accessOptions = {
  /** Keys with which your servers publish: `Authorization: Bearer <key>`. A key alone may do everything; an object with `key`, `name` and `grants` may do less. `fanfare key add` makes keys while the server runs. Several allow to replace one without a pause. @default none */
  apiKeys: API_KEYS,
  /** `granted`: a client may do what its grants say, and a client that does not log in may do what `anonymous` says. `open`: a client that does not log in may do everything, as an administrator may; for networks where you trust every client. Users and API keys have their own grants either way. @default "granted" */
  access: described(z.enum(ACCESS_MODES).default("granted"), {
    text: "`granted`: a client may do what its grants say, and a client that does not log in may do what `anonymous` says. `open`: a client that does not log in may do everything, as an administrator may; for networks where you trust every client. Users and API keys have their own grants either way.",
    allowed: ACCESS_MODES.join(" or "),
  }),
  /** Grants of clients that do not log in. Without grants these clients may do nothing. Not together with `access: open`. @default none */
  anonymous: described(grantsOption(null).default([]), {
    text: "Grants of clients that do not log in. Without grants these clients may do nothing. Not together with `access: open`.",
    allowed: "a list of grants",
    code: "invalid_grants",
    fromText: (text) => JSON.parse(text) as unknown,
    asText: "the list as JSON",
  }),
  /** Grants of every user, beside those in the token. @default none */
  userGrants: described(grantsOption("somebody").default([]), {
    text: "Grants of every user, beside those in the token.",
    allowed: "a list of grants",
    code: "invalid_grants",
    fromText: (text) => JSON.parse(text) as unknown,
    asText: "the list as JSON",
  }),
  /** How tokens of users are checked. @default no token is accepted */
  tokens: TOKENS.prefault({}),
  /** Your own code that knows who is asking: by cookie, header or token. It is asked where no API key and no token of `tokens` is given. Not together with `forwardedSession`. @default none */
  authorize: inCode<AuthorizeHook>({
    text: "Your own code that knows who is asking: by cookie, header or token. It is asked where no API key and no token of `tokens` is given. Not together with `forwardedSession`.",
    allowed: "a function",
    isRight: (given) => typeof given === "function",
  }),
  /** Another application that knows who is asking by its session cookies. Not together with `authorize`. @default none */
  forwardedSession: FORWARDED_SESSION.prefault({}),
};

export type AccessOptions = Given<typeof accessOptions>;
const ACCESS = z.strictObject(accessOptions);

export interface AccessSettings {
  /** The grants of anonymous clients. */
  readonly anonymous: Grants;
  readonly apiKeys: readonly ApiKey[];
  readonly userGrants: readonly Grant[];
  readonly tokens: TokenSettings;
  readonly authorize: AuthorizeHook | null;
  readonly forwardedSession: ForwardedSessionSettings | null;
}

/** @param given nothing else than these options @throws TypeError, FanfareError `invalid_grants` */
export function accessSettings(given: AccessOptions): AccessSettings {
  return settingsOf(checkedOptions("access", ACCESS, given, ""));
}

/** @param checked options, as their schemas have them @throws TypeError */
export function settingsOf(checked: z.output<typeof ACCESS>): AccessSettings {
  const { apiKeys, userGrants, tokens, authorize = null, forwardedSession: asked } = checked;
  const forwardedSession = asked.url === "" ? null : asked;
  if (authorize && forwardedSession) {
    throw new TypeError("authorize and forwardedSession are both set. Give one of them.");
  }
  return { anonymous: anonymousGrants(checked), apiKeys, userGrants, tokens, authorize, forwardedSession };
}

/** @throws TypeError */
export function anonymousGrants({
  access,
  anonymous,
}: Pick<z.output<typeof ACCESS>, "access" | "anonymous">): Grants {
  if (access === "granted") return anonymous.length === 0 ? NO_GRANTS : new Grants(anonymous, null);
  if (anonymous.length === 0) return ALL_GRANTS;
  throw new TypeError(
    'access is "open", and anonymous has grants. Remove access to allow these grants only, or remove anonymous.',
  );
}

/** Warns where every client may do everything, and where no client may do anything: both are easily overlooked. */
export function tellAccess({ anonymous }: AccessSettings, canLogIn: boolean, log: Log): void {
  if (anonymous === ALL_GRANTS) {
    log.warn(
      { remedy: "Remove access, and give anonymous clients in anonymous what they may do." },
      'access is "open": every client that reaches this server may do everything',
    );
  } else if (anonymous.list.length === 0 && !canLogIn) {
    log.warn(
      { remedy: 'Set apiKeys, tokens, authorize or forwardedSession, or anonymous, or access: "open".' },
      "access: no client may do anything, because clients can neither log in nor do anything without",
    );
  }
}
