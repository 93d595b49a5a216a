/** How access is set up: the options, and what they mean. Can be replaced while the server runs. */
import { quote } from "@fanfare/protocol";
import type { AccessRequest } from "./credentials.js";
import {
  type ForwardedSessionOptions,
  type ForwardedSessionSettings,
  forwardedSessionSettings,
} from "./forwarded-session-options.js";
import { ALL_GRANTS, type Grant, Grants, NO_GRANTS } from "./grants.js";
import type { ApiKey } from "./keys.js";
import { acceptsTokens, type TokenOptions, type TokenSettings, tokenSettings } from "./token-options.js";

/**
 * What callers may do who do not say who they are. `open`: everything. `listen`: subscribe and read history. `none`: nothing. `auto`:
 * `none` where users can log in by `tokens`, `authorize` or `forwardedSession`, else `listen`. Or grants.
 */
export type AccessMode = "auto" | "open" | "listen" | "none" | readonly Grant[];

/** Somebody whom your own code knows. */
export interface Authorized {
  /** The id of the user, 1 to 200 characters. */
  readonly user: string;
  /** What the user may do, beside `userGrants`. */
  readonly grants: readonly Grant[];
  /** When this ends: milliseconds since 1970. Then it is asked again for those who are connected. @default never */
  readonly expires?: number;
  /** What those see who see that the user is present, such as `{ name: "Alice" }`: any JSON value of at most 1 KiB. */
  readonly info?: unknown;
}

/** What your own code is asked about. */
export interface AuthorizeRequest extends AccessRequest {
  /** What the client gave as its token, where it is no API key; over HTTP after `Authorization: Bearer`. */
  readonly token: string | undefined;
  /** What the client gave as its CSRF token. */
  readonly csrf: string | undefined;
}

/** Who it is; `null` when you do not know him: then he is nobody, or refused when he gave a token. */
export type AuthorizeHook = (request: AuthorizeRequest) => Authorized | null | Promise<Authorized | null>;

export interface AccessOptions {
  /** What callers may do who do not say who they are. @default "auto" */
  readonly access?: AccessMode;
  /**
   * Keys of other servers: `Authorization: Bearer <key>`. At least 16 characters each. A key alone may do everything.
   *
   * @default none
   */
  readonly apiKeys?: readonly ApiKey[];
  /** What every user may do, beside the grants in his token, such as `user:{sub}:**`. @default nothing */
  readonly userGrants?: readonly Grant[];
  /** How tokens of users are checked. @default no token is accepted */
  readonly tokens?: TokenOptions;
  /** Your own code that knows who is asking: by cookie, header or token. It is asked where no API key and no token of `tokens` is given. */
  readonly authorize?: AuthorizeHook;
  /** Another application that knows who is asking by its session cookies; not together with `authorize`. @default none */
  readonly forwardedSession?: ForwardedSessionOptions;
}

export interface AccessSettings {
  /** The grants of nobody. */
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
  const users = acceptsTokens(tokens) || authorize !== null || forwardedSession !== null;
  const { access = "auto" } = options;
  const anonymous = anonymousGrants(access === "auto" ? (users ? "none" : "listen") : access);
  return { anonymous, apiKeys, userGrants, tokens, authorize, forwardedSession };
}

const LISTEN = new Grants([{ channels: "**", actions: ["subscribe", "history"] }], null);

function anonymousGrants(mode: AccessMode): Grants {
  switch (mode) {
    case "open":
      return ALL_GRANTS;
    case "listen":
      return LISTEN;
    case "none":
      return NO_GRANTS;
    default:
      if (Array.isArray(mode)) return new Grants(mode, null);
      throw new TypeError(
        `access is ${quote(String(mode))}. Give "auto", "listen", "none", "open" or a list of grants.`,
      );
  }
}
