/**
 * Many clients and calls on a server whose heap is small, with all defaults: its process lives, and what it refuses is told.
 * MEMORY_MINUTES says for how long, MEMORY_HEAP how many MiB the heap has; with MEMORY_VERBOSE it prints how it stands each second.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import { within } from "../library/within.js";
import { Load } from "./memory-load.js";

const MINUTES = Number(process.env.MEMORY_MINUTES ?? 10);
const HEAP = Number(process.env.MEMORY_HEAP ?? 256);
const SEED = Number(process.env.SLOW_SEED ?? Math.floor(Math.random() * 2 ** 32));
const KEY = "0123456789abcdef0123456789abcdef";
const START_WITHIN_MS = 60_000;

interface Figures {
  readonly heap: number;
  readonly connections: number;
  readonly told: readonly string[];
}

test(
  `a heap of ${HEAP} MiB bears 800 clients on 20,000 channels and 6,000 calls a second for ${MINUTES} minutes (seed ${SEED})`,
  async () => {
    const server = fork(new URL("memory-server.mjs", import.meta.url), {
      execArgv: [`--max-old-space-size=${HEAP}`],
      env: { ...process.env, FANFARE_KEY: KEY },
    });
    onTestFinished(() => void server.kill("SIGKILL"));
    const exited = once(server, "exit").then(([code, signal]) => ({ code, signal }));
    const [{ port }] = await within(once(server, "message"), "the server listens", START_WITHIN_MS);

    let mostHeap = 0;
    let latest: Figures | null = null;
    const load = new Load({
      url: `ws://127.0.0.1:${port}/push`,
      key: KEY,
      seed: SEED,
      clients: 800,
      channels: 20_000,
      callsPerSecond: 6000,
      each: 25,
      comings: 40,
    });
    server.on("message", (figures: Figures) => {
      latest = figures;
      mostHeap = Math.max(mostHeap, figures.heap);
      for (const text of figures.told) console.log(text);
      if (process.env.MEMORY_VERBOSE) console.log(JSON.stringify({ ...figures, ...load.tally }));
    });
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise((done) => {
      timer = setTimeout(() => done("it lives"), MINUTES * 60_000);
    });
    const outcome = await Promise.race([over, exited]);
    clearTimeout(timer);
    load.stop();
    console.log(JSON.stringify({ mostHeap, latest, ...load.tally }));
    expect(outcome).toBe("it lives");
    expect(load.tally.answered).toBeGreaterThan(0);
  },
  MINUTES * 60_000 + 2 * START_WITHIN_MS,
);
