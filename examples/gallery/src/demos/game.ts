/** The rules of noughts and crosses, and this window's place in it. */
import { type Game, SIDES, type Side } from "../push/payloads";

const LINES = [
  [0, 1, 2],
  [3, 4, 5],
  [6, 7, 8],
  [0, 3, 6],
  [1, 4, 7],
  [2, 5, 8],
  [0, 4, 8],
  [2, 4, 6],
] as const;

export const SIGNS = { x: "✕", o: "○" } as const satisfies Record<Side, string>;

/** Whose turn it is; crosses begin. */
export function turnOf({ cells }: Game): Side {
  return cells.filter((cell) => cell !== null).length % 2 === 0 ? "x" : "o";
}

/** The three cells that have won; none as long as there is no winner. */
export function winningLine({ cells }: Game): readonly number[] {
  return LINES.find(([a, b, c]) => cells[a] && cells[a] === cells[b] && cells[a] === cells[c]) ?? [];
}

/** One sentence on how the game stands, for the window that has this seat. */
export function verdict(game: Game, own: Side | null): string {
  const winner = game.cells[winningLine(game)[0] ?? -1];
  if (winner) return winner === own ? "You have won." : `${SIGNS[winner]} has won.`;
  if (game.cells.every((cell) => cell !== null)) return "A draw.";
  const free = SIDES.filter((side) => game.seats[side] === null);
  if (free.length > 0 && own === null) return `Take a seat: ${free.map((side) => SIGNS[side]).join(" or ")}.`;
  const turn = turnOf(game);
  if (turn === own) return `Your turn: ${SIGNS[turn]}.`;
  return game.seats[turn]
    ? `It is the turn of ${SIGNS[turn]}.`
    : `${SIGNS[turn]} waits for a player: another window.`;
}

const KEY = "fanfare-gallery-window";

/** Names this window, also after a reload. */
export function windowId(): string {
  const known = sessionStorage.getItem(KEY);
  if (known) return known;
  const id = Math.random().toString(36).slice(2, 12);
  sessionStorage.setItem(KEY, id);
  return id;
}
