/** `npm test`: all that has to hold before a change goes in. What stands after `npm test --` goes to Vitest. */
import { bundleClient, bundleGallery, bundleMendix, bundleViewer } from "./bundles.mjs";
import { chromium } from "./chromium.mjs";
import { runNode } from "./run.mjs";
import { announce, checkNode, compile, install, takeSteps } from "./steps.mjs";

/** Which tests are asked for; without any, all. */
const chosen = process.argv.slice(2);

/** @type {import("./steps.mjs").Step} */
const style = {
  name: "Style",
  why: () => "one format, and none of the known traps (biome check)",
  work: () => runNode("node_modules/@biomejs/biome/bin/biome", ["check", "."]),
  remedy:
    "Run npm run format, which mends what can be mended by itself, and mend by hand what it still shows.",
};

/** @type {import("./steps.mjs").Step} */
const tests = {
  name: "Tests",
  why: () => "does it do what it says? (vitest run)",
  work: () => runNode("node_modules/vitest/vitest.mjs", ["run", ...chosen]),
  remedy: "Look at the first failure above. One file alone: npx vitest run path/of/one.test.ts",
};

/** @type {import("./steps.mjs").Step} */
const browser = {
  name: "Browser",
  why: () => "does it hold in a real browser? (playwright test)",
  work: () => runNode("node_modules/@playwright/test/cli.js", ["test"]),
  remedy: "Look at the first failure above. One file alone: npx playwright test part-of-its-name",
};

const all = chosen.length === 0;

takeSteps([
  // What has to be on the machine.
  checkNode,
  install,
  ...(all ? [chromium] : []),
  // What has to hold.
  style,
  compile("do all types agree, those of the tests too? (tsc -b)"),
  bundleClient,
  bundleViewer,
  bundleMendix,
  bundleGallery,
  tests,
  ...(all ? [browser] : []),
]).then((isWell) => {
  if (isWell && !all) announce(browser.name, "left out, since only some tests were asked for");
});
