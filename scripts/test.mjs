/** `npm test`: all that has to hold before a change goes in. What stands after `npm test --` goes to Vitest. */
import { bundleClient, bundleCommand, bundleGallery, bundleMendix, bundleViewer } from "./bundles.mjs";
import { chromium } from "./chromium.mjs";
import { installNodes, OTHER_NODES, runOnNode } from "./nodes.mjs";
import { runNode } from "./run.mjs";
import { announce, checkNode, compile, install, takeSideBySide, takeSteps } from "./steps.mjs";

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
const unused = {
  name: "Unused",
  why: () => "does something use each file, export and dependency? (knip)",
  work: () => runNode("node_modules/knip/bin/knip.js", ["--treat-config-hints-as-errors"]),
  remedy:
    "Delete what is listed, or take away its export. Files that nothing imports and other programs start are named in knip.json.",
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
  work: (output) => runNode("node_modules/@playwright/test/cli.js", ["test"], output),
  remedy: "Look at the first failure above. One file alone: npx playwright test part-of-its-name",
};

const CLIENT_TESTS = ["run", "packages/client", "tests/client"];

/** Browsers and other Nodes have other WebSockets and timers than this one, and the client has to work with all. */
const clientOnOtherNodes = OTHER_NODES.map(
  (release) =>
    /** @type {import("./steps.mjs").Step} */ ({
      name: `Node ${release}`,
      why: () => "does the client work there, too? (its tests)",
      work: (output) => runOnNode(release, "node_modules/vitest/vitest.mjs", CLIENT_TESTS, output),
      remedy: "Look at the first failure above. All tests on other Nodes: npm run test:slow -- node-26",
    }),
);

const all = chosen.length === 0;

async function test() {
  const isReady = await takeSteps([
    // What has to be on the machine.
    checkNode,
    install,
    ...(all ? [chromium, installNodes(OTHER_NODES)] : []),
    // What has to hold.
    style,
    compile("do all types agree, those of the tests too? (tsc -b)"),
    unused,
    bundleClient,
    bundleCommand,
    bundleViewer,
    bundleMendix,
    bundleGallery,
  ]);
  if (!isReady) return;
  // Browsers and clients wait for much of their time, and leave the processors to the others.
  if (all) await takeSideBySide([tests], [browser, ...clientOnOtherNodes]);
  else if (await takeSteps([tests])) {
    announce(browser.name, "left out, since only some tests were asked for");
  }
}

test();
