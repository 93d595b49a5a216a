/** Sessions in the memory of this process. Each call does its work in one synchronous step. */
import type { Clock } from "../../base/clock.js";
import { ExpiringMap } from "../expiring-map.js";
import type { Sessions } from "../sessions.js";

export class MemorySessions implements Sessions {
  readonly #texts: ExpiringMap<string>;
  readonly #clock: Clock;
  readonly #assertOpen: () => void;

  constructor(maxSessions: number, clock: Clock, assertOpen: () => void) {
    this.#texts = new ExpiringMap(maxSessions);
    this.#clock = clock;
    this.#assertOpen = assertOpen;
  }

  get size(): number {
    return this.#texts.size;
  }

  /** Owners who have some. */
  get owners(): number {
    return this.#texts.owners;
  }

  async put(hash: string, json: string, ttlMs: number, owner?: string): Promise<void> {
    this.#assertOpen();
    this.#texts.set(hash, json, this.#clock.monotonic() + ttlMs, owner);
  }

  async renew(hash: string, ttlMs: number): Promise<boolean> {
    this.#assertOpen();
    const at = this.#clock.monotonic();
    return this.#texts.renew(hash, at, at + ttlMs);
  }

  async take(hash: string): Promise<string | null> {
    this.#assertOpen();
    return this.#texts.take(hash, this.#clock.monotonic()) ?? null;
  }

  /** Removes what has expired, but looks at no more than this many. */
  expire(at: number, atMost: number): void {
    this.#texts.expire(at, atMost);
  }

  clear(): void {
    this.#texts.clear();
  }
}
