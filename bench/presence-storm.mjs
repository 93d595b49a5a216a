/**
 * What a storm of joins costs: many users come to one channel at once, while others are there and watch, and a stream of messages goes
 * by. Prints how long it took, what each watcher was sent, and the latency of the messages without the storm and in it; checks that no
 * connection was lost, and that everybody has the right count when all users are gone again.
 *
 *   npm run build && npm run bench:presence -- [users=10000] [watchers=1000]
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { createFanfare } from "fanfare";
import { WebSocket } from "ws";
import { quantile } from "./statistics.mjs";

const ROOM = "room";
/** The same without presence, to compare with. */
const HALL = "hall";
const STREAM = "stream";
/** So many watchers hear the stream of messages as well. */
const LISTENERS = 50;
const MESSAGE_EVERY_MS = 10;
const QUIET_MS = 5000;
/** By then everybody who came is gone, and that has been told. */
const GONE_AFTER_MS = 14_000;
/** By then the watchers have been given the list of themselves. */
const SETTLED_AFTER_MS = 18_000;
/** So many users are on their way at once. */
const AT_ONCE = 200;

const now = () => performance.timeOrigin + performance.now();

// ---- the server's process

/** @param {NodeJS.Process} parent */
function serveFor(parent) {
  const fanfare = createFanfare({
    rules: [{ channels: ROOM, presence: true }],
    authorize: ({ token = "" }) => ({
      user: token,
      grants: [{ channels: "**", actions: ["subscribe", "presence"] }],
    }),
    allowIsolated: true,
  });
  const server = createServer();
  fanfare.attach(server);
  setInterval(() => void fanfare.publish(STREAM, now()), MESSAGE_EVERY_MS);
  parent.on("disconnect", () => process.exit(0));
  server.listen(0, "localhost", () => {
    const address = server.address();
    parent.send?.({ port: typeof address === "object" && address?.port });
  });
}

// ---- the users' process: each comes, subscribes and goes, and is present for a while yet

/** @param {NodeJS.Process} parent */
function joinFor(parent) {
  parent.on("disconnect", () => process.exit(0));
  parent.on("message", async (/** @type {{ port: number, users: number, channel: string }} */ order) => {
    const { port, users, channel } = order;
    let next = 0;
    let failed = 0;
    const begun = performance.now();
    async function joinSome() {
      while (next < users) {
        const socket = await open(port, `user${next++}`);
        const heard = await subscribe(socket, [channel]).catch(() => null);
        if (heard === null) failed++;
        socket.close(1000);
      }
    }
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, users) }, joinSome));
    parent.send?.({ failed, ms: performance.now() - begun });
  });
}

/** @param {number} port @param {string} user */
async function open(port, user) {
  const socket = new WebSocket(`ws://localhost:${port}/push`, "fanfare.v1", { perMessageDeflate: false });
  socket.on("error", () => {});
  await once(socket, "open");
  socket.send(JSON.stringify({ type: "connect", token: user }));
  return socket;
}

/** Resolves with the last answer. @param {WebSocket} socket @param {string[]} channels */
function subscribe(socket, channels) {
  socket.send(
    JSON.stringify({ type: "subscribe", request: 1, channels: channels.map((channel) => ({ channel })) }),
  );
  return new Promise((resolve, reject) => {
    socket.once("close", (code) => reject(new Error(`closed with ${code}`)));
    socket.on("message", function hear(data) {
      if (!String(data).startsWith('{"type":"ok"')) return;
      socket.off("message", hear);
      resolve(data);
    });
  });
}

// ---- this process: the watchers

class Watcher {
  frames = 0;
  bytes = 0;
  longest = 0;
  count = 0;
  highest = 0;
  lost = false;

  /** @param {WebSocket} socket @param {(sent: number) => void} heardMessage */
  constructor(socket, heardMessage) {
    this.socket = socket;
    socket.on("close", () => {
      this.lost = true;
    });
    socket.on("message", (/** @type {Buffer} */ data) => {
      const text = data.toString();
      if (text.startsWith('{"type":"message"')) heardMessage(JSON.parse(text).data);
      else if (text.startsWith('{"type":"presence"')) {
        this.frames++;
        this.bytes += data.length;
        this.longest = Math.max(this.longest, data.length);
        this.count = JSON.parse(text).count;
        this.highest = Math.max(this.highest, this.count);
      }
    });
  }
}

