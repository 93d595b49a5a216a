/** What was taken back before its time: tokens by their id, and all tokens of a user up to a moment. */
import type { User } from "./principal.js";
import type { AccessData, RevokedToken, RevokedUser } from "./store.js";

/** The most that are remembered of each kind; beyond that, those that were revoked first are forgotten. */
export const MAX_REVOCATIONS = 10_000;

export interface Revoked {
  readonly tokens: readonly RevokedToken[];
  readonly users: readonly RevokedUser[];
}

export class Revocations {
  #tokens = new Map<string, RevokedToken>();
  #users = new Map<string, RevokedUser>();

  /** Adds them to what is known. */
  add({ tokens, users }: Revoked): void {
    for (const token of tokens) this.#tokens.set(token.id, token);
    for (const user of users) if (user.at >= this.#at(user.user)) this.#users.set(user.user, user);
    bound(this.#tokens);
    bound(this.#users);
  }

  covers({ token, user, issued }: User): boolean {
    return (token !== null && this.#tokens.has(token)) || issued <= this.#at(user);
  }

  #at(user: string): number {
    return this.#users.get(user)?.at ?? Number.NEGATIVE_INFINITY;
  }
}

/** The same store with more in it, and without what need not be remembered any more. */
export function withRevoked(data: AccessData, { tokens, users }: Revoked, now: number): AccessData {
  const still = ({ until }: { readonly until: number }) => until > now;
  const others = (list: AccessData["revokedUsers"]) =>
    list.filter(({ user }) => users.every((newer) => newer.user !== user));
  return {
    ...data,
    revokedTokens: [...data.revokedTokens.filter(still), ...tokens].slice(-MAX_REVOCATIONS),
    revokedUsers: [...others(data.revokedUsers).filter(still), ...users].slice(-MAX_REVOCATIONS),
  };
}

function bound(map: Map<string, unknown>): void {
  for (const name of map.keys()) {
    if (map.size <= MAX_REVOCATIONS) return;
    map.delete(name);
  }
}
