/** The credentials of a caller, taken from a request or from a `connect` frame. */
import { FanfareError } from "@fanfare/protocol";

export interface Credentials {
  /** An API key, or a token. Given but wrong is never the same as not given. */
  readonly token?: string | undefined;
  /** A CSRF token, for applications that want one beside their cookie. */
  readonly csrf?: string | undefined;
  /** Whose refused log-ins are counted, as `Rates` names it; for no caller when it is left out. */
  readonly from?: string | null;
  /** The request it came with; made only where somebody looks at it. */
  readonly request?: () => AccessRequest;
}

/** The HTTP request that a caller came with; for a WebSocket, the one that opened it. */
export interface AccessRequest {
  /** With its query. */
  readonly url: string;
  /** The host name that the client called: what a trusted proxy says of it, else the header `Host`. */
  readonly host: string;
  readonly headers: Headers;
}

/** @throws FanfareError `not_logged_in` when there is an `Authorization` header of another form than `Bearer …` */
export function bearerOf(authorization: string | undefined): string | undefined {
  if (authorization === undefined) return undefined;
  const token = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
  if (token !== undefined) return token;
  throw notLoggedIn("the Authorization header is not of the form: Bearer <key or token>");
}

/** Messages never carry a part of what was given. */
export function notLoggedIn(message: string, remedy?: string): FanfareError {
  return new FanfareError("not_logged_in", message, remedy === undefined ? {} : { remedy });
}
