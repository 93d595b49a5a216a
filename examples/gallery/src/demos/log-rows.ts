/** The rows of the live log: messages and gaps, in the order of the log, each once. */
import type { Gap, Message } from "@fanfare/client";

export type Entry = Pick<Message, "offset" | "time" | "event" | "data">;

export type Row =
  | { readonly key: number; readonly kind: "message"; readonly message: Entry }
  | { readonly key: number; readonly kind: "gap"; readonly gap: Gap };

export interface LogRows {
  readonly rows: readonly Row[];
  /** The newest offset that is here, or known to be missing. */
  readonly last: number;
  readonly nextKey: number;
}

export type LogEvent =
  /** From the history or the subscription; what is here already is left out. */
  | { readonly kind: "messages"; readonly messages: readonly Entry[] }
  | { readonly kind: "gap"; readonly gap: Gap };

export const NO_ROWS: LogRows = { rows: [], last: 0, nextKey: 1 };
const MOST_ROWS = 500;

export function addToLog(log: LogRows, event: LogEvent): LogRows {
  let { last, nextKey } = log;
  const added: Row[] = [];
  if (event.kind === "gap") {
    added.push({ key: nextKey++, kind: "gap", gap: event.gap });
    // Without a range the log has begun anew, and its offsets with it.
    last = event.gap.to ?? 0;
  } else {
    for (const message of event.messages) {
      if (message.offset <= last) continue;
      added.push({ key: nextKey++, kind: "message", message });
      last = message.offset;
    }
  }
  return added.length === 0 ? log : { rows: [...log.rows, ...added].slice(-MOST_ROWS), last, nextKey };
}
