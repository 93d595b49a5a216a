/** The bundles: the command, and for browsers the client, the page of the HTTP API, the widgets for Mendix, and the gallery that shows what the client does. */
import { join } from "node:path";
import { isOutdated } from "./bundled.mjs";
import { ROOT, runNode } from "./run.mjs";

/**
 * @param {object} bundle
 * @param {string} bundle.name
 * @param {string} bundle.what
 * @param {() => ReturnType<typeof runNode>} bundle.work
 * @param {string} bundle.output a file that it writes, from the folder of the project
 * @param {readonly string[]} bundle.inputs files and folders that go in
 * @returns {import("./steps.mjs").Step}
 */
function bundle({ name, what, work, output, inputs }) {
  const from = (/** @type {string} */ path) => join(ROOT, path);
  return {
    name,
    why: () => (isOutdated(from(output), inputs.map(from)) ? what : null),
    work,
    remedy: "Mend the error above. If it names a package that is missing, remove node_modules and try again.",
  };
}

const clientSources = ["packages/client/src", "packages/client/build.mjs", "packages/protocol/src"];

export const bundleClient = bundle({
  name: "Client",
  what: "the client library, bundled for pages (vite build)",
  work: () => runNode("packages/client/build.mjs", []),
  output: "packages/client/dist/client.js",
  inputs: clientSources,
});

export const bundleCommand = bundle({
  name: "Command",
  what: "the command fanfare in a few files, which start faster than hundreds (vite build)",
  work: () => runNode("packages/server/build/command.mjs", []),
  output: "packages/server/dist/command/main.js",
  inputs: ["packages/server/src", "packages/server/build", "packages/server/package.json"],
});

export const bundleViewer = bundle({
  name: "Viewer",
  what: "the page of the HTTP API (vite build)",
  work: () => runNode("packages/server/build/viewer.mjs", []),
  output: "packages/server/dist/viewer/viewer.js",
  inputs: ["packages/server/viewer", "packages/server/build", "packages/server/package.json"],
});

export const bundleMendix = bundle({
  name: "Mendix",
  what: "the package with the widgets for Mendix (vite build, rollup)",
  work: () => runNode("packages/mendix/build.mjs", []),
  output: "packages/mendix/dist/fanfare.mpk",
  inputs: [
    "packages/mendix/src",
    "packages/mendix/build",
    "packages/mendix/build.mjs",
    "packages/mendix/package.json",
    ...clientSources,
  ],
});

export const bundleGallery = bundle({
  name: "Gallery",
  what: "the pages that show what it does (vite build)",
  work: () => runNode("node_modules/vite/bin/vite.js", ["build", "examples/gallery", "--logLevel", "warn"]),
  output: "examples/gallery/dist/index.html",
  inputs: [
    "examples/gallery/src",
    "examples/gallery/index.html",
    "examples/gallery/vite.config.js",
    ...clientSources,
  ],
});
