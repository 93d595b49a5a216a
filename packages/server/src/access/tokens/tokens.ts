/** Tokens of users: JSON Web Tokens (RFC 7519), checked whole before anything in them is believed. */
import { createHash } from "node:crypto";
import { asError, FanfareError, quote, shown } from "@fanfare/protocol";
import { decodeProtectedHeader, errors, type JWTPayload, type JWTVerifyOptions, jwtVerify } from "jose";
import type { Clock } from "../../base/clock.js";
import { notLoggedIn } from "../grants/credentials.js";
import { type Grant, type UserGrants, userGrantsOf, userProblem } from "../grants/grants.js";
import { infoOf } from "../grants/info.js";
import type { User } from "../grants/principal.js";
import { TokenKeys } from "./token-keys.js";
import type { TokenSettings } from "./token-options.js";

/** Longer ones are not looked at. */
const MAX_TOKEN_LENGTH = 8192;
const MAX_ID_LENGTH = 200;

export class TokenVerifier {
  readonly #settings: TokenSettings;
  readonly #userGrants: readonly Grant[];
  readonly #clock: Clock;
  readonly #keys: TokenKeys;

  /**
   * @param userGrants what every user may do
   * @throws TypeError
   */
  constructor(settings: TokenSettings, userGrants: readonly Grant[], clock: Clock) {
    this.#settings = settings;
    this.#userGrants = userGrants;
    this.#clock = clock;
    this.#keys = new TokenKeys(settings);
  }

  /**
   * Who the token is for. Whether it was revoked is not looked at.
   *
   * @param known how much of access has changed by now, as `Access.changes` counts
   * @throws FanfareError `not_logged_in`, saying what is wrong with it; `unavailable` when keys cannot be fetched
   */
  async verify(token: string, known = 0): Promise<User> {
    if (token.length > MAX_TOKEN_LENGTH) {
      throw notLoggedIn(
        `the token has ${token.length} characters, and ${MAX_TOKEN_LENGTH} are allowed`,
        "Put fewer grants into it: one with a pattern serves for many channels.",
      );
    }
    return this.#userOf(await this.#payload(token), token, known);
  }

  async #payload(token: string): Promise<JWTPayload> {
    const header = headerOf(token);
    const { algorithms } = this.#keys;
    const { alg = "" } = header;
    if (!algorithms.includes(alg)) {
      throw notLoggedIn(
        `the token's algorithm is ${quote(alg)}`,
        algorithms.length > 0
          ? `Sign it with ${algorithms.join(", ")}; this server has keys for these.`
          : "Set tokens.secrets, tokens.publicKeys or tokens.jwksUrl; without one no token is accepted.",
      );
    }
    const { issuers, audiences, clockSkewSeconds } = this.#settings;
    const options: JWTVerifyOptions = {
      algorithms: [alg],
      currentDate: new Date(this.#clock.now()),
      clockTolerance: clockSkewSeconds,
      requiredClaims: ["exp"],
      ...(issuers.length > 0 && { issuer: [...issuers] }),
      ...(audiences.length > 0 && { audience: [...audiences] }),
    };
    for await (const key of this.#keys.candidates(header)) {
      try {
        const { payload } = await jwtVerify(token, key, options);
        return payload;
      } catch (error) {
        if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw refused(error);
      }
    }
    throw notLoggedIn(
      "the token's signature is of none of the keys that this server knows",
      "Sign it with the secret or key that the server is configured with.",
    );
  }

