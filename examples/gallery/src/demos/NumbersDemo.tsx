/** Numbers that no other window has, however many ask at once. */
import { Button } from "@mantine/core";
import { useEffect, useState } from "react";
import { Demo } from "../parts/Demo";
import { Feedback } from "../parts/Feedback";
import type { Outcome } from "../parts/use-publish";
import { client, SEQUENCE } from "../push/fanfare";
import classes from "./NumbersDemo.module.css";

/** How many of this window's numbers are shown. */
const SHOWN = 30;
const MANY = 10;

const CODE = `import { createClient } from "@fanfare/client";
const client = createClient({ url: "/push" });

const { first } = await client.next("ticket:demo");
show(first);

// The last one that anybody has.
client.watchSequence("ticket:demo", (last) => showLast(last));`;

export function NumbersDemo() {
  const last = useLastNumber();
  const [own, setOwn] = useState<readonly number[]>([]);
  const [outcome, setOutcome] = useState<Outcome | null>(null);

  async function take(count: number) {
    try {
      // Each by itself, all at once: the server has to keep them apart.
      const given = await Promise.all(Array.from({ length: count }, () => client.next(SEQUENCE)));
      const numbers = given.map(({ first }) => first);
      setOwn((before) => [...before, ...numbers].slice(-SHOWN));
      const words = count === 1 ? `number ${numbers.join()}` : `${count} numbers of its own`;
      setOutcome({ isError: false, text: `This window got ${words}.` });
    } catch (error) {
      setOutcome({ isError: true, text: error instanceof Error ? error.message : String(error) });
    }
  }

  return (
    <Demo
      title="Unique numbers"
      channel={SEQUENCE}
      kind="sequence"
      lead="Press in several windows at once: no number is given twice, and every window sees the last one."
      calls={[{ name: "A number", call: { method: "POST", path: `/sequences/${SEQUENCE}/next` } }]}
      code={CODE}
    >
      <div className={classes.last}>
        <span>Last number in all windows</span>
        <strong className="steady" data-testid="last-number">
          {last ?? "none yet"}
        </strong>
      </div>
      <ul className={classes.own} aria-label="Numbers of this window">
        {own.map((number) => (
          <li key={number} className="steady">
            {number}
          </li>
        ))}
        {own.length === 0 && <li className={classes.none}>This window has none yet.</li>}
      </ul>
      <div className={classes.actions}>
        <Button onClick={() => void take(1)}>Take a number</Button>
        <Button variant="default" onClick={() => void take(MANY)}>
          Take {MANY} at once
        </Button>
        <Feedback outcome={outcome} />
      </div>
    </Demo>
  );
}

function useLastNumber(): number | null {
  const [last, setLast] = useState<number | null>(null);
  useEffect(() => {
    const watching = client.watchSequence(SEQUENCE, setLast);
    return () => watching.unsubscribe();
  }, []);
  return last;
}
