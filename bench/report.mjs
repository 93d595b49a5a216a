/** Tables in Markdown, for the terminal as for the documents. Shows what was measured, and leaves nothing out. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus, release, totalmem, type } from "node:os";
import { dirname, join } from "node:path";
import { ROOT } from "../scripts/run.mjs";
import { FANFARE } from "./plan.mjs";
import { median } from "./statistics.mjs";

/** @typedef {import("./plan.mjs").Act} Act */
/** @typedef {import("./measure.mjs").Run} Run */
/** @typedef {Map<string, Run[]>} Runs by the peer's name */

const PACKAGES = [
  "fanfare",
  "ws",
  "socket.io",
  "@feathersjs/feathers",
  "@feathersjs/socketio",
  "@feathersjs/koa",
];

/** What the figures hold for. @param {number} rounds */
export function machine(rounds) {
  const [first] = cpus();
  return {
    date: new Date().toISOString().slice(0, 10),
    commit: commit(),
    rounds,
    processor: first?.model.trim() ?? "unknown",
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    node: process.version,
    packages: Object.fromEntries(PACKAGES.map((name) => [name, versionOf(name)])),
  };
}

function commit() {
  const git = (/** @type {string[]} */ ...args) =>
    execFileSync("git", args, { cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  try {
    const changed = git("status", "--porcelain", "--", "packages") === "" ? "" : ", with changes";
    return `${git("rev-parse", "--short", "HEAD")}${changed}`;
  } catch (_error) {
    return "unknown";
  }
}

/** @param {string} name */
function versionOf(name) {
  let folder = dirname(createRequire(import.meta.url).resolve(name));
  for (;;) {
    try {
      const found = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
      if (found.name === name) return String(found.version);
    } catch (_error) {
      // No package.json here: one folder up.
    }
    folder = dirname(folder);
  }
}

/** @param {ReturnType<typeof machine>} on */
export function header(on) {
  const packages = Object.entries(on.packages).map(([name, version]) => `${name} ${version}`);
  return [
    `${on.processor}, ${on.cores} cores, ${on.memoryGiB} GiB · ${on.system} · Node ${on.node}`,
    packages.join(" · "),
    `${on.date} · commit ${on.commit} · rounds: ${on.rounds}`,
  ].join("  \n");
}

/** @param {Act} act @param {Runs} runs */
export function table(act, runs) {
  const reference = act.peers[0]?.name ?? FANFARE.name;
  const [main] = act.figures;
  const rows = act.peers.map(({ name }) => {
    const valid = validOf(runs, name);
    const times = main && name !== reference ? ratio(validOf(runs, reference), valid, main.key) : "";
    return [
      name,
      ...act.figures.map((figure) => cell(valid, figure)),
      times,
      share(valid, "generator"),
      share(valid, "waited"),
    ];
  });
  const columns = [
    "",
    ...act.figures.map(({ label }) => label),
    `${main?.label.split(",")[0]}, times ${reference}`,
    "generator, share of a core",
    "waited for a core",
  ];
  const lines = [columns, columns.map((_, index) => (index === 0 ? "---" : "---:")), ...rows].map(
    (cells) => `| ${cells.join(" | ")} |`,
  );
  return [`### ${act.title}`, "", ...(act.note ? [act.note, ""] : []), ...lines, ...remarks(act, runs)].join(
    "\n",
  );
}

/** @param {Runs} runs @param {string} name */
export function validOf(runs, name) {
  return (runs.get(name) ?? []).filter(({ isVoid, trouble }) => !isVoid && trouble === undefined);
}

/** @param {readonly Run[]} runs @param {string} key */
export const valuesOf = (runs, key) => runs.map(({ figures }) => figures[key] ?? Number.NaN);

/** @param {readonly Run[]} runs @param {import("./plan.mjs").Figure} figure */
function cell(runs, { key, digits }) {
  if (runs.length === 0) return "–";
  const values = valuesOf(runs, key);
  const show = (/** @type {number} */ value) =>
    value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const [low, high] = [show(Math.min(...values)), show(Math.max(...values))];
  const middle = show(median(values));
  return low === high ? middle : `**${middle}** (${low}–${high})`;
}

/** @param {readonly Run[]} of @param {readonly Run[]} to @param {string} key */
function ratio(of, to, key) {
  if (of.length === 0 || to.length === 0) return "–";
  return `${(median(valuesOf(to, key)) / median(valuesOf(of, key))).toFixed(2)} ×`;
}

/** @param {readonly Run[]} runs @param {"generator" | "waited"} key */
function share(runs, key) {
  if (runs.length === 0) return "–";
  return `${Math.round(100 * median(runs.map((run) => run[key])))} %`;
}

/** @param {Act} act @param {Runs} runs */
function remarks(act, runs) {
  const lines = act.peers.flatMap(({ name }) => {
    const all = runs.get(name) ?? [];
    const voids = all.filter(({ isVoid }) => isVoid).length;
    const troubles = [...new Set(all.flatMap(({ trouble }) => trouble ?? []))];
    return [
      ...(voids > 0 ? [`- ${name}: ${voids} of ${all.length} runs void, the generator was too busy.`] : []),
      ...troubles.map((trouble) => `- ${name}: ${trouble}`),
    ];
  });
  return lines.length > 0 ? ["", ...lines] : [];
}
