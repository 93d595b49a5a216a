/** Makes tokens for users, with a secret that the server knows. */
import { FanfareError, shown } from "@fanfare/protocol";
import { SignJWT } from "jose";
import { systemClock, systemRandom } from "../../base/clock.js";
import { checkMembers, kindOf, membersOf } from "../../base/known-names.js";
import { type Grant, Grants, USER_REMEDY, userProblem } from "../grants/grants.js";
import { infoOf } from "../grants/info.js";
import { checkSecret } from "./token-options.js";

export interface TokenRequest {
  /** The id of the user, 1 to 200 characters. */
  readonly user: string;
  /** The grants of the user. */
  readonly grants: readonly Grant[];
  /** How long it is good for. @default 3,600: an hour */
  readonly expiresInSeconds?: number;
  /** Others who may see that the user is present see it, such as `{ name: "Alice" }`: any JSON value of at most 1 KiB. @default nothing */
  readonly info?: unknown;
}

export interface SignOptions extends TokenRequest {
  /** The first of the server's `tokens.secrets`. */
  readonly secret: string;
  /** `iss`, where the server looks at it. */
  readonly issuer?: string | undefined;
  /** `aud`, where the server looks at it. */
  readonly audience?: string | undefined;
  /** Milliseconds since 1970. @default now */
  readonly now?: number;
  /** The token's id. @default a new one */
  readonly id?: string;
}

export const TOKEN_REQUEST = membersOf<TokenRequest>({
  user: true,
  grants: true,
  expiresInSeconds: true,
  info: true,
});

const SIGN_OPTIONS = [
  ...TOKEN_REQUEST,
  ...membersOf<Omit<SignOptions, keyof TokenRequest>>({
    secret: true,
    issuer: true,
    audience: true,
    now: true,
    id: true,
  }),
];

export interface SignedToken {
  readonly token: string;
  /** The token's id, by which it can be revoked. */
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly expires: number;
}

export const DEFAULT_TOKEN_SECONDS = 3600;

/**
 * Makes a token for a user, signed with HS256. Does not need the server: any Node process that has the secret can do it.
 *
 * @throws FanfareError `invalid_grants`, `invalid_request`; TypeError when the secret is too short
 * @example
 * const { token } = await signToken({ secret, user: "alice", grants: [{ channels: "order:*", actions: ["subscribe"] }] });
 */
export async function signToken(options: SignOptions): Promise<SignedToken> {
  checkMembers("options", options, SIGN_OPTIONS, kindOf);
  const { secret, user, grants, info, issuer, audience, now = systemClock.now() } = options;
  const { expiresInSeconds = DEFAULT_TOKEN_SECONDS, id = newId() } = options;
  checkSecret(secret, "secret");
  const problem = userProblem(user);
  if (problem !== null) {
    throw new FanfareError("invalid_request", `user ${problem}`, { remedy: USER_REMEDY });
  }
  if (!(Number.isFinite(expiresInSeconds) && expiresInSeconds > 0)) {
    throw new FanfareError("invalid_request", `expiresInSeconds is ${shown(expiresInSeconds)}`, {
      remedy: `Give a number of seconds above 0, or leave it out for ${DEFAULT_TOKEN_SECONDS}.`,
    });
  }
  const { list } = new Grants(grants, user);
  infoOf(info);
  const exp = Math.floor(now / 1000 + expiresInSeconds);
  const token = await new SignJWT({
    sub: user,
    grants: [...list],
    // To the millisecond: a token that was made right after its user was logged out is none of those before.
    iat: now / 1000,
    exp,
    jti: id,
    ...(info !== undefined && { info }),
    ...(issuer !== undefined && { iss: issuer }),
    ...(audience !== undefined && { aud: audience }),
  })
    .setProtectedHeader({ alg: "HS256", typ: "JWT" })
    .sign(new TextEncoder().encode(secret));
  return { token, id, expires: exp * 1000 };
}

function newId(): string {
  return Buffer.from(systemRandom.bytes(12)).toString("base64url");
}
