/**
 * `npm run test:slow`: what takes too long for `npm test`. All of it, or the parts that are named: `npm run test:slow -- models crash`.
 * Every part repeats by its seed: `npm run test:slow -- models --seed 42`.
 */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { join } from "node:path";
import { bundleClient, bundleCommand, bundleGallery, bundleMendix, bundleViewer } from "./bundles.mjs";
import { installNodes, lineOf, OTHER_NODES, runOnNode } from "./nodes.mjs";
import { ROOT, runNode } from "./run.mjs";
import { announce, checkNode, compile, install, sayFailure, takeSteps } from "./steps.mjs";

const VITEST = "node_modules/vitest/vitest.mjs";
const SLOW_FOLDER = "tests/slow";
const SLOW_FILE = /^(.+)\.slow\.test\.ts$/;
const { FAST_CHECK_RUNS: RUNS = "20000", CRASH_KILLS: KILLS = "50" } = process.env;

/**
 * @typedef {object} Part
 * @property {string} what
 * @property {() => Promise<import("./run.mjs").Outcome>} work
 */

/** @type {Readonly<Record<string, Part>>} */
const PARTS = {
  models: {
    what: "the hub's, the client's and the publishing model, and those of locks and presence, 20,000 cases each",
    work: () =>
      vitest({ FAST_CHECK_RUNS: RUNS }, [
        "hub.model",
        "locks.model",
        "presence.model",
        "tests/client/model",
        "publishing.model",
      ]),
  },
  crash: {
    what: "a server on the disk engine is killed 50 times under load",
    work: () => vitest({ CRASH_KILLS: KILLS }, ["tests/crash/crash"]),
  },
  ...Object.fromEntries(
    slowFiles().map(([name, file]) => [
      name,
      { what: file, work: () => vitest({ SLOW: "1" }, [file, "--maxWorkers=1"]) },
    ]),
  ),
  ...Object.fromEntries(
    OTHER_NODES.map((release) => [
      `node-${lineOf(release)}`,
      { what: `all of Vitest's tests on Node ${release}`, work: () => runOnNode(release, VITEST, ["run"]) },
    ]),
  ),
};

async function main() {
  const { chosen, seed, problem } = parse(process.argv.slice(2));
  if (problem) {
    const list = Object.entries(PARTS).map(([name, { what }]) => `  ${name.padEnd(12)} ${what}`);
    sayFailure(problem, `The parts are:\n${list.join("\n")}`);
    process.exitCode = 2;
    return;
  }
  const nodes = OTHER_NODES.filter((release) => chosen.includes(`node-${lineOf(release)}`));
  const ready = await takeSteps([
    checkNode,
    install,
    compile("what the tests run from (tsc -b)"),
    bundleClient,
    bundleCommand,
    bundleViewer,
    bundleMendix,
    bundleGallery,
    installNodes(nodes),
  ]);
  if (!ready) return;
  for (const name of ["FAST_CHECK_SEED", "CRASH_SEED", "SLOW_SEED"]) process.env[name] = String(seed);

  const lines = [];
  let failed = 0;
  for (const [name, { what, work }] of Object.entries(PARTS).filter(([each]) => chosen.includes(each))) {
    announce(name, what);
    const begun = Date.now();
    const { code, stoppedBy } = await work().catch((error) => {
      console.error(error.message);
      return { code: 1, stoppedBy: null };
    });
    const isWell = code === 0 && stoppedBy === null;
    const seconds = Math.round((Date.now() - begun) / 1000);
    lines.push(`${name.padEnd(12)} ${isWell ? "passed" : "FAILED"} after ${seconds} s`);
    if (!isWell) {
      failed++;
      lines.push(`${" ".repeat(13)}to repeat: npm run test:slow -- ${name} --seed ${seed}`);
    }
    if (stoppedBy !== null) break;
  }
  console.log(
    `\nSlow tests of ${commit()} on Node ${process.versions.node}, seed ${seed}\n${lines.join("\n")}`,
  );
  console.log(`${chosen.length - failed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}

/**
 * @param {readonly string[]} args
 * @returns {{chosen: readonly string[], seed: number, problem: string | null}}
 */
function parse(args) {
  const at = args.indexOf("--seed");
  const given = at < 0 ? undefined : args[at + 1];
  const seed = at < 0 ? Math.floor(Math.random() * 2 ** 31) : Number(given);
  const named = args.filter((_, index) => at < 0 || (index !== at && index !== at + 1));
  const unknown = named.find((name) => !Object.hasOwn(PARTS, name));
  let problem = null;
  if (unknown !== undefined) problem = `There is no part ${JSON.stringify(unknown)}.`;
  if (!Number.isInteger(seed)) problem = `The seed is ${JSON.stringify(given)}. Give a whole number.`;
  return { chosen: named.length > 0 ? named : Object.keys(PARTS), seed, problem };
}

/** @returns {[string, string][]} the name of each part in `tests/slow`, and its file */
function slowFiles() {
  const folder = join(ROOT, SLOW_FOLDER);
  return fs.readdirSync(folder).flatMap((file) => {
    const found = SLOW_FILE.exec(file);
    return found ? [/** @type {[string, string]} */ ([found[1], `${SLOW_FOLDER}/${file}`])] : [];
  });
}

/**
 * @param {Readonly<Record<string, string>>} environment
 * @param {readonly string[]} args
 */
async function vitest(environment, args) {
  Object.assign(process.env, environment);
  const outcome = await runNode(VITEST, ["run", ...args]);
  for (const name of Object.keys(environment)) delete process.env[name];
  return outcome;
}

function commit() {
  try {
    return execFileSync("git", ["describe", "--always", "--dirty"], { cwd: ROOT, encoding: "utf8" }).trim();
  } catch (_error) {
    return "an unknown commit";
  }
}

main();
