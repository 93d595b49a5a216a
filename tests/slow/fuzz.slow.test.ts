/**
 * All fuzzers at once, beside a subscriber and a publisher: the server's process lives and makes no mistake, the subscriber loses nothing,
 * and afterwards the memory is what it was. FUZZ_MINUTES says for how long.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import { Client } from "../doors/client.js";
import { FUZZERS } from "../fuzz/fuzzers.js";
import { within } from "../library/within.js";

const MINUTES = Number(process.env.FUZZ_MINUTES ?? 10);
const SEED = Number(process.env.SLOW_SEED ?? Math.floor(Math.random() * 2 ** 31));
/** Then all code has run once, and what is kept for good is there. */
const WARM_UP_MINUTES = Math.min(2, MINUTES / 4);
/** Compiled code is no data, and grows as long as something new is called often: the heap would show nothing else. */
const EXEC_ARGV = ["--expose-gc", "--no-opt", "--no-sparkplug", "--no-maglev"];
const MEASURE_WITHIN_MS = 120_000;
/** Messages that the publisher sends in a second. */
const PER_SECOND = 50;
const CHANNEL = "beside:all";

interface Figures {
  readonly heap: number;
  readonly connections: number;
  readonly mistakes: readonly string[];
}

async function measured(server: ChildProcess): Promise<Figures> {
  const told = once(server, "message") as Promise<[Figures]>;
  server.send("measure");
  const [figures] = await within(told, "the figures of the server", MEASURE_WITHIN_MS);
  return figures;
}

/** Every fuzzer sends what it draws, one case after the other, until the time is over. */
async function fuzz(port: number, minutes: number, seed: number): Promise<number> {
  const end = Date.now() + minutes * 60_000;
  const all = FUZZERS.map(async (fuzzer, index) => {
    let sent = 0;
    for (let round = 0; Date.now() < end; round++) {
      const cases = fuzzer.draw(seed + 1000 * index + round, 200);
      for (const send of cases) {
        if (Date.now() >= end) break;
        await send({ port });
        sent++;
      }
    }
    return sent;
  });
  return (await Promise.all(all)).reduce((sum, each) => sum + each, 0);
}

test(
  `all fuzzers at once for ${MINUTES} minutes end no process, cost nobody a message, and leave no memory taken (seed ${SEED})`,
  async () => {
    const server = fork(new URL("fuzz-server.mjs", import.meta.url), { execArgv: EXEC_ARGV });
    onTestFinished(() => void server.kill("SIGKILL"));
    const exited = once(server, "exit").then(([code, signal]) => {
      throw new Error(`the server ended with ${code ?? signal} (seed ${SEED})`);
    });
    // It is waited for below.
    exited.catch(() => {});
    const [{ port }] = (await within(once(server, "message"), "the server listens")) as [{ port: number }];

    const work = async () => {
      const subscriber = await Client.connect(`ws://127.0.0.1:${port}/push`);
      const publisher = await Client.connect(`ws://127.0.0.1:${port}/push`);
      await subscriber.subscribe(CHANNEL);
      let published = 0;
      let unanswered: Promise<unknown> = Promise.resolve();
      const publishing = setInterval(() => {
        const data = ++published;
        unanswered = Promise.all([unanswered, publisher.ask({ type: "publish", channel: CHANNEL, data })]);
        unanswered.catch(() => {});
      }, 1000 / PER_SECOND);
      onTestFinished(() => clearInterval(publishing));

      await fuzz(port, WARM_UP_MINUTES, SEED);
      const before = await measured(server);
      const sent = await fuzz(port, MINUTES, SEED + 1_000_000);
      clearInterval(publishing);
      await unanswered;
      const after = await measured(server);
      console.log(JSON.stringify({ seed: SEED, sent, published, before, after }));
      const offsets = await subscriber.offsets(published);
      expect(offsets).toEqual(Array.from({ length: published }, (_, index) => index + 1));
      expect(after.mistakes).toEqual([]);
      expect(after.connections).toBe(2);
      expect(after.heap).toBeLessThan(1.1 * before.heap);
    };
    await Promise.race([work(), exited]);
  },
  (MINUTES + WARM_UP_MINUTES) * 60_000 + 3 * MEASURE_WITHIN_MS,
);
