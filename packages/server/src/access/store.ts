/** What access has to remember beyond the configuration: keys, and what was revoked. Where it is kept, it does not know. */
import type { StoredKey } from "./keys.js";

/** A token that is not accepted any more, by its id. */
export interface RevokedToken {
  readonly id: string;
  /** Milliseconds since 1970 from when it need not be remembered: it has expired. */
  readonly until: number;
}

/** A user whose tokens are not accepted any more, as far as they were issued before. */
export interface RevokedUser {
  readonly user: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The same, from when it need not be remembered. */
  readonly until: number;
}

export interface AccessData {
  readonly keys: readonly StoredKey[];
  readonly revokedTokens: readonly RevokedToken[];
  readonly revokedUsers: readonly RevokedUser[];
}

export const NOTHING_STORED: AccessData = { keys: [], revokedTokens: [], revokedUsers: [] };

export interface AccessStore {
  /** Does it outlive the process? */
  readonly durable: boolean;
  /** What is in it now. */
  readonly data: AccessData;
  /**
   * Changes it, in one step; others who use the same store see it within a second.
   *
   * @throws FanfareError `unavailable` when it cannot be written
   */
  change(edit: (data: AccessData) => AccessData): Promise<void>;
  /** Calls whenever what is in it was changed, by whomever. */
  onChange(listener: () => void): void;
  close(): void;
}

/** Forgets everything with the process. */
export class MemoryStore implements AccessStore {
  readonly durable = false;
  data = NOTHING_STORED;
  readonly #listeners: (() => void)[] = [];

  async change(edit: (data: AccessData) => AccessData): Promise<void> {
    this.data = edit(this.data);
    for (const listener of this.#listeners) listener();
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  close(): void {
    this.#listeners.length = 0;
  }
}
