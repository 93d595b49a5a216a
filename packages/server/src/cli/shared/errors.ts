/** How a command tells that it failed: one sentence, what to do, and an exit code that says whose fault it was. */
import { asError } from "@fanfare/protocol";
import { UsageError } from "../../base/usage-error.js";

/** Exit codes: 1 when something failed, 2 when the command was called in a way that it cannot follow. */
const FAILED = 1;
const MISUSED = 2;

/** Codes of errors that an argument causes, on whichever side. */
const CODES_OF_MISUSE = [
  "invalid_channel",
  "invalid_grants",
  "invalid_position",
  "invalid_request",
  "reserved_path",
];

/** Runs a command's work, or what comes before any (`""`); an error goes to standard error, with its remedy. */
export async function tellErrors(command: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (thrown) {
    const error = asError(thrown);
    const remedy = "remedy" in error ? `\n${error.remedy}` : "";
    process.stderr.write(`${`fanfare ${command}`.trim()}: ${error.message}${remedy}\n`);
    const misused =
      [UsageError, TypeError].some((type) => error instanceof type) ||
      ("code" in error && CODES_OF_MISUSE.includes(String(error.code)));
    process.exitCode = misused ? MISUSED : FAILED;
  }
}
