/** Command line arguments, checked: what is wrong is named, with what would be right. */
import { quote } from "@fanfare/protocol";

/** The command was called in a way that it cannot follow. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly remedy: string;

  constructor(message: string, remedy: string) {
    super(message);
    this.remedy = remedy;
  }
}

/** @throws UsageError */
export function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port <= 65_535) return port;
  throw new UsageError(`--port is ${quote(text)}`, "Give a port from 0 to 65535, such as --port 3030.");
}

/** @throws UsageError */
export function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    throw new UsageError(
      `${quote(json)} is no JSON`,
      `Quote text twice, for the shell and as JSON: '"Hello"'.`,
    );
  }
}

/** Refuses options and words that the command does not know. @throws UsageError */
export function checkNoOthers(
  raw: readonly string[],
  words: readonly string[],
  known: readonly string[],
): void {
  for (const argument of raw) {
    const name = /^--?([^=]+)/.exec(argument)?.[1];
    if (name !== undefined && !known.includes(name)) {
      throw new UsageError(
        `the option ${quote(argument)} is not known`,
        "Call it with --help to see the options.",
      );
    }
  }
  // After the options, since what follows an unknown one counts as a word.
  const [word] = words;
  if (word !== undefined) {
    throw new UsageError(`${quote(word)} is not understood`, "Call it with --help to see what it takes.");
  }
}
