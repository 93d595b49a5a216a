/**
 * The first names of a great many, in the order of their code units, without sorting them all: what is larger
 * than those found already is not kept.
 */
export class FirstNames<Name extends string> {
  readonly #limit: number;
  /** Never more than twice the limit, so that sorting is paid for by as many offers. */
  #found: Name[] = [];
  /** Names from here on are of no interest. */
  #beyond: Name | null = null;

  /** @param limit 1 or more */
  constructor(limit: number) {
    this.#limit = limit;
  }

  offer(name: Name): void {
    if (this.#beyond !== null && name >= this.#beyond) return;
    this.#found.push(name);
    if (this.#found.length >= 2 * this.#limit) this.#cut();
  }

  /** Those found, in order. */
  take(): Name[] {
    this.#cut();
    return this.#found;
  }

  #cut(): void {
    this.#found.sort();
    this.#found.length = Math.min(this.#found.length, this.#limit);
    if (this.#found.length === this.#limit) this.#beyond = this.#found.at(-1) ?? null;
  }
}
