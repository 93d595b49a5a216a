/** Publishes for a button, and says in a sentence how it went. */
import { useState } from "react";
import { type Call, publish } from "../push/calls";

export interface Outcome {
  readonly isError: boolean;
  readonly text: string;
}

export interface Publishing {
  readonly isBusy: boolean;
  readonly outcome: Outcome | null;
  /** One after the other, in order; ends at the first that is refused. */
  send(calls: readonly Call[]): Promise<void>;
  refuse(text: string): void;
}

export function usePublish(): Publishing {
  const [isBusy, setBusy] = useState(false);
  const [outcome, setOutcome] = useState<Outcome | null>(null);

  async function send(calls: readonly Call[]) {
    setBusy(true);
    try {
      const offsets: number[] = [];
      for (const call of calls) offsets.push((await publish(call)).offset);
      setOutcome({ isError: false, text: published(offsets) });
    } catch (error) {
      setOutcome({ isError: true, text: error instanceof Error ? error.message : String(error) });
    } finally {
      setBusy(false);
    }
  }
  return { isBusy, outcome, send, refuse: (text) => setOutcome({ isError: true, text }) };
}

function published(offsets: readonly number[]): string {
  const [first, last] = [offsets[0], offsets.at(-1)];
  const what = first === last ? `Published as message ${first}` : `Published as messages ${first} to ${last}`;
  return `${what}.`;
}
