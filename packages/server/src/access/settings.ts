/** How access is set up: the options, and what they mean. Can be replaced while the server runs. */
import { shown } from "@fanfare/protocol";
import type { Log } from "../base/log.js";
import {
  type ForwardedSessionOptions,
  type ForwardedSessionSettings,
  forwardedSessionSettings,
} from "./forwarded-session-options.js";
import type { AccessRequest } from "./grants/credentials.js";
import { ALL_GRANTS, type Grant, Grants, NO_GRANTS } from "./grants/grants.js";
import type { ApiKey } from "./store/keys.js";
import { type TokenOptions, type TokenSettings, tokenSettings } from "./tokens/token-options.js";

/** `granted`: a client may do what its grants say. `open`: an anonymous client may do everything. */
export const ACCESS_MODES = ["granted", "open"] as const;
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

export interface AccessOptions {
  /**
   * `granted`: a client may do what its grants say, and a client that does not log in may do what `anonymous` says. `open`: a client that
   * does not log in may do everything, as an administrator may; for development, and for networks where you trust every client. Users
   * and API keys have their own grants either way.
   *
   * @default "granted"
   */
  readonly access?: AccessMode;
  /**
   * The grants of clients that do not log in, such as `[{ channels: "news:**", actions: ["subscribe", "history"] }]`. Not together with
   * `access: "open"`.
   *
   * @default none: these clients may do nothing
   */
  readonly anonymous?: readonly Grant[];
  /**
   * Keys of other servers: `Authorization: Bearer <key>`. At least 16 characters each. A key alone may do everything.
   *
   * @default none
   */
  readonly apiKeys?: readonly ApiKey[];
  /** The grants of every user, beside those in their token, such as `user:{sub}:**`. @default nothing */
  readonly userGrants?: readonly Grant[];
  /** How tokens of users are checked. @default no token is accepted */
  readonly tokens?: TokenOptions;
  /** Your own code that knows who is asking: by cookie, header or token. It is asked where no API key and no token of `tokens` is given. */
  readonly authorize?: AuthorizeHook;
  /** Another application that knows who is asking by its session cookies; not together with `authorize`. @default none */
  readonly forwardedSession?: ForwardedSessionOptions;
}

export interface AccessSettings {
  /** The grants of anonymous clients. */
  readonly anonymous: Grants;
  readonly apiKeys: readonly ApiKey[];
  readonly userGrants: readonly Grant[];
  readonly tokens: TokenSettings;
  readonly authorize: AuthorizeHook | null;
  readonly forwardedSession: ForwardedSessionSettings | null;
}

/** @throws TypeError, FanfareError `invalid_grants` */
export function accessSettings(options: AccessOptions): AccessSettings {
  const { apiKeys = [], userGrants = [], authorize = null } = options;
  const tokens = tokenSettings(options.tokens);
  // Checked as if there were a user, since `{sub}` may be in them.
  new Grants(userGrants, "anybody");
  const forwardedSession = forwardedSessionSettings(options.forwardedSession);
  if (authorize && forwardedSession) {
    throw new TypeError("authorize and forwardedSession are both set. Give one of them.");
  }
  return { anonymous: anonymousGrants(options), apiKeys, userGrants, tokens, authorize, forwardedSession };
}

/** @throws TypeError, FanfareError `invalid_grants` */
export function anonymousGrants({ access = "granted", anonymous }: AccessOptions): Grants {
  if (!ACCESS_MODES.includes(access)) {
    throw new TypeError(`access is ${shown(access)}. Give "granted" or "open".`);
  }
  if (access === "granted") return anonymous === undefined ? NO_GRANTS : new Grants(anonymous, null);
  if (anonymous === undefined || anonymous.length === 0) return ALL_GRANTS;
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
