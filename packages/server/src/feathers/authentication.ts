/**
 * The service `authentication` of Feathers, in which a client logs in with a token and out again. Knows its forms only; `access/`
 * decides who the client is.
 */
import { FanfareError, isJsonObject, type JsonObject, quote } from "@fanfare/protocol";
import { notLoggedIn } from "../access/grants/credentials.js";
import type { User } from "../access/grants/principal.js";

/** Its name, which no other service can have. */
export const AUTHENTICATION = "authentication";

const STRATEGY = "jwt";

/** How somebody is logged in, as clients of Feathers hear it. */
export interface Authenticated {
  readonly accessToken: string;
  readonly authentication: {
    readonly strategy: typeof STRATEGY;
    /** Times are seconds since 1970, as in the token. */
    readonly payload: {
      readonly sub: string;
      readonly iat: number;
      readonly exp?: number;
      readonly jti?: string;
    };
  };
  readonly user: { readonly id: string; readonly info?: unknown };
}

/** The token with which a client logs in. @throws FanfareError `not_logged_in`, `invalid_value` */
export function tokenIn(data: unknown): string {
  const remedy = `Give {strategy: "${STRATEGY}", accessToken}, with a token of Fanfare.`;
  if (!isJsonObject(data)) throw new FanfareError("invalid_value", "the data is not an object", { remedy });
  const { strategy, accessToken }: JsonObject = data;
  if (strategy !== STRATEGY) {
    const given = strategy === undefined ? "missing" : quote(String(JSON.stringify(strategy)));
    throw notLoggedIn(`the strategy is ${given}`, remedy);
  }
  if (typeof accessToken === "string" && accessToken !== "") return accessToken;
  throw notLoggedIn("the accessToken is missing", remedy);
}

export function authenticated(
  accessToken: string,
  { user, issued, expires, token, info }: User,
): Authenticated {
  const payload = {
    sub: user,
    iat: Math.floor(issued / 1000),
    ...(expires !== null && { exp: Math.floor(expires / 1000) }),
    ...(token !== null && { jti: token }),
  };
  return {
    accessToken,
    authentication: { strategy: STRATEGY, payload },
    user: { id: user, ...(info !== undefined && { info: JSON.parse(info) as unknown }) },
  };
}

/** @throws FanfareError `method_not_allowed` */
export function notForAuthentication(method: string): never {
  throw new FanfareError("method_not_allowed", `${method} of ${AUTHENTICATION} is not possible`, {
    remedy: "Create to log in, and remove to log out.",
  });
}
