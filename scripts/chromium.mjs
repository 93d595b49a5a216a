/** The browser that the browser tests drive: finds one on this machine, and installs Debian's where there is none. */
import fs from "node:fs";
import { delimiter, join } from "node:path";
import { run } from "./run.mjs";

const NAMES = ["chromium", "chromium-browser", "google-chrome"];
const VARIABLE = "CHROMIUM_PATH";

/**
 * The path of a Chromium, or null when there is none: what CHROMIUM_PATH names and nothing else, or the first found
 * along PATH.
 *
 * @param {NodeJS.ProcessEnv} environment
 * @returns {string | null}
 */
export function findChromium(environment) {
  const named = environment[VARIABLE];
  if (named) return isExecutable(named) ? named : null;
  const folders = (environment.PATH || "").split(delimiter).filter((folder) => folder !== "");
  for (const name of NAMES) {
    for (const folder of folders) {
      const path = join(folder, name);
      if (isExecutable(path)) return path;
    }
  }
  return null;
}

/** @type {import("./steps.mjs").Step} */
export const chromium = {
  name: "Chromium",
  why() {
    if (findChromium(process.env) !== null) return null;
    if (process.env[VARIABLE]) return "is the browser there that CHROMIUM_PATH names?";
    return "there is no browser yet for the browser tests (apt-get installs it once, in a minute or so)";
  },
  async work() {
    if (process.env[VARIABLE])
      return failed(`${VARIABLE} is ${process.env[VARIABLE]}, and that is no program.`);
    for (const args of [["update"], ["install", "-y", "--no-install-recommends", "chromium"]]) {
      const [command, ...rest] = aptGet(args, process.getuid ? process.getuid() : null);
      const outcome = await run(command, rest);
      if (outcome.code !== 0 || outcome.stoppedBy !== null) return outcome;
    }
    if (findChromium(process.env) !== null) return { code: 0, stoppedBy: null };
    return failed("apt-get has installed chromium, and still no browser is found along PATH.");
  },
  remedy:
    "Install Chromium or Chrome in the way of your system (on Debian: sudo apt-get install chromium), or set " +
    "CHROMIUM_PATH to the path of one, then try again. Without a browser: npx vitest run",
};

/**
 * How apt-get is called: it asks nothing, and neither does sudo, which everybody but root needs.
 *
 * @param {readonly string[]} args
 * @param {number | null} user the number of the user; null where there are none
 * @returns {[string, ...string[]]}
 */
export function aptGet(args, user) {
  const call = /** @type {const} */ (["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
  return user === 0 ? [...call, ...args] : ["sudo", "-n", ...call, ...args];
}

/** @param {string} why */
function failed(why) {
  console.error(why);
  return { code: 1, stoppedBy: null };
}

/** @param {string} path */
function isExecutable(path) {
  try {
    fs.accessSync(path, fs.constants.X_OK);
    return fs.statSync(path).isFile();
  } catch (_error) {
    return false;
  }
}
