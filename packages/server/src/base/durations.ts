/** How long things took, counted in classes: cheap enough for whatever happens often. */

/** Upper bounds of the classes of durations, in milliseconds; what takes longer is a class of its own. */
export const DURATION_BOUNDS_MS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000] as const;

/** How long something took, in classes. */
export class Durations {
  /** One for each bound, and one for what takes longer. */
  readonly counts: number[] = Array.from({ length: DURATION_BOUNDS_MS.length + 1 }, () => 0);
  sumMs = 0;

  add(ms: number): void {
    this.sumMs += ms;
    let index = 0;
    for (const bound of DURATION_BOUNDS_MS) {
      if (ms <= bound) break;
      index++;
    }
    this.counts[index] = (this.counts[index] ?? 0) + 1;
  }
}
