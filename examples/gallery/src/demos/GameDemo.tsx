/** Noughts and crosses over two windows; all others watch. The board is a state, changed only in the version that a player has seen. */
import type { JsonObject, Subscription } from "@fanfare/client";
import { Button, UnstyledButton } from "@mantine/core";
import { useEffect, useRef, useState } from "react";
import { Demo } from "../parts/Demo";
import { Feedback } from "../parts/Feedback";
import type { Outcome } from "../parts/use-publish";
import { CHANNELS, client } from "../push/fanfare";
import { type Game, readGame, SIDES, type Side } from "../push/payloads";
import classes from "./GameDemo.module.css";
import { SIGNS, turnOf, verdict, windowId, winningLine } from "./game";

const ANEW = { seats: null, cells: null };

const CODE = `import { createClient } from "@fanfare/client";
const client = createClient({ url: "/push" });

const board = client.subscribe("game:demo", () => {}, {
  onState: ({ state }) => draw(state),
});
// Refused when the other player was faster: no move gets lost.
await client.patch("game:demo", { cells: { 4: "x" } },
  { ifVersion: board.stateVersion });`;

export function GameDemo() {
  const { game, change, outcome } = useGame();
  const [me] = useState(windowId);
  const own = SIDES.find((side) => game.seats[side] === me) ?? null;
  const line = winningLine(game);
  const mayMove = own !== null && own === turnOf(game) && line.length === 0;
  return (
    <Demo
      title="A game for two"
      channel={CHANNELS.game}
      lead="Two windows play, all others watch. One that is opened in the middle of it, or comes back, has the board as it is."
      calls={[{ name: "A new game", call: { channel: CHANNELS.game, patch: ANEW } }]}
      code={CODE}
    >
      <div className={classes.game}>
        <fieldset className={classes.board} aria-label="The board">
          {game.cells.map((cell, index) => (
            <UnstyledButton
              // biome-ignore lint/suspicious/noArrayIndexKey: a cell is its place
              key={index}
              className={classes.cell}
              data-side={cell}
              data-won={line.includes(index)}
              aria-label={`Row ${Math.floor(index / 3) + 1}, column ${(index % 3) + 1}: ${cell ? SIGNS[cell] : "empty"}`}
              aria-disabled={!mayMove || cell !== null}
              onClick={() => mayMove && cell === null && change({ cells: { [index]: own } })}
            >
              {cell && SIGNS[cell]}
            </UnstyledButton>
          ))}
        </fieldset>
        <div className={classes.side}>
          <p className={classes.verdict} role="status">
            {verdict(game, own)}
          </p>
          {SIDES.map((side) => (
            <Seat key={side} side={side} holder={game.seats[side]} me={me} own={own} take={change} />
          ))}
          <Button variant="default" onClick={() => change(ANEW)}>
            New game
          </Button>
        </div>
      </div>
      <Feedback outcome={outcome} />
    </Demo>
  );
}

interface SeatProps {
  readonly side: Side;
  readonly holder: string | null;
  readonly me: string;
  readonly own: Side | null;
  readonly take: (patch: JsonObject) => void;
}

function Seat({ side, holder, me, own, take }: SeatProps) {
  if (holder === null && own === null) {
    return <Button onClick={() => take({ seats: { [side]: me } })}>Play {SIGNS[side]}</Button>;
  }
  const who = holder === null ? "free" : holder === me ? "this window" : "another window";
  return (
    <p className={classes.seat}>
      <span className={classes.sign} data-side={side}>
        {SIGNS[side]}
      </span>
      {who}
    </p>
  );
}

function useGame(): { game: Game; change: (patch: JsonObject) => void; outcome: Outcome | null } {
  const [game, setGame] = useState(() => readGame(null));
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const board = useRef<Subscription | null>(null);
  useEffect(() => {
    const subscription = client.subscribe(CHANNELS.game, () => {}, {
      onState: ({ state }) => setGame(readGame(state)),
    });
    board.current = subscription;
    return () => subscription.unsubscribe();
  }, []);

  function change(patch: JsonObject) {
    setOutcome(null);
    const ifVersion = board.current?.stateVersion ?? null;
    client.patch(CHANNELS.game, patch, { ifVersion }).catch((error: unknown) => {
      const isLate = error instanceof Error && "code" in error && error.code === "version_mismatch";
      const text = isLate
        ? "Another window was faster."
        : error instanceof Error
          ? error.message
          : String(error);
      setOutcome({ isError: true, text });
    });
  }
  return { game, change, outcome };
}
