/** What was taken back before its time: tokens by their id, and all that a user was given up to a moment. Knows no clock and no file. */
import type { User } from "../grants/principal.js";
import type { AccessData, RevokedToken, RevokedUser } from "./stored.js";

/** The most that are remembered of each kind; beyond that, those that were revoked first are forgotten. */
export const MAX_REVOCATIONS = 10_000;

export interface Revoked {
  readonly tokens: readonly RevokedToken[];
  readonly users: readonly RevokedUser[];
}

/** A log-out, and when this process heard of it, as `User.known` counts; 0: before it began. */
export interface LogOut extends RevokedUser {
  readonly heard: number;
}

export class Revocations {
  readonly #tokens = new Map<string, RevokedToken>();
  readonly #users = new Map<string, LogOut>();

  /**
   * Adds them to what is known.
   *
   * @param heard counts what has changed, this included; 0 for what is known from an earlier process
   * @returns those that were not known yet
   */
  add({ tokens, users }: Revoked, heard: number): Revoked {
    const fresh: Revoked = {
      tokens: tokens.filter(({ id }) => !this.#tokens.has(id)),
      users: users.filter(({ user, at }) => at > (this.#users.get(user)?.at ?? Number.NEGATIVE_INFINITY)),
    };
    for (const token of tokens) setLast(this.#tokens, token.id, token);
    for (const user of fresh.users) setLast(this.#users, user.user, { ...user, heard });
    bound(this.#tokens);
    bound(this.#users);
    return fresh;
  }

  /** Another log-out of the user counts from now on, also within the same millisecond as the one before. */
  renew(user: string, heard: number): void {
    const known = this.#users.get(user);
    if (known) this.#users.set(user, { ...known, heard });
  }

  /** When the user was last logged out. */
  logOutOf(user: string): LogOut | undefined {
    return this.#users.get(user);
  }

  hasToken(id: string): boolean {
    return this.#tokens.has(id);
  }

  /** Was anything taken back of what this user was let in with? */
  covers({ user, token, issued, known }: User): boolean {
    if (token !== null && this.#tokens.has(token)) return true;
    const logOut = this.#users.get(user);
    return logOut !== undefined && logOut.heard > known && issued <= logOut.at;
  }
}

/** The same store with more in it, and without what need not be remembered any more. */
export function withRevoked(data: AccessData, { tokens, users }: Revoked, now: number): AccessData {
  return {
    ...data,
    revokedTokens: merged(data.revokedTokens, tokens, ({ id }) => id, now),
    revokedUsers: merged(data.revokedUsers, users, ({ user }) => user, now),
  };
}

/** One of each name: the one that says more. Those that were revoked last are at the end. */
function merged<Each extends { readonly until: number; readonly at?: number }>(
  before: readonly Each[],
  added: readonly Each[],
  nameOf: (each: Each) => string,
  now: number,
): readonly Each[] {
  const all = new Map<string, Each>();
  for (const each of [...before, ...added]) {
    const name = nameOf(each);
    const other = all.get(name);
    // The clock may have been set back between the two.
    const more = other && (other.at ?? 0) > (each.at ?? 0) ? other : each;
    setLast(all, name, { ...more, until: Math.max(each.until, other?.until ?? each.until) });
  }
  return [...all.values()].filter(({ until }) => until > now).slice(-MAX_REVOCATIONS);
}

function setLast<Value>(map: Map<string, Value>, name: string, value: Value): void {
  map.delete(name);
  map.set(name, value);
}

function bound(map: Map<string, unknown>): void {
  for (const name of map.keys()) {
    if (map.size <= MAX_REVOCATIONS) return;
    map.delete(name);
  }
}
