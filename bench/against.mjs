/** Another commit of this project, built beside it, and whether this one is slower. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ROOT } from "../scripts/run.mjs";
import { validOf, valuesOf } from "./report.mjs";
import { compare } from "./statistics.mjs";

/** @typedef {{ act: import("./plan.mjs").Act, runs: import("./report.mjs").Runs }} Result */

/** Figures of which less is better; the others say whether a run can be compared at all. */
const COMPARED = ["cpu", "p50", "p99", "resident", "heap", "accept", "message"];
/** Figures that have to be zero, and of which one run with more is one too many. */
const FAULTS = ["lost", "doubled"];

/**
 * Checks out a commit in a temporary folder, and installs and builds it there.
 *
 * @param {string} ref
 */
export function otherBuild(ref) {
  const folder = mkdtempSync(join(tmpdir(), "fanfare-bench-"));
  /** @param {string} command @param {string[]} args @param {string} cwd */
  const run = (command, args, cwd) => execFileSync(command, args, { cwd, stdio: ["ignore", 2, 2] });
  function remove() {
    run("git", ["worktree", "remove", "--force", folder], ROOT);
    rmSync(folder, { recursive: true, force: true });
  }
  run("git", ["worktree", "add", "--detach", folder, ref], ROOT);
  try {
    run("npm", ["ci", "--ignore-scripts", "--include=dev", "--no-audit", "--no-fund"], folder);
    run(process.execPath, ["node_modules/typescript/bin/tsc", "-b", "packages/server"], folder);
    // The server takes definitions of channels from it.
    run(process.execPath, ["packages/client/build.mjs"], folder);
  } catch (error) {
    remove();
    throw error;
  }
  return { module: pathToFileURL(join(folder, "packages/server/dist/index.js")).href, remove };
}

/**
 * What is worse than before, and what could not be compared because there are no figures now; each in a line.
 *
 * @param {readonly Result[]} results
 * @param {string} base
 * @param {string} head
 */
export function verdict(results, base, head) {
  return results.flatMap(({ act, runs }) => {
    const before = validOf(runs, base);
    const after = validOf(runs, head);
    if (after.length === 0) return [`NOT COMPARED: ${act.title}: no valid run of ${head}`];
    if (before.length === 0) return [];
    return act.figures.flatMap(({ key, label }) => {
      const [old, now] = [valuesOf(before, key), valuesOf(after, key)];
      if (FAULTS.includes(key)) {
        return Math.max(...now) > Math.max(...old)
          ? [`REGRESSION: ${act.title}: ${label}: ${now.join(", ")}`]
          : [];
      }
      const { ratio, noise, isRegression } = compare(old, now);
      if (!COMPARED.includes(key) || !isRegression) return [];
      const percent = Math.round(noise * 100);
      return [
        `REGRESSION: ${act.title}: ${label}: ${ratio.toFixed(2)} times ${base} (twice the spread is ${percent} %)`,
      ];
    });
  });
}
