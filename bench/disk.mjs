/**
 * What lasting costs: the same publishes on the disk engine and on the memory engine, in turns, in one process. Then how long
 * a store with a million messages takes to start.
 *
 *   npm run build && npm run bench:disk -- [folder=the system's for temporary files] [seconds=2] [channels=100000]
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFanfare, DiskEngine, MemoryEngine } from "fanfare";

const [folder = tmpdir(), seconds = "2", channelCount = "100000"] = process.argv.slice(2);
const ROUNDS = 3;
const CALLERS = 16;
const BATCH = 100;
const PER_CHANNEL = 10;
const DATA = { text: "x".repeat(100) };
const RULES = [{ channels: "**", history: 100, historySeconds: 86_400 }];
const LIMITS = { maxBytes: 8 * 2 ** 30 };

/** @typedef {import("fanfare").Fanfare} Fanfare */
/** @typedef {{ name: string, open: (dataDir: string) => Promise<import("fanfare").Engine> }} Kind */

/** @type {Kind[]} */
const kinds = [
  { name: "memory", open: async () => new MemoryEngine(LIMITS) },
  { name: "disk", open: (dataDir) => DiskEngine.open({ dataDir, ...LIMITS }) },
];

/**
 * Publishes for some seconds.
 *
 * @param {Fanfare} fanfare
 * @param {number} callers that wait for their answer each
 * @param {number} size messages that each caller publishes at once
 * @returns {Promise<{ perSecond: number, p50: number, p99: number }>} latencies in milliseconds, of a whole batch
 */
async function publish(fanfare, callers, size) {
  /** @type {number[]} */
  const latencies = [];
  const begun = performance.now();
  const end = begun + Number(seconds) * 1000;
  let number = 0;
  const call = async () => {
    while (performance.now() < end) {
      const called = performance.now();
      await Promise.all(
        Array.from({ length: size }, () => fanfare.publish(`channel:${number++ % 1000}`, DATA)),
      );
      latencies.push(performance.now() - called);
      // Memory answers within the turn: without this nobody else would have one.
      await new Promise((next) => setImmediate(next));
    }
  };
  await Promise.all(Array.from({ length: callers }, call));
  const perSecond = (latencies.length * size * 1000) / (performance.now() - begun);
  latencies.sort((a, b) => a - b);
  const at = (/** @type {number} */ part) => latencies[Math.floor(latencies.length * part)] ?? 0;
  return { perSecond, p50: at(0.5), p99: at(0.99) };
}

const loads = [
  { name: "one caller, one at a time", callers: 1, size: 1 },
  { name: `${CALLERS} callers, one at a time`, callers: CALLERS, size: 1 },
  { name: `one caller, batches of ${BATCH}`, callers: 1, size: BATCH },
  { name: `${CALLERS} callers, batches of ${BATCH}`, callers: CALLERS, size: BATCH },
];

/** @param {number[]} values */
const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

for (const load of loads) {
  /** @type {Map<string, { perSecond: number, p50: number, p99: number }[]>} */
  const results = new Map(kinds.map(({ name }) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const { name, open } of kinds) {
      const dataDir = mkdtempSync(join(folder, "fanfare-bench-"));
      const engine = await open(dataDir);
      const fanfare = createFanfare({ engine, rules: RULES });
      results.get(name)?.push(await publish(fanfare, load.callers, load.size));
      await fanfare.close();
      await engine.close();
      rmSync(dataDir, { recursive: true });
    }
  }
  console.log(load.name);
  for (const [name, rounds] of results) {
    const [rate, p50, p99] = [
      median(rounds.map(({ perSecond }) => perSecond)),
      median(rounds.map((round) => round.p50)),
      median(rounds.map((round) => round.p99)),
    ];
    console.log(
      `  ${name.padEnd(7)} ${rate.toFixed(0).padStart(8)} publishes/s, answered after p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms`,
    );
  }
}

// ---- how long a store that is full takes to start

const dataDir = mkdtempSync(join(folder, "fanfare-bench-"));
try {
  const filled = await DiskEngine.open({ dataDir, ...LIMITS });
  const fanfare = createFanfare({ engine: filled, rules: RULES });
  for (let round = 0; round < PER_CHANNEL; round++) {
    for (let channel = 0; channel < Number(channelCount); channel += 5000) {
      const names = Array.from({ length: 5000 }, (_, index) => `order:${channel + index}`);
      await Promise.all(names.map((name) => fanfare.publish(name, DATA)));
    }
  }
  await fanfare.close();
  const { messages, channels } = filled.stats();
  await filled.close();
  const size = statSync(join(dataDir, "data.mdb")).size;

  const begun = performance.now();
  const engine = await DiskEngine.open({ dataDir, ...LIMITS });
  const opened = performance.now();
  const again = createFanfare({ engine, rules: RULES });
  await again.publish("order:7", DATA);
  await again.history("order:77777");
  const used = performance.now();
  console.log(
    `${messages} messages in ${channels} channels, ${(size / 2 ** 20).toFixed(0)} MiB: ` +
      `opened after ${(opened - begun).toFixed(0)} ms, first publish and read after ${(used - begun).toFixed(0)} ms, ` +
      `${(process.memoryUsage().rss / 2 ** 20).toFixed(0)} MiB resident`,
  );
  await again.close();
  await engine.close();
} finally {
  rmSync(dataDir, { recursive: true });
}
