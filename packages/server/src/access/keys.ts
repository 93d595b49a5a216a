/** API keys: how other servers say who they are. Only hashes are kept, and they are compared in constant time. */
import { createHash, timingSafeEqual } from "node:crypto";
import { FanfareError } from "@fanfare/protocol";
import { KEY, NOBODY, type Principal } from "./policy.js";

/** Shorter keys can be guessed. */
export const MIN_KEY_LENGTH = 16;

/** Tells from the `Authorization` header who is asking. @throws FanfareError `not_logged_in` when the key is wrong */
export type Authenticate = (authorization: string | undefined) => Principal;

/** @throws TypeError when a key is too short */
export function keysOf(keys: readonly string[]): Authenticate {
  const hashes = keys.map((key, index) => {
    if (key.length >= MIN_KEY_LENGTH) return digest(key);
    // The key itself is a secret, also when it is a bad one.
    throw new TypeError(
      `apiKeys[${index}] has ${key.length} characters. Give at least ${MIN_KEY_LENGTH}, such as: openssl rand -hex 24`,
    );
  });
  return (authorization) => {
    if (authorization === undefined) return NOBODY;
    const key = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
    if (key === undefined) throw wrong("the Authorization header is not of the form: Bearer <key>");
    const given = digest(key);
    // Every key is compared, so that the time says nothing.
    let known = false;
    for (const hash of hashes) if (timingSafeEqual(hash, given)) known = true;
    if (known) return KEY;
    throw wrong("the API key is not known");
  };
}

function digest(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}

function wrong(message: string): FanfareError {
  return new FanfareError("not_logged_in", message);
}