/** @param {number} users @param {number} watchers */
async function measure(users, watchers) {
  const child = (/** @type {string} */ role) => fork(new URL(import.meta.url), [role]);
  const [server, joiners] = [child("server"), child("users")];
  const answerOf = async (/** @type {import("node:child_process").ChildProcess} */ from) =>
    (await once(from, "message"))[0];
  try {
    const { port } = await answerOf(server);
    /** @type {number[]} */
    let latencies = [];
    const heard = (/** @type {number} */ sent) => void latencies.push(now() - sent);
    /** @type {Watcher[]} */
    const all = [];
    while (all.length < watchers) {
      const socket = await open(port, `watcher${all.length}`);
      const watcher = new Watcher(socket, heard);
      await subscribe(socket, all.length < LISTENERS ? [ROOM, STREAM] : [ROOM]);
      all.push(watcher);
    }
    console.log(`${watchers} watchers are there; ${users} users come, at most ${AT_ONCE} at once`);
    const phase = async (/** @type {Promise<unknown>} */ until) => {
      latencies = [];
      await until;
      return latencies.splice(0).sort((a, b) => a - b);
    };
    const pause = (ms = QUIET_MS) => new Promise((done) => setTimeout(done, ms));
    // The lists of those who came last are on their way yet.
    await pause(SETTLED_AFTER_MS);
    const quiet = await phase(pause());
    const plainly = answerOf(joiners);
    joiners.send({ port, users, channel: HALL });
    const plain = await phase(plainly);
    await pause();
    for (const watcher of all) Object.assign(watcher, { frames: 0, bytes: 0, longest: 0 });
    const joined = answerOf(joiners);
    joiners.send({ port, users, channel: ROOM });
    const storm = await phase(joined);
    const { failed, ms } = await joined;
    const { ms: plainMs } = await plainly;
    const during = Math.max(...all.map(({ frames }) => frames));
    const after = await phase(pause());
    await pause(GONE_AFTER_MS - QUIET_MS);

    const most = (/** @type {(watcher: Watcher) => number} */ of) => Math.max(...all.map(of));
    const figures = (/** @type {number[]} */ sorted) => ({
      messages: sorted.length,
      "p50, ms": quantile(sorted, 0.5).toFixed(2),
      "p99, ms": quantile(sorted, 0.99).toFixed(2),
      "max, ms": (sorted.at(-1) ?? 0).toFixed(2),
    });
    console.table({
      "before the storm": figures(quiet),
      "the same without presence": figures(plain),
      "in the storm": figures(storm),
      "after it": figures(after),
    });
    console.log(
      `the joins took:                  ${(ms / 1000).toFixed(1)} s, ${Math.round(users / (ms / 1000))} a second; ${(plainMs / 1000).toFixed(1)} s without presence`,
    );
    console.log(
      `presence frames of a watcher:    ${during} in the storm, ${most(({ frames }) => frames)} with the ${GONE_AFTER_MS / 1000} s after it`,
    );
    console.log(
      `bytes of them:                   ${most(({ bytes }) => bytes)} in all, ${most(({ longest }) => longest)} the longest frame`,
    );
    const lost = all.filter((watcher) => watcher.lost).length;
    const wrong = all.filter(({ count }) => count !== watchers).length;
    console.log(`connections lost:                ${lost} watchers, ${failed} users`);
    console.log(`highest count that was told:     ${most(({ highest }) => highest)}`);
    console.log(`watchers with the right count:   ${watchers - wrong} of ${watchers}, when all had gone`);
    if (lost + failed + wrong > 0) process.exitCode = 1;
    for (const { socket } of all) socket.terminate();
  } finally {
    server.disconnect();
    joiners.disconnect();
  }
}

const [role, more] = process.argv.slice(2);
if (role === "server") serveFor(process);
else if (role === "users") joinFor(process);
else await measure(Number(role ?? 10_000), Number(more ?? 1000));
