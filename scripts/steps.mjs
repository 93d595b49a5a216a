/**
 * The steps that `npm start` and `npm test` share, and how steps are taken. Nothing is installed yet when this runs, so
 * it uses Node alone; and an old Node has to be able to read this folder, so that it can be told what is wanted: no
 * `??`, no `?.`, no `await` outside functions.
 */
import fs from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { forgetInstall, rememberInstall, whyInstall } from "./installed.mjs";
import { ROOT, run, runNode } from "./run.mjs";

/**
 * @typedef {object} Step
 * @property {string} name
 * @property {() => string | null} why why it is needed now; null when it is not
 * @property {(output?: number) => Promise<import("./run.mjs").Outcome>} work writes to this file descriptor, if one is given
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
  return (await firstFailure(steps)) === null;
}

/**
 * Takes steps up to the first that fails, and tells of each.
 *
 * @param {readonly Step[]} steps
 * @returns {Promise<End | null>} how that one ended
 */
async function firstFailure(steps) {
  for (const step of steps) {
    const end = await begin(step);
    end.tell();
    if (!end.isWell) return end;
  }
  return null;
}

/** How much of what a step writes is shown when it went well: its summary. */
const SUMMARY_LINES = 8;

/**
 * Takes the steps of two lists side by side: those of the first as {@link takeSteps} does. The output of the others is shown when these are
 * done, so that the two do not mix: a summary of those that went well, then all of those that failed. Failures stand last, where a reader and
 * a log that keeps only its end have them.
 *
 * @param {readonly Step[]} shown
 * @param {readonly Step[]} aside
 * @returns {Promise<boolean>} whether all went well
 */
export async function takeSideBySide(shown, aside) {
  const folder = fs.mkdtempSync(join(tmpdir(), "fanfare-steps-"));
  const working = takeAside(aside, folder);
  const failed = await firstFailure(shown);
  const ends = await working;
  console.log("\nMeanwhile:");
  for (const { isWell, file } of wellFirst(ends))
    process.stdout.write(isWell ? summary(file) : fs.readFileSync(file));
  fs.rmSync(folder, { recursive: true });
  // All are told, whichever has failed.
  const told = failed === null ? ends : [...ends, failed];
  for (const { tell } of wellFirst(told)) tell();
  return told.every((end) => end.isWell);
}

/**
 * @template {End} T
 * @param {readonly T[]} ends
 */
function wellFirst(ends) {
  return [...ends.filter((end) => end.isWell), ...ends.filter((end) => !end.isWell)];
}

/** @param {string} file what a step wrote, with its name as the first line */
function summary(file) {
  const [name, ...lines] = fs.readFileSync(file, "utf8").trim().split("\n");
  return `\n${[name, ...lines.filter((line) => line.trim() !== "").slice(-SUMMARY_LINES)].join("\n")}\n`;
}

/**
 * @param {readonly Step[]} steps
 * @param {string} folder gets a file for the output of each
 * @returns {Promise<(End & {file: string})[]>}
 */
async function takeAside(steps, folder) {
  const ends = [];
  for (const [index, step] of steps.entries()) {
    const file = join(folder, String(index));
    const output = fs.openSync(file, "a");
    ends.push({ ...(await begin(step, output)), file });
    fs.closeSync(output);
  }
  return ends;
}

/**
 * How a step ended.
 *
 * @typedef {object} End
 * @property {boolean} isWell
 * @property {() => void} tell says so, and sets the exit code of this process
 */

/**
 * Takes a step.
 *
 * @param {Step} step
 * @param {number} [output] the file descriptor that its output goes to
 * @returns {Promise<End>}
 */
async function begin(step, output) {
  const why = step.why();
  if (why === null) return { isWell: true, tell: () => {} };
  if (output === undefined) announce(step.name, why);
  else fs.writeSync(output, `\n${step.name}: ${why}\n`);
  const begun = Date.now();
  const { code, stoppedBy } = await step.work(output).catch((error) => {
    console.error(error.message);
    return { code: 1, stoppedBy: null };
  });
  const after = `after ${((Date.now() - begun) / 1000).toFixed(1)} s`;
  const tell = () => {
    if (stoppedBy !== null) {
      console.error(`${step.name}: stopped by ${stoppedBy} ${after}`);
      process.exitCode = 128 + constants.signals[stoppedBy];
    } else if (code !== 0) {
      sayFailure(`${step.name}: failed ${after}, with exit code ${code}`, step.remedy);
      process.exitCode = code;
    } else console.log(`${step.name}: done ${after}`);
  };
  return { isWell: code === 0 && stoppedBy === null, tell };
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
