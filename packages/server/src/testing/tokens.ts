/** Tokens for tests, and who checks them, by a clock that stands still. */
import type { KeyObject } from "node:crypto";
import { type JWTPayload, SignJWT } from "jose";
import type { Grant } from "../access/grants/grants.js";
import { type TokenOptions, tokenSettings } from "../access/tokens/token-options.js";
import { TokenVerifier } from "../access/tokens/tokens.js";
import { FakeClock } from "./fake-clock.js";

export const SECRET = "a-secret-of-the-application-0123456789";
export const clock = new FakeClock();
export const NOW = Math.floor(clock.now() / 1000);
export const CLAIMS: JWTPayload = { sub: "alice", iat: NOW, exp: NOW + 60 };
export const bytes = (secret: string) => new TextEncoder().encode(secret);

export function verifier(options: TokenOptions = { secrets: [SECRET] }, userGrants: readonly Grant[] = []) {
  return new TokenVerifier(tokenSettings(options), userGrants, clock);
}

export function sign(
  claims: JWTPayload = CLAIMS,
  {
    alg = "HS256",
    key = bytes(SECRET),
    kid,
  }: { alg?: string; key?: Uint8Array | KeyObject; kid?: string } = {},
): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg, ...(kid && { kid }) }).sign(key);
}
