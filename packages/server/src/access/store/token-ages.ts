/**
 * Whether a token is older than a log-out. `iat` alone does not always say: it may have whole seconds only, and come from a clock that is
 * ahead. So tokens that were shown shortly after they were made are remembered, and a log-out takes back each of them by its id.
 */

import type { LogOut } from "./revocations.js";
import type { RevokedToken, RevokedUser } from "./stored.js";

/** The most tokens that are remembered; beyond that, those that were shown first are forgotten. */
const MAX_SHOWN = 65_536;
const SECOND_MS = 1000;

/** A token whose signature is right. */
export interface ShownToken {
  readonly id: string;
  readonly user: string;
  /** What it says that it was made: milliseconds since 1970. */
  readonly issued: number;
}

/** `refused`: it is, or may be, from before the log-out. `odd`: it may be, and is to be revoked, so that it stays refused. */
export type Verdict = "accepted" | "refused" | "odd";

export class TokenAges {
  /** In the order in which they were shown first, so that the first is the first to be forgotten. */
  readonly #shown = new Map<string, ShownToken & { readonly until: number }>();
  /** How far ahead a clock that makes tokens has been, as far as it was seen. */
  #aheadMs = 0;

  /**
   * Judges a token that is shown now, and remembers it when it is accepted.
   *
   * @param logOut when its user was last logged out
   * @param skewMs how far the clocks of those who make tokens may be off
   */
  judge(token: ShownToken, logOut: LogOut | undefined, now: number, skewMs: number): Verdict {
    const { issued } = token;
    const latest = latestOf(issued);
    const loggedOutAt = logOut?.at ?? Number.NEGATIVE_INFINITY;
    // What was shown to an earlier process is not known here, so there no token of the same second is new.
    if ((logOut?.heard === 0 ? issued : latest) <= loggedOutAt) return "refused";
    const aheadMs = issued - now;
    const seenMs = this.#aheadMs;
    this.#aheadMs = Math.max(seenMs, aheadMs);
    // No clock that was seen is ahead as much, so the token may be from before the log-out.
    if (aheadMs > seenMs + SECOND_MS && issued - skewMs <= loggedOutAt) return "odd";
    if (latest + skewMs > now) this.#remember(token, now, now + 2 * skewMs + SECOND_MS);
    return "accepted";
  }

  /** The tokens of users that were shown before a log-out, and whose `iat` does not say that they are older. One walk for all. */
  shownBefore(logOuts: ReadonlyMap<string, RevokedUser>): RevokedToken[] {
    const found: RevokedToken[] = [];
    for (const { id, user, issued } of this.#shown.values()) {
      const logOut = logOuts.get(user);
      if (logOut && latestOf(issued) > logOut.at) found.push({ id, until: logOut.until });
    }
    return found;
  }

  #remember(token: ShownToken, now: number, until: number): void {
    for (const [id, oldest] of this.#shown) {
      if (oldest.until > now && this.#shown.size < MAX_SHOWN) break;
      this.#shown.delete(id);
    }
    if (!this.#shown.has(token.id)) this.#shown.set(token.id, { ...token, until });
  }
}

/** The last moment at which it may have been made, by the clock that made it. */
function latestOf(issued: number): number {
  return issued % SECOND_MS === 0 ? issued + SECOND_MS : issued;
}
