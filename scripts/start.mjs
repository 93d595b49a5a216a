/** `npm start`: from a fresh clone to a running server, `fanfare dev`. What stands after `npm start --` goes to it. */
import { bundleClient, bundleCommand, bundleGallery, bundleViewer } from "./bundles.mjs";
import { runNode } from "./run.mjs";
import { announce, checkNode, compile, install, sayFailure, takeSteps } from "./steps.mjs";

async function start() {
  const build = compile("what the server runs from (tsc -b, only what has changed)", "packages/server");
  const bundles = [bundleClient, bundleCommand, bundleViewer, bundleGallery];
  if (!(await takeSteps([checkNode, install, build, ...bundles]))) return;

  const args = ["dev", "--serve", "examples/gallery/dist", ...process.argv.slice(2)];
  announce("Server", `fanfare ${args.join(" ")} (Ctrl-C ends it)`);
  const { code, stoppedBy } = await runNode("packages/server/bin/fanfare.js", args);
  if (code !== 0 && stoppedBy === null) {
    sayFailure(`Server: ended with exit code ${code}`, "What it wrote last says why.");
  }
  process.exitCode = code;
}

start();
