/**
 * What things cost in memory: makes many of each kind in a process of its own, and prints by how much its heap grew for one, beside
 * what the server counts. The constants of `packages/server/src/costs.ts` and the table of docs/memory.md come from here.
 *
 *   npm run build && node bench/memory.mjs [--json]
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";
import { createFanfare } from "fanfare";
import { WebSocket } from "ws";
import { systemClock, systemRandom } from "../packages/server/dist/base/clock.js";
import { COSTS } from "../packages/server/dist/base/costs.js";
import { webSocketEncoding } from "../packages/server/dist/doors/websocket/encoding.js";
import { MemoryEngine } from "../packages/server/dist/engine/memory/memory-engine.js";
import { Hub } from "../packages/server/dist/hub/hub.js";
import { DEFAULT_LIMITS } from "../packages/server/dist/hub/terms/limits.js";
import { Rules } from "../packages/server/dist/hub/terms/rules.js";

/**
 * @typedef {object} Cost
 * @property {string} name
 * @property {number} heap bytes of the heap, and of buffers, for one
 * @property {number} counted what the server counts for it
 */

const COUNT = 10_000;
const SOCKETS = 1000;
/** A message or a state of about 120 bytes. */
const TEXT = "x".repeat(100);
const ROOM = "room";
/** Until presence has been told, and nothing waits for a turn. */
const SETTLED_MS = 300;

// ---- the process that is measured

/** A text as it comes over the wire: in one piece, and nobody else's. */
const fresh = (/** @type {string} */ text) => Buffer.from(text).toString();
/** @type {(name: string) => any} */
const channelOf = (name) => fresh(name);

async function turns() {
  for (let turn = 0; turn < 5; turn++) await new Promise((done) => setImmediate(done));
}

async function held() {
  for (let round = 0; round < 4; round++) {
    globalThis.gc?.();
    await turns();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** @returns {Promise<Cost[]>} */
async function measureHub() {
  const rules = new Rules([
    { channels: "**", history: 1000 },
    { channels: ROOM, presence: { maxListed: 0, intervalSeconds: 0.1 } },
  ]);
  const engine = new MemoryEngine({ allowIsolated: true });
  const limits = { ...DEFAULT_LIMITS, subscriptionsPerConnection: 100_000 };
  const hub = new Hub({ engine, rules, limits, clock: systemClock, random: systemRandom });
  /** @type {Cost[]} */
  const costs = [];
  const connect = () =>
    hub.connections.open(
      {
        door: "none",
        encoding: webSocketEncoding,
        sink: { write: () => true, cork() {}, uncork() {}, waitingBytes: 0 },
        pauseReading() {},
        resumeReading() {},
        end() {},
        failedInside() {},
      },
      null,
    );
  const one = connect();
  const clients = Array.from({ length: COUNT }, connect);

  const measure = async (
    /** @type {string} */ name,
    /** @type {number} */ count,
    /** @type {(index: number) => unknown} */ make,
  ) => {
    const [before, countedBefore] = [await held(), hub.countedBytes()];
    for (let index = 0; index < count; index++) await make(index);
    while (one.waiting > 0 || clients.some(({ waiting }) => waiting > 0)) await turns();
    await new Promise((done) => setTimeout(done, SETTLED_MS));
    const [after, counted] = [await held(), hub.countedBytes()];
    costs.push({ name, heap: (after - before) / count, counted: (counted - countedBefore) / count });
  };
  const publish = (/** @type {string} */ channel, /** @type {number} */ n) =>
    hub.publish(channelOf(channel), { data: { n, TEXT } });
  const attendance = (/** @type {number} */ index) => ({
    attendant: { id: fresh(`user:alice${index}`), user: fresh(`alice${index}`) },
    watches: false,
  });

  // What is made once, and the code that makes it.
  for (let index = 0; index < 100; index++) await publish(`warm:${index}`, index);
  await measure("channel with a message", COUNT, (index) => publish(`a:${index}`, index));
  await measure("message", 10 * COUNT, (index) => publish(`a:${index % COUNT}`, index));
  await measure("state", COUNT, (index) =>
    hub.changeState(channelOf(`a:${index}`), { patch: { index, TEXT } }),
  );
  await measure("idempotency key", COUNT, (index) => {
    const draft = { event: "message", json: fresh(`${index}`) };
    const idempotency = { key: fresh(`0123456789abcdef0123-${index}`), principal: fresh("user alice") };
    return engine.logs.append(channelOf("k"), { ...draft, idempotency }, { messages: 0, ageMs: 1000 });
  });
  await measure("session", COUNT, (index) => {
    const json = JSON.stringify({ connection: `0123456789abcdef`, owner: `user alice${index}` });
    const secret = fresh(`0123456789012345678901234567890123456-${index}`);
    return engine.sessions.put(secret, json, 600_000, fresh(`user alice${index}`));
  });
  await measure("channel that is listened to", COUNT, (index) =>
    one.subscribe(channelOf(`quiet:${index}`), { request: index, since: undefined }),
  );
  await measure("channel that is listened to, with a message", COUNT, async (index) => {
    one.subscribe(channelOf(`b:${index}`), { request: index, since: undefined });
    await publish(`b:${index}`, index);
  });
  await measure("message that is listened to", 10 * COUNT, (index) => publish(`b:${index % COUNT}`, index));
  await measure("subscription, one of several", 10 * COUNT, (index) =>
    clients[Math.floor(index / 10)]?.subscribe(channelOf(`b:${index % 10}`), {
      request: index,
      since: undefined,
    }),
  );
  await measure("member", COUNT, (index) =>
    clients[index]?.subscribe(channelOf(ROOM), {
      request: index,
      since: undefined,
      attendance: attendance(index),
    }),
  );
  hub.close();
  await engine.close();
  return costs;
}

async function serveFor(/** @type {NodeJS.Process} */ parent) {
  const costs = await measureHub();
  const fanfare = createFanfare({ access: "open", allowIsolated: true });
  const server = createServer();
  fanfare.attach(server);
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = server.address();
  parent.on("message", async () => parent.send?.({ held: await held() }));
  parent.send?.({ costs, port: typeof address === "object" && address?.port });
}

// ---- this process: prints, and opens WebSockets

/** @returns {Promise<Cost[]>} */
export async function measureAll() {
  const child = fork(new URL(import.meta.url), {
    execArgv: ["--expose-gc"],
    env: { ...process.env, MEASURED: "1" },
  });
  try {
    const [{ costs, port }] = await once(child, "message");
    const ask = async () => {
      child.send("held");
      return (await once(child, "message"))[0].held;
    };
    const open = async () => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/push`, "fanfare.v1");
      await once(socket, "open");
      socket.send('{"type":"connect"}');
      await once(socket, "message");
    };
    for (let warm = 0; warm < 50; warm++) await open();
    const before = await ask();
    for (let opened = 0; opened < SOCKETS; opened++) await open();
    const heap = ((await ask()) - before) / SOCKETS;
    return [
      ...costs,
      { name: "WebSocket, with its session", heap, counted: COSTS.connection + COSTS.session },
    ];
  } finally {
    child.kill();
  }
}

if (process.env.MEASURED) await serveFor(process);
else if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const costs = await measureAll();
  if (process.argv.includes("--json")) console.log(JSON.stringify(costs));
  else {
    console.table(
      costs.map(({ name, heap, counted }) => ({
        name,
        bytes: Math.round(heap),
        counted: Math.round(counted),
        "off by %": Math.round((100 * (counted - heap)) / heap),
      })),
    );
  }
  process.exit();
}
