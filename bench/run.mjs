/**
 * `npm run bench`: measures Fanfare next to its peers, or next to another commit of itself.
 *
 * BENCH_NODE_OPTIONS="--cpu-prof --cpu-prof-dir=bench/results" profiles the servers and the generator.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ROOT } from "../scripts/run.mjs";
import { checkNode, compile, install, takeSteps } from "../scripts/steps.mjs";
import { otherBuild, verdict } from "./against.mjs";
import { writeDocs } from "./docs.mjs";
import { LEAST_FILES, openFiles, tooFewFiles } from "./files.mjs";
import { measureOnce, untilValid } from "./measure.mjs";
import { FANFARE, plan } from "./plan.mjs";
import { header, machine, table } from "./report.mjs";

const USAGE = `npm run bench -- [options]

  --rounds N      so many rounds; 5, or 1 with --quick
  --quick         shorter runs, for a first look
  --only LETTERS  these scenarios only, of abcdef
  --peers NAMES   those servers only whose names hold one of these, separated by commas
  --against REF   this commit beside another one, instead of beside other servers
  --docs          writes the tables to docs/benchmarks.md
  --no-build      measures what is built already
`;

const options = optionsOf();

function optionsOf() {
  try {
    const { values } = parseArgs({
      options: {
        help: { type: "boolean", default: false },
        rounds: { type: "string" },
        quick: { type: "boolean", default: false },
        only: { type: "string" },
        peers: { type: "string" },
        docs: { type: "boolean", default: false },
        against: { type: "string" },
        "no-build": { type: "boolean", default: false },
      },
    });
    if (!values.help) return values;
    process.stdout.write(USAGE);
    process.exit(0);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
    process.exit(2);
  }
}
const rounds = Number(options.rounds ?? (options.quick ? 1 : 5));

/** @returns {Promise<void>} */
async function bench() {
  if (process.platform !== "linux") {
    console.error("The bench reads processor times from /proc, and so runs on Linux only.");
    process.exitCode = 1;
    return;
  }
  const build = compile("what is measured (tsc -b, only what has changed)", "packages/server");
  if (!options["no-build"] && !(await takeSteps([checkNode, install, build]))) return;

  const files = openFiles();
  if (files < LEAST_FILES) {
    console.error(tooFewFiles(files));
    process.exitCode = 1;
    return;
  }
  const acts = plan(options.quick, files)
    .filter(({ key }) => options.only?.includes(key) ?? true)
    .map((act) => ({ ...act, peers: act.peers.filter(isWanted) }));
  if (options.against === undefined) {
    await play(acts);
    return;
  }
  const other = otherBuild(options.against);
  process.once("SIGINT", () => {
    other.remove();
    process.exit(130);
  });
  try {
    const base = { ...FANFARE, name: options.against, args: [other.module] };
    const results = await play(acts.map((act) => ({ ...act, peers: [base, FANFARE] })));
    const complaints = verdict(results, base.name, FANFARE.name);
    console.log(complaints.length > 0 ? complaints.join("\n") : "No regression.");
    if (complaints.length > 0) process.exitCode = 1;
  } finally {
    other.remove();
  }
}

/** @param {import("./measure.mjs").Peer} peer */
function isWanted({ name }) {
  return options.peers?.split(",").some((part) => name.includes(part.trim())) ?? true;
}

/**
 * Rounds within a scenario, peers within a round: so that what happens to the machine happens to all.
 *
 * @param {readonly import("./plan.mjs").Act[]} acts
 */
async function play(acts) {
  const on = machine(rounds);
  console.log(`${header(on)}\n`);
  const results = [];
  for (const act of acts) {
    /** @type {import("./report.mjs").Runs} */
    const runs = new Map();
    for (let round = 1; round <= rounds; round++) {
      for (const peer of act.peers) {
        if (process.stderr.isTTY) console.error(`${act.title}: ${peer.name}, round ${round}`);
        const made = await untilValid(() => measureOnce(act.scenario, peer, act.size));
        runs.set(peer.name, [...(runs.get(peer.name) ?? []), ...made]);
      }
    }
    console.log(`${table(act, runs)}\n`);
    results.push({ act, runs });
  }
  save(on, results);
  if (options.docs) writeDocs(on, results);
  return results;
}

/** @param {object} on @param {readonly import("./against.mjs").Result[]} results */
function save(on, results) {
  const folder = join(ROOT, "bench", "results");
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${new Date().toISOString().replaceAll(":", "-").slice(0, 19)}.json`);
  const scenarios = results.map(({ act: { key, title, size }, runs }) => ({
    key,
    title,
    size,
    runs: Object.fromEntries(runs),
  }));
  writeFileSync(file, `${JSON.stringify({ on, scenarios }, null, 2)}\n`);
}

await bench();
