/** Command line arguments, checked: what is wrong is named, with what would be right. */
import { quote } from "@fanfare/protocol";
import { nearest } from "../../base/nearest.js";
import { UsageError } from "../../base/usage-error.js";

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

/** The arguments of a command, by name. */
export type Definitions = Readonly<
  Record<
    string,
    {
      readonly type: "string" | "boolean" | "positional";
      /** It may be given several times. */
      readonly several?: true;
    }
  >
>;

/** Refuses what the command does not know, and options that are given twice or without a value. @throws UsageError */
export function checkArguments(
  {
    rawArgs,
    args,
  }: { readonly rawArgs: readonly string[]; readonly args: { readonly _: readonly string[] } },
  definitions: Definitions,
): void {
  const seen = new Set<string>();
  // After a lone -- come words.
  const end = rawArgs.indexOf("--");
  const before = end < 0 ? rawArgs : rawArgs.slice(0, end);
  for (const [index, argument] of before.entries()) {
    const [, name, inside] = /^--?([^=]+)(?:=(.*))?$/s.exec(argument) ?? [];
    if (name === undefined) continue;
    const option = Object.hasOwn(definitions, name) ? definitions[name] : undefined;
    if (option === undefined || option.type === "positional" || !argument.startsWith("--")) {
      throw unknownOption(argument, name, definitions);
    }
    if (seen.has(name) && !option.several) {
      throw new UsageError(`--${name} is given twice`, "Give it once.");
    }
    seen.add(name);
    if (option.type === "boolean") {
      if (inside === undefined) continue;
      throw new UsageError(
        `--${name} has the value ${quote(inside)}`,
        "Give it without one, or leave it out.",
      );
    }
    const after = before[index + 1];
    checkValue(name, inside ?? (after !== undefined && /^-./.test(after) ? undefined : after));
  }
  // After the options, since what follows an unknown one counts as a word.
  const positionals = Object.values(definitions).filter(({ type }) => type === "positional");
  const word = args._[positionals.length];
  if (word !== undefined) {
    throw new UsageError(`${quote(word)} is not understood`, "Call it with --help to see what it takes.");
  }
}

/** Scripts pass empty variables on; what that should mean is unclear. @throws UsageError */
function checkValue(name: string, value: string | undefined): void {
  if (value) return;
  const found = value === undefined ? `--${name} has no value` : `--${name} is ""`;
  throw new UsageError(found, `Give it one, such as --${name}=…, or leave it out.`);
}

function unknownOption(argument: string, name: string, definitions: Definitions): UsageError {
  const options = Object.keys(definitions).filter((each) => definitions[each]?.type !== "positional");
  const near = nearest(name, options);
  return new UsageError(
    `the option ${quote(argument)} is not known`,
    `${near === undefined ? "" : `Did you mean --${near}? `}Call it with --help to see the options.`,
  );
}
