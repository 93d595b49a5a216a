/** Who is asking, and what he may do. */
import { hash } from "node:crypto";
import { FanfareError, type LockHolder } from "@fanfare/protocol";
import { notLoggedIn } from "./credentials.js";
import { type Grant, type Grants, userGrantsOf } from "./grants.js";

/** Somebody who did not say who he is. */
export interface Nobody {
  readonly kind: "nobody";
  readonly grants: Grants;
}

/** Another server, with an API key. */
export interface KeyHolder {
  readonly kind: "key";
  /** Names the key; no secret. */
  readonly key: string;
  /** SHA-256 of the key, hexadecimal: another key may have the same name later. */
  readonly hash: string;
  readonly grants: Grants;
}

/** Somebody whom the application knows. */
export interface User {
  readonly kind: "user";
  readonly user: string;
  readonly grants: Grants;
  /** What is said about him to those who see that he is present, as JSON text. */
  readonly info?: string;
  /** Those of the grants that are the user's own, and those that every user had then. */
  readonly own: readonly Grant[];
  readonly general: readonly Grant[];
  /** The token's id: its `jti`, else one that is made from it. `null` where it came with none. */
  readonly token: string | null;
  /** When the token says that it was made: milliseconds since 1970, or minus infinity where that cannot be told. */
  readonly issued: number;
  /** How much of access had changed, as `Access.changes` counts, when it was begun to find out who this is. */
  readonly known: number;
  /** Milliseconds since 1970, as the token or the application says; `null` is never. */
  readonly expires: number | null;
  /**
   * When the application that knows them by their request is to be asked again: milliseconds since 1970, at the latest when
   * this expires. Left out where there is no question to ask.
   */
  readonly askAgainAt?: number;
}

export type Principal = Nobody | KeyHolder | User;

/** The same user with what every user may do now; `null` where that is too much together. */
export function withGeneral(user: User, general: readonly Grant[]): User | null {
  if (user.general === general) return user;
  try {
    return { ...user, ...userGrantsOf(user.user, general, user.own) };
  } catch {
    return null;
  }
}

/**
 * The same text for the same somebody: whose session it is, and whose idempotency keys. Anonymous callers are not one
 * person, so what is theirs goes by something else.
 */
export function ownerOf(principal: Principal): string {
  switch (principal.kind) {
    case "nobody":
      return "nobody";
    case "key":
      return `key ${principal.key}`;
    case "user":
      return `user ${principal.user}`;
  }
}

/** How the hub knows who publishes. */
export interface Publisher {
  /** The user who is named with a message. */
  readonly user: string | undefined;
  /** Whose idempotency keys are meant. */
  readonly principal: string;
  /** Who owns what is made; left out where that is not bounded. */
  readonly owner: string | undefined;
}

/**
 * @param nobody whose the idempotency keys of an anonymous caller are
 * @param owner who owns what is made, where that is bounded
 */
export function publisherOf(principal: Principal, nobody = "this machine", owner?: string): Publisher {
  return {
    user: principal.kind === "user" ? principal.user : undefined,
    principal: principal.kind === "nobody" ? nobody : ownerOf(principal),
    owner,
  };
}

/** @throws FanfareError `not_logged_in` for a caller that is not a user */
export function checkUser(principal: Principal): User {
  if (principal.kind === "user") return principal;
  throw notLoggedIn(
    principal.kind === "key" ? "this is an API key, and not the token of a user" : "no user is logged in",
    "Log in with a token of a user: see docs/access.md.",
  );
}

/** A secret that an anonymous client has made up: printable, so that a header can carry it. */
export const PUBLISHER = /^[!-~]{16,64}$/;

/**
 * Whose idempotency keys are meant where the client is anonymous and has made up a secret. It is the same on all doors, so a client that
 * goes on by another door repeats nothing. The server keeps a digest only.
 *
 * @throws FanfareError `invalid_request`
 */
export function anonymousPublisher(secret: string): string {
  if (PUBLISHER.test(secret)) return `publisher ${hash("sha256", secret, "base64url")}`;
  throw new FanfareError(
    "invalid_request",
    `the publisher is ${secret.length} characters, and no secret of the right form`,
    {
      remedy: "Send 16 to 64 printable ASCII characters that the client has drawn at random.",
    },
  );
}

/** How the hub knows who holds a lock. */
export function holderOf(principal: Principal): LockHolder {
  switch (principal.kind) {
    case "nobody":
      return {};
    case "key":
      return { key: principal.key };
    case "user":
      return { user: principal.user };
  }
}
