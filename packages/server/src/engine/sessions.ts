/** Sessions: texts under a hash that are kept for a while, and that only one caller can take. */
export interface Sessions {
  /**
   * Keeps a text under a hash for this long; replaces what was there.
   *
   * @param owner whose it is: one owner has a part of all sessions only, and beyond it loses their own oldest. Left out
   * where no owner is bounded
   * @throws FanfareError `insufficient_storage`, `unavailable`
   */
  put(hash: string, json: string, ttlMs: number, owner?: string): Promise<void>;
  /**
   * Keeps the text that is there for this long from now; without one it does nothing, so that a session that somebody has
   * taken does not come back. Answers whether there was one.
   *
   * @throws FanfareError `insufficient_storage`, `unavailable`
   */
  renew(hash: string, ttlMs: number): Promise<boolean>;
  /**
   * Takes the text away and answers with it; of two calls at once only one gets it. `null` when there is none.
   *
   * @throws FanfareError `unavailable`
   */
  take(hash: string): Promise<string | null>;
}
