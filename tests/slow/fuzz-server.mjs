/**
 * A server in a process of its own, with every door open to everybody: for `fuzz.slow.test.ts`. Says its port, and what it holds when it
 * is asked, after it has let go of what clients left behind.
 */
import { createServer } from "node:http";
import { createFanfare } from "fanfare";

/** Sessions, keys and logs that nobody needs are gone by then. */
const SECONDS = 2;

/** @type {string[]} */
const mistakes = [];
const silent = () => {};
const fanfare = createFanfare({
  access: "open",
  socketio: { services: [{ name: "orders", path: "/orders" }] },
  rules: [
    { channels: "beside:*", history: 10_000, historySeconds: 60 },
    { channels: "room:*", presence: true, history: 10, historySeconds: SECONDS },
    { channels: "**", history: 10, historySeconds: SECONDS },
  ],
  limits: { sessionSeconds: SECONDS, idempotencyKeys: 100, stubs: 100 },
  logger: {
    debug: silent,
    info: silent,
    warn: silent,
    error: (/** @type {object} */ fields, /** @type {string} */ text) => {
      mistakes.push(`${text}: ${"err" in fields && fields.err instanceof Error ? fields.err.stack : ""}`);
    },
  },
});
const server = createServer();
fanfare.attach(server);
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  process.send?.({ port: typeof address === "object" && address?.port });
});

/** Removes the channels that fuzzers wrote to, whose states would stay. */
async function removeChannels() {
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === "object" && address?.port}/push/channels`;
  /** @type {string | null} */
  let after = "";
  while (after !== null) {
    const answer = await fetch(
      `${url}?limit=100${after === "" ? "" : `&after=${encodeURIComponent(after)}`}`,
    );
    /** @type {{ channels: { channel: string }[], next: string | null }} */
    const page = await answer.json();
    for (const { channel } of page.channels) {
      if (channel.startsWith("beside:")) continue;
      await fetch(`${url}/${encodeURIComponent(channel)}`, { method: "DELETE" });
    }
    after = page.next;
  }
}

async function measure() {
  await removeChannels();
  const address = server.address();
  const metrics = `http://127.0.0.1:${typeof address === "object" && address?.port}/push/metrics`;
  await new Promise((done) => setTimeout(done, 15_000));
  for (let round = 0; round < 3; round++) {
    globalThis.gc?.();
    await new Promise((done) => setImmediate(done));
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  const figures = await (await fetch(metrics)).text();
  const kept = Object.fromEntries(
    [
      ...figures.matchAll(
        /^fanfare_(channels|stubs|sessions|history_bytes|idempotency_keys|locks_held) (\d+)/gm,
      ),
    ].map(([, name, count]) => [name, Number(count)]),
  );
  process.send?.({ heap: heapUsed, external, rss, ...fanfare.stats(), kept, mistakes });
}

process.on("message", () => void measure());
