/** Other versions of Node than the one that runs this: npm has each as a package, so no installer and no root is needed. */
import fs from "node:fs";
import { join } from "node:path";
import { ROOT, run } from "./run.mjs";

/** The newest release of each line that Fanfare supports; the newest on the day that the line was last looked at. */
const RELEASES = ["20.20.2", "22.23.5", "24.22.3", "26.12.1"];

/** The lines other than the one that runs this. @type {readonly string[]} */
export const OTHER_NODES = RELEASES.filter((release) => lineOf(release) !== lineOf(process.versions.node));

/** @param {string} release such as `26.12.1` */
export function lineOf(release) {
  return release.split(".")[0];
}

/**
 * Installs these releases below node_modules, unless that was done.
 *
 * @param {readonly string[]} releases
 * @returns {import("./steps.mjs").Step}
 */
export function installNodes(releases) {
  const missing = releases.filter((release) => !fs.existsSync(binaryOf(release)));
  return {
    name: "Nodes",
    why: () => (missing.length > 0 ? `Node ${missing.join(", ")} from npm, to run tests on` : null),
    async work() {
      for (const release of missing) {
        const folder = folderOf(release);
        fs.mkdirSync(folder, { recursive: true });
        // A project of its own, so that npm does not look at ours.
        fs.writeFileSync(join(folder, "package.json"), "{}");
        const outcome = await run("npm", [
          "install",
          `--prefix=${folder}`,
          "--ignore-scripts",
          "--no-audit",
          "--no-fund",
          "--loglevel=error",
          `${packageName()}@${release}`,
        ]);
        if (outcome.code !== 0 || outcome.stoppedBy !== null) return outcome;
      }
      return { code: 0, stoppedBy: null };
    },
    remedy: `Look whether npm has ${packageName()} for this kind of machine. Without it: npx vitest run`,
  };
}

/**
 * Runs a JavaScript file with one of these releases.
 *
 * @param {string} release
 * @param {string} file
 * @param {readonly string[]} args
 * @param {number} [output] as for `run`
 */
export function runOnNode(release, file, args, output) {
  return run(binaryOf(release), [join(ROOT, file), ...args], output);
}

/** @param {string} release */
function binaryOf(release) {
  return join(folderOf(release), "node_modules", packageName(), "bin", "node");
}

/** @param {string} release */
function folderOf(release) {
  return join(ROOT, "node_modules", ".cache", "fanfare", `node-${release}`);
}

function packageName() {
  return `node-${process.platform}-${process.arch}`;
}
