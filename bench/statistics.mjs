/** Medians and spreads. */

/** @param {readonly number[]} values at least one */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? Number.NaN;
  return Number.isInteger(middle) ? (upper + (sorted[middle - 1] ?? Number.NaN)) / 2 : upper;
}

/** The value that this share of them is at or below. @param {readonly number[]} sorted @param {number} share */
export function quantile(sorted, share) {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** How far values lie from each other: ± this share of their median. @param {readonly number[]} values */
export function spread(values) {
  const range = Math.max(...values) - Math.min(...values);
  return range === 0 ? 0 : range / 2 / Math.abs(median(values));
}

/**
 * Whether `head` is worse than `base`, for figures of which less is better: by more than a tenth, and by more than twice
 * the larger spread.
 *
 * @param {readonly number[]} base
 * @param {readonly number[]} head
 */
export function compare(base, head) {
  const ratio = median(head) / median(base);
  const noise = 2 * Math.max(spread(base), spread(head));
  return { ratio, noise, isRegression: ratio > 1.1 && ratio - 1 > noise };
}
