/** Runs commands in the folder of the project. */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of the project, wherever we were called from. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * What a command came to.
 *
 * @typedef {object} Outcome
 * @property {number} code the exit code; 128 plus the signal's number when a signal ended it, as shells count
 * @property {NodeJS.Signals | null} stoppedBy the signal that we got meanwhile, and handed on
 */

/** @type {NodeJS.Signals[]} */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"];

/**
 * Runs a command with our input and output until it has ended. Signals are handed on to it, so that it ends in its own
 * way and is never left behind. Only SIGINT is not handed on where there is a terminal: Ctrl-C reaches the command by
 * itself there, and twice could mean something else than once.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {number} [output] the file descriptor that its output goes to; ours unless given
 * @returns {Promise<Outcome>}
 */
export function run(command, args, output) {
  return new Promise((resolve) => {
    /** @type {NodeJS.Signals | null} */
    let stoppedBy = null;
    const stdio = output === undefined ? "inherit" : /** @type {const} */ (["ignore", output, output]);
    const child = spawn(command, args, {
      cwd: ROOT,
      stdio: /** @type {import("node:child_process").StdioOptions} */ (stdio),
    });

    /** @param {NodeJS.Signals} signal */
    function handOn(signal) {
      stoppedBy = signal;
      if (signal !== "SIGINT" || !hasTerminal()) child.kill(signal);
    }
    /** @param {number} code */
    function end(code) {
      for (const signal of SIGNALS) process.removeListener(signal, handOn);
      resolve({ code, stoppedBy });
    }

    for (const signal of SIGNALS) process.on(signal, handOn);
    child.on("exit", (code, signal) => end(signal === null ? Number(code) : 128 + constants.signals[signal]));
    child.on("error", (error) => {
      console.error(`${command} could not be started: ${error.message}`);
      end(127);
    });
  });
}

/**
 * Runs a script of the project with this same Node: no shell, no npx.
 *
 * @param {string} script path from the folder of the project
 * @param {readonly string[]} args
 * @param {number} [output] as for {@link run}
 */
export function runNode(script, args, output) {
  return run(process.execPath, [script, ...args], output);
}

function hasTerminal() {
  return [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY);
}
