/** Runs the command that is called. It reports wrong arguments as any command does, and exits with 2. */
import { quote } from "@fanfare/protocol";
import { type CommandDef, type Resolvable, runCommand, runMain, type SubCommandsDef } from "citty";
import { nearest } from "../../base/nearest.js";
import { UsageError } from "../../base/usage-error.js";
import { tellErrors } from "./errors.js";
import { showUsage } from "./usage.js";

/** Citty answers these by itself. */
const HELP = ["--help", "-h"];
const VERSION = ["--version", "-v"];

export async function call(main: CommandDef, rawArgs: string[]): Promise<void> {
  const [first = "", ...more] = rawArgs;
  if ((VERSION.includes(first) && more.length === 0) || rawArgs.some((argument) => HELP.includes(argument))) {
    await runMain(main, { rawArgs, showUsage });
  } else await run(main, undefined, "", rawArgs);
}

/** @param name what it is called by, without `fanfare` */
async function run(
  command: CommandDef,
  parent: CommandDef | undefined,
  name: string,
  rawArgs: string[],
): Promise<void> {
  const below = await resolved<SubCommandsDef>(command.subCommands);
  if (!below) {
    await tellErrors(name, () => runCommand(command, { rawArgs }).then(() => {}, misused));
    return;
  }
  const [word, ...rest] = rawArgs;
  const next = word !== undefined && Object.hasOwn(below, word) ? await resolved(below[word]) : undefined;
  if (next) {
    await run(next, command, `${name} ${word}`.trim(), rest);
    return;
  }
  if (word === undefined) await showUsage(command, parent);
  await tellErrors(name, () => Promise.reject(unknownCommand(word, Object.keys(below))));
}

/** Reports missing arguments; the command itself reports all other mistakes. */
function misused(error: unknown): never {
  if (!(error instanceof Error) || error.name !== "CLIError") throw error;
  const sentence = error.message.charAt(0).toLowerCase() + error.message.slice(1);
  throw new UsageError(sentence, "Call it with --help to see what it takes.");
}

function unknownCommand(word: string | undefined, known: readonly string[]): UsageError {
  const all = `Give one of ${known.join(", ")}.`;
  if (word === undefined) return new UsageError("the command is missing", all);
  if (word.startsWith("-")) {
    // No command would look at it.
    return new UsageError(
      `the option ${quote(word, 100)} stands before the name of a command`,
      `Give it after. ${all}`,
    );
  }
  const close = nearest(word, known);
  return new UsageError(
    `there is no command ${quote(word, 100)}`,
    close === undefined ? all : `Did you mean ${close}?`,
  );
}

async function resolved<T>(value: Resolvable<T> | undefined): Promise<T | undefined> {
  return typeof value === "function" ? (value as () => T | Promise<T>)() : value;
}
