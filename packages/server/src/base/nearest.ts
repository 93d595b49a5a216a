/** The known name that a mistyped one most likely stands for. */

/** Our names are shorter, so the caller need not wait for a search of near ones. */
const MAX_LENGTH = 80;

/** @returns `undefined` when none is near */
export function nearest(name: string, known: readonly string[]): string | undefined {
  if (name.length > MAX_LENGTH) return undefined;
  let best: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    // The last part alone counts, too: a member that was written without its group.
    const parts = [candidate, candidate.slice(candidate.lastIndexOf(".") + 1)];
    const away = Math.min(...parts.map((part) => distance(plain(name), plain(part))));
    if (away < least) [best, least] = [candidate, away];
  }
  return least <= Math.max(1, Math.floor(name.length / 4)) ? best : undefined;
}

function plain(name: string): string {
  return name.toLowerCase().replace(/[_-]/g, "");
}

/** How many letters have to be added, left out, changed or swapped with their neighbour (optimal string alignment). */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const next = [row];
    for (let column = 1; column <= b.length; column++) {
      const change = (last[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      let away = Math.min(change, (last[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1);
      if (a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        away = Math.min(away, (before[column - 2] ?? Number.POSITIVE_INFINITY) + 1);
      }
      next.push(away);
    }
    [before, last] = [last, next];
  }
  return last[b.length] ?? 0;
}
