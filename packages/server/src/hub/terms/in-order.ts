/** One thing at a time for each key: what is asked for one after the other happens in that order. */

export class InOrder<Key> {
  /** The last of each key that is under way. */
  readonly #last = new Map<Key, Promise<void>>();

  /** Does the work when all that was asked before with this key is over, and answers as it does. */
  async run<T>(key: Key, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    const doing = before ? before.then(work) : work();
    const over = doing.then(
      () => {},
      () => {},
    );
    this.#last.set(key, over);
    try {
      return await doing;
    } finally {
      if (this.#last.get(key) === over) this.#last.delete(key);
    }
  }
}
