/**
 * A named place of an engine for what is neither a message nor a session: states, sequences, locks, keys, revocations. Knows
 * nothing of what they mean. Keys have at most 1,000 bytes as UTF-8; all calls throw `unavailable` after the engine's end.
 */
export interface Space {
  /** What stands under a key, whether or not it is on the disk yet; `null` when nothing does. */
  get(key: string): Promise<string | null>;

  /**
   * Sets a value, or removes it (`null`), if what stands there is what was expected; `null` expects nothing. Of several calls
   * at once with the same expectation only one succeeds. Resolves when the outcome is as lasting as the engine is.
   *
   * @returns whether it was set
   * @throws FanfareError `unavailable`, `insufficient_storage`
   */
  compareAndSet(key: string, expected: string | null, value: string | null): Promise<boolean>;

  /** The keys after a key, or from the first (`null`), with their values, in the order of their bytes as UTF-8. */
  list(after: string | null, limit: number): Promise<{ readonly key: string; readonly value: string }[]>;
}
