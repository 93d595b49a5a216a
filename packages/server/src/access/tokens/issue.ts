/** Tokens that this server makes for users: with its own secret, for as long as it accepts, and for no more than the caller has. */
import { FanfareError, quote, shown } from "@fanfare/protocol";
import { Grants } from "../grants/grants.js";
import type { KeyHolder } from "../grants/principal.js";
import { type SignedToken, signToken, type TokenRequest } from "./sign.js";
import type { TokenSettings } from "./token-options.js";

/**
 * @param now milliseconds since 1970
 * @throws FanfareError `not_configured`, `invalid_grants`, `invalid_request`
 */
export async function issueToken(
  { secrets, issuers, audiences, maxSeconds }: TokenSettings,
  request: TokenRequest,
  now: number,
): Promise<SignedToken> {
  const [secret] = secrets;
  if (secret === undefined) {
    throw new FanfareError("not_configured", "there is no secret to make tokens with", {
      remedy: "Set tokens.secrets (FANFARE_SECRET), such as: openssl rand -hex 32",
    });
  }
  const { expiresInSeconds } = request;
  if (typeof expiresInSeconds === "number" && expiresInSeconds > maxSeconds) {
    throw new FanfareError("invalid_request", `expiresInSeconds is ${shown(expiresInSeconds)}`, {
      remedy: `Give at most ${maxSeconds}, or raise tokens.maxSeconds.`,
    });
  }
  return signToken({ ...request, secret, issuer: issuers[0], audience: audiences[0], now });
}

/** @throws FanfareError `forbidden` when somebody would hand out more than he has */
export function checkHandsOut(holder: KeyHolder, request: TokenRequest): void {
  const wanted = new Grants(request.grants, request.user);
  const lacking = holder.grants.lacks(wanted, "token");
  if (!lacking) return;
  throw new FanfareError(
    "forbidden",
    `this API key may not hand out ${lacking.action} on ${quote(lacking.grant.channels)}`,
    {
      remedy: `Use a key with the actions token and ${lacking.action} on these channels, or leave the grant out.`,
    },
  );
}
