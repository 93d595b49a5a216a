/** The owners who have most of something, found by looking at one after the other. Keeps as few of them as are wanted. */

export class Greatest<
  By extends string,
  Each extends Readonly<Record<By, number>> & { readonly owner: string },
> {
  readonly #by: By;
  readonly #limit: number;
  #found: Each[] = [];

  /** @param limit 1 or more */
  constructor(by: By, limit: number) {
    this.#by = by;
    this.#limit = limit;
  }

  offer(each: Each): void {
    if (each[this.#by] === 0) return;
    this.#found.push(each);
    if (this.#found.length >= 2 * this.#limit) this.#cut();
  }

  /** Those found, the greatest first. */
  take(): Each[] {
    this.#cut();
    return this.#found;
  }

  #cut(): void {
    this.#found.sort((a, b) => b[this.#by] - a[this.#by] || (a.owner < b.owner ? -1 : 1));
    this.#found.length = Math.min(this.#found.length, this.#limit);
  }
}
