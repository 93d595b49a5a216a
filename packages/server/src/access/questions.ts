/**
 * Questions about callers that wait for an answer of somebody else. One address has a part of them at most, so that a caller
 * who is still anonymous does not keep others from being asked about.
 */
import { FanfareError } from "@fanfare/protocol";

export class Questions {
  readonly #most: number;
  readonly #mostOfOne: number;
  readonly #ofAddresses = new Map<string, number>();
  #count = 0;

  /** @param mostOfOne of one address */
  constructor(most: number, mostOfOne: number) {
    this.#most = most;
    this.#mostOfOne = mostOfOne;
  }

  /**
   * Asks, where there is room for one question more.
   *
   * @param from the address of the caller; none where it is not bounded
   * @throws FanfareError `unavailable`
   */
  async ask<Answer>(from: string | null | undefined, question: () => Promise<Answer>): Promise<Answer> {
    const own = from == null ? 0 : (this.#ofAddresses.get(from) ?? 0);
    if (this.#count >= this.#most || own >= this.#mostOfOne) {
      throw new FanfareError("unavailable", "too many callers are being looked up", { retryAfterSeconds: 1 });
    }
    this.#add(from, 1);
    try {
      return await question();
    } finally {
      this.#add(from, -1);
    }
  }

  #add(from: string | null | undefined, more: 1 | -1): void {
    this.#count += more;
    if (from == null) return;
    const own = (this.#ofAddresses.get(from) ?? 0) + more;
    if (own > 0) this.#ofAddresses.set(from, own);
    else this.#ofAddresses.delete(from);
  }
}