  #userOf(payload: JWTPayload, token: string, known: number): User {
    const { sub, jti, exp = 0, iat } = payload;
    const problem = userProblem(sub);
    if (sub === undefined || problem !== null) throw notLoggedIn(`the token's sub ${problem}`);
    if (jti !== undefined && (typeof jti !== "string" || jti.length > MAX_ID_LENGTH)) {
      throw notLoggedIn(`the token's jti is no text of at most ${MAX_ID_LENGTH} characters`);
    }
    const { maxSeconds, clockSkewSeconds } = this.#settings;
    const now = this.#clock.now() / 1000;
    // As `Access.endOf` says, to the millisecond: the library counts whole seconds.
    if (exp + clockSkewSeconds <= now) throw expired(exp);
    if (iat !== undefined && iat > now + clockSkewSeconds) {
      throw notLoggedIn(
        "the token says that it will be made in the future",
        "Set the clocks of both machines.",
      );
    }
    if (exp - (iat ?? now) > maxSeconds + clockSkewSeconds) {
      throw notLoggedIn(
        `the token is made for more than ${maxSeconds} seconds`,
        "Make tokens that live shorter, and let the client fetch a new one with getToken; or raise tokens.maxSeconds.",
      );
    }
    return {
      kind: "user",
      user: sub,
      ...this.#grantsOf(sub, payload.grants),
      ...this.#infoOf(payload.info),
      // An empty one would be that of others, too.
      token: jti || idOf(token),
      // One that does not say is as old as it can be, so that revoking its user is sure to cover it.
      issued: (iat ?? exp - maxSeconds) * 1000,
      known,
      expires: exp * 1000,
    };
  }

  #infoOf(claim: unknown): Pick<User, "info"> {
    try {
      return infoOf(claim);
    } catch (error) {
      if (error instanceof FanfareError) throw notLoggedIn(`in the token, ${error.message}`, error.remedy);
      throw error;
    }
  }

  #grantsOf(user: string, claim: unknown): UserGrants {
    try {
      return userGrantsOf(user, this.#userGrants, claim ?? []);
    } catch (error) {
      if (error instanceof FanfareError) throw notLoggedIn(`in the token, ${error.message}`, error.remedy);
      throw error;
    }
  }
}

function headerOf(token: string): ReturnType<typeof decodeProtectedHeader> {
  try {
    return decodeProtectedHeader(token);
  } catch {
    throw notLoggedIn("what was given is neither an API key of this server nor a token");
  }
}

/** For a token without `jti`. Of what is signed only: a signature can be written in several ways. */
function idOf(token: string): string {
  const signed = token.slice(0, token.lastIndexOf("."));
  return `sha256:${createHash("sha256").update(signed).digest("base64url")}`;
}

function expired(exp: number): FanfareError {
  return notLoggedIn(
    `the token expired at ${moment(exp)}`,
    "Get a new one; the client does so by itself with getToken.",
  );
}

/** Seconds since 1970 as a date, or as they are where no date is that far away. */
function moment(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? `${seconds} seconds since 1970` : date.toISOString();
}

/** The reason in words. What the token says of itself is shown, as far as it was signed. */
function refused(error: unknown): Error {
  if (error instanceof errors.JWTExpired) {
    return expired(error.payload.exp ?? 0);
  }
  if (error instanceof errors.JWTClaimValidationFailed) return claimRefused(error);
  if (error instanceof errors.JOSEError || error instanceof TypeError) {
    return notLoggedIn("the token is damaged, or of a form that is not accepted");
  }
  return asError(error);
}

function claimRefused({ claim, payload, reason }: errors.JWTClaimValidationFailed): FanfareError {
  const value = payload[claim];
  const found = value === undefined ? "missing" : shown(value, 100);
  switch (claim) {
    case "nbf":
      if (reason !== "check_failed" || typeof payload.nbf !== "number") break;
      return notLoggedIn(
        `the token is not valid before ${moment(payload.nbf)}`,
        "Wait until then, or set the clocks of both machines.",
      );
    case "iss":
      return notLoggedIn(`the token's iss is ${found}`, "Let it be one of tokens.issuers.");
    case "aud":
      return notLoggedIn(`the token's aud is ${found}`, "Let it be one of tokens.audiences.");
  }
  return notLoggedIn(
    `the token's ${quote(claim, 40)} is ${found}`,
    "Make it a number of seconds since 1970.",
  );
}
