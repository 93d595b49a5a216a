/**
 * The steps that `npm start` and `npm test` share, and how steps are taken. Nothing is installed yet when this runs, so
 * it uses Node alone; and an old Node has to be able to read this folder, so that it can be told what is wanted: no
 * `??`, no `?.`, no `await` outside functions.
 */
import fs from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { forgetInstall, rememberInstall, whyInstall } from "./installed.mjs";
import { ROOT, run, runNode } from "./run.mjs";

/**
 * @typedef {object} Step
 * @property {string} name
 * @property {() => string | null} why why it is needed now; null when it is not
 * @property {() => Promise<import("./run.mjs").Outcome>} work
 * @property {string} remedy what to do when it fails
 */

/** @type {Step} */
export const checkNode = {
  name: "Node",
  why: () => (isNewEnough(process.versions.node, wantedNode()) ? null : "is it new enough?"),
  work: async () => {
    console.error(`Fanfare needs Node ${wantedNode()} or newer, and this is ${process.version}.`);
    return { code: 1, stoppedBy: null };
  },
  remedy: "Install a newer Node (https://nodejs.org/en/download), open a new shell, and try again.",
};

/**
 * Installs what package-lock.json lists, unless that was done. With the development packages even where NODE_ENV or
 * npm's settings leave them out: TypeScript is one of them. Without the install scripts of packages, so that nothing they
 * bring runs before we use it; native parts come ready-made, as optional packages.
 *
 * @type {Step}
 */
export const install = {
  name: "Install",
  why: () => whyInstall(ROOT),
  work: async () => {
    forgetInstall(ROOT);
    const outcome = await run("npm", [
      "ci",
      "--include=dev",
      "--include=optional",
      "--ignore-scripts",
      "--no-audit",
      "--no-fund",
    ]);
    if (outcome.code === 0 && outcome.stoppedBy === null) rememberInstall(ROOT);
    return outcome;
  },
  remedy:
    "Look whether the npm registry can be reached (npm ping; behind a proxy, npm config set https-proxy <address>) " +
    "and whether the disk has room, then try again.",
};

/**
 * Compiles projects and what they refer to, as far as something has changed.
 *
 * @param {string} why
 * @param {...string} projects folders with a tsconfig.json; without any, all there are
 * @returns {Step}
 */
export function compile(why, ...projects) {
  return {
    name: "Compile",
    why: () => why,
    work: () => runNode("node_modules/typescript/bin/tsc", ["-b", ...projects]),
    remedy: "Mend the errors above. If they make no sense, compile anew: npm run clean, then try again.",
  };
}

/**
 * Takes the steps one after the other, up to the first that fails or is stopped, and says what is done, why, and how
 * long it took. Sets the exit code of this process.
 *
 * @param {readonly Step[]} steps
 * @returns {Promise<boolean>} whether all went well
 */
export async function takeSteps(steps) {
  for (const step of steps) {
    const why = step.why();
    if (why === null) continue;
    announce(step.name, why);
    const begun = Date.now();
    const { code, stoppedBy } = await step.work().catch((error) => {
      console.error(error.message);
      return { code: 1, stoppedBy: null };
    });
    const after = `after ${((Date.now() - begun) / 1000).toFixed(1)} s`;
    if (stoppedBy !== null) {
      console.error(`${step.name}: stopped by ${stoppedBy} ${after}`);
      process.exitCode = 128 + constants.signals[stoppedBy];
      return false;
    }
    if (code !== 0) {
      sayFailure(`${step.name}: failed ${after}, with exit code ${code}`, step.remedy);
      process.exitCode = code;
      return false;
    }
    console.log(`${step.name}: done ${after}`);
  }
  return true;
}

/**
 * Says what begins now, and why.
 *
 * @param {string} name
 * @param {string} why
 */
export function announce(name, why) {
  console.log(`${inStyle(1, `${name}:`, process.stdout)} ${why}`);
}

/**
 * Says what failed, and what to do.
 *
 * @param {string} what
 * @param {string} remedy
 */
export function sayFailure(what, remedy) {
  console.error(`${inStyle(31, what, process.stderr)}\n${remedy}`);
}

/**
 * A text in a terminal's style (1 is bold, 31 is red), for terminals whose owner did not decline (https://no-color.org).
 *
 * @param {number} style
 * @param {string} text
 * @param {NodeJS.WriteStream} stream
 */
function inStyle(style, text, stream) {
  return stream.isTTY && !process.env.NO_COLOR ? `\u001b[${style}m${text}\u001b[0m` : text;
}

/** The oldest Node that serves, as package.json has it. */
function wantedNode() {
  return JSON.parse(fs.readFileSync(join(ROOT, "package.json"), "utf8")).engines.node.replace(">=", "");
}

/**
 * Compares versions such as `20.19` and `22.1.0`, number by number.
 *
 * @param {string} version
 * @param {string} wanted
 */
export function isNewEnough(version, wanted) {
  const have = version.split(".").map(Number);
  for (const [index, part] of wanted.split(".").map(Number).entries()) {
    const difference = (have[index] || 0) - part;
    if (difference !== 0) return difference > 0;
  }
  return true;
}
