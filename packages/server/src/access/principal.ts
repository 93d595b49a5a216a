/** Who is asking, and what he may do. */
import type { LockHolder } from "@fanfare/protocol";
import type { Grants } from "./grants.js";

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
  readonly grants: Grants;
}

/** Somebody whom the application knows. */
export interface User {
  readonly kind: "user";
  readonly user: string;
  readonly grants: Grants;
  /** What is said about him to those who see that he is present, as JSON text. */
  readonly info?: string;
  /** The token's id (`jti`), where it came with a token that has one. */
  readonly token: string | null;
  /** Milliseconds since 1970. */
  readonly issued: number;
  /** Milliseconds since 1970; `null` is never. */
  readonly expires: number | null;
  /**
   * When whoever knows him by his request is to be asked again: milliseconds since 1970, at the latest when this expires. Left out
   * where nobody can be asked.
   */
  readonly askAgainAt?: number;
}

export type Principal = Nobody | KeyHolder | User;

/**
 * The same text for the same somebody: whose session it is, and whose idempotency keys. Nobody is not one person, so what is
 * theirs goes by something else.
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

/**
 * How the hub knows who publishes: the user who is named with a message, and whose idempotency keys are meant.
 *
 * @param nobody whose they are where nobody said who he is
 */
export function publisherOf(
  principal: Principal,
  nobody = "http",
): { readonly user: string | undefined; readonly principal: string } {
  return {
    user: principal.kind === "user" ? principal.user : undefined,
    principal: principal.kind === "nobody" ? nobody : ownerOf(principal),
  };
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
