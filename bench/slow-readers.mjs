/**
 * What slow readers cost: clients on many channels stop reading, messages go by, and then they read again. Prints the
 * memory of the server's process before, meanwhile and after, and checks that each client got what the logs hold, with
 * everything else announced as missing.
 *
 *   npm run build && node bench/slow-readers.mjs [clients=500] [messages=50000]
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { connect } from "node:net";
import { createFanfare } from "fanfare";

const CHANNELS = Array.from({ length: 20 }, (_, index) => `channel:${index}`);
const HISTORY = 100;
const DATA = "x".repeat(1024);
const KiB = 1024;
const MiB = 1024 * KiB;

// ---- the server's process: does what it is told, and answers with its figures

/** @param {NodeJS.Process} parent */
function serveFor(parent) {
  const fanfare = createFanfare({
    access: "open",
    rules: [{ channels: "**", history: HISTORY }],
    allowIsolated: true,
  });
  const server = createServer();
  /** @type {Set<import("node:net").Socket>} */
  const sockets = new Set();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  fanfare.attach(server);
  let published = 0;

  async function publish(/** @type {number} */ count) {
    let mostWaiting = 0;
    let mostRss = 0;
    for (let left = count; left > 0; left -= CHANNELS.length) {
      await Promise.all(CHANNELS.slice(0, left).map((channel) => fanfare.publish(channel, DATA)));
      await new Promise((done) => setImmediate(done));
      published += Math.min(left, CHANNELS.length);
      if (published % 1000 !== 0) continue;
      for (const socket of sockets) mostWaiting = Math.max(mostWaiting, socket.writableLength);
      mostRss = Math.max(mostRss, process.memoryUsage().rss);
    }
    return { mostWaiting, mostRss };
  }

  async function figures() {
    for (let round = 0; round < 5; round++) {
      globalThis.gc?.();
      await new Promise((done) => setImmediate(done));
    }
    const waiting = [...sockets].map(({ writableLength }) => writableLength);
    const { rss, heapUsed, external } = process.memoryUsage();
    return {
      ...fanfare.stats(),
      rss,
      heapUsed,
      external,
      waiting: waiting.reduce((sum, each) => sum + each, 0),
    };
  }

  parent.on("message", async (/** @type {{ do: string, count: number }} */ order) => {
    if (order.do === "publish") parent.send?.(await publish(order.count));
    else if (order.do === "figures") parent.send?.(await figures());
    else parent.exit(0);
  });
  server.listen(0, "localhost", () => {
    const address = server.address();
    parent.send?.({ port: typeof address === "object" && address?.port });
  });
}

// ---- this process: the clients

async function measure(/** @type {number} */ clients, /** @type {number} */ messages) {
  const child = fork(new URL(import.meta.url), { execArgv: ["--expose-gc"] });
  const answer = async () => (await once(child, "message"))[0];
  const ask = (/** @type {object} */ order) => {
    child.send(order);
    return answer();
  };
  try {
    const { port } = await answer();
    const perChannel = Math.ceil(messages / CHANNELS.length);
    console.log(
      `${clients} clients on ${CHANNELS.length} channels each; ${messages} messages of 1 KiB; logs of ${HISTORY}`,
    );
    const beside = await Reader.open(port, perChannel);
    /** @type {Reader[]} */
    const slow = [];
    while (slow.length < clients) slow.push(await Reader.open(port, perChannel));
    const before = await ask({ do: "figures" });
    for (const reader of slow) reader.socket.pause();

    let start = performance.now();
    const meanwhile = await ask({ do: "publish", count: messages });
    const publishing = (performance.now() - start) / 1000;
    const stuck = await ask({ do: "figures" });
    await beside.complete;

    start = performance.now();
    for (const reader of slow) reader.socket.resume();
    await Promise.all(slow.map((reader) => reader.complete));
    const catchingUp = (performance.now() - start) / 1000;
    const after = await ask({ do: "figures" });

    const sum = (/** @type {(reader: Reader) => number} */ of) =>
      slow.reduce((all, reader) => all + of(reader), 0);
    const mib = (/** @type {number} */ bytes) => `${(bytes / MiB).toFixed(1)} MiB`;
    const kib = (/** @type {number} */ bytes) => `${(bytes / KiB).toFixed(1)} KiB`;
    console.table({
      "all connected": {
        rss: mib(before.rss),
        heap: mib(before.heapUsed),
        "waiting in sockets": mib(before.waiting),
      },
      "all published": {
        rss: mib(stuck.rss),
        heap: mib(stuck.heapUsed),
        "waiting in sockets": mib(stuck.waiting),
      },
      "all read again": {
        rss: mib(after.rss),
        heap: mib(after.heapUsed),
        "waiting in sockets": mib(after.waiting),
      },
    });
    console.log(`full connections when all was published: ${stuck.fullConnections}`);
    console.log(`highest rss while publishing:            ${mib(meanwhile.mostRss)}`);
    console.log(`most that waited in one socket:          ${kib(meanwhile.mostWaiting)}`);
    console.log(`rss per slow client:                     ${kib((stuck.rss - before.rss) / clients)}`);
    console.log(`publishing took:                         ${publishing.toFixed(1)} s`);
    console.log(`catching up took:                        ${catchingUp.toFixed(1)} s`);
    console.log(`the client beside them got:              ${beside.got} messages, ${beside.gaps} gaps`);
    console.log(
      `the slow clients got, on average:        ${Math.round(sum(({ got }) => got) / clients)} messages; ` +
        `${Math.round(sum(({ lost }) => lost) / clients)} announced in ${Math.round(sum(({ gaps }) => gaps) / clients)} gaps`,
    );
    const wrong = sum((reader) => reader.wrong) + beside.wrong + beside.gaps;
    console.log(wrong === 0 ? "nothing was lost without a word" : `WRONG: ${wrong} frames out of order`);
    if (wrong > 0 || meanwhile.mostWaiting > 192 * KiB) process.exitCode = 1;
  } finally {
    child.send({ do: "exit" });
  }
}

/** A client that reads raw frames, and checks that each channel is one sequence whose holes are announced. */
class Reader {
  got = 0;
  gaps = 0;
  lost = 0;
  wrong = 0;
  /** Resolves when all channels have reached the head. */
  complete;
  #done = () => {};
  #subscribed = () => {};
  #head = false;
  /** @type {Buffer} */
  #rest = Buffer.alloc(0);
  #perChannel;
  #incomplete = CHANNELS.length;
  /** @type {Map<string, number>} */
  #reached = new Map();

  /** @param {import("node:net").Socket} socket @param {number} perChannel */
  constructor(socket, perChannel) {
    this.socket = socket;
    this.#perChannel = perChannel;
    /** @type {Promise<void>} */
    this.complete = new Promise((done) => {
      this.#done = done;
    });
    this.subscribed = new Promise((done) => {
      this.#subscribed = () => done(undefined);
    });
    socket.on("data", (bytes) => this.#hear(Buffer.from(bytes)));
    socket.on("close", () => {
      if (this.#incomplete > 0) throw new Error("a client was closed before it had everything");
    });
  }

  /** @param {number} port @param {number} perChannel */
  static async open(port, perChannel) {
    const socket = connect({ port, host: "localhost" });
    await once(socket, "connect");
    const reader = new Reader(socket, perChannel);
    socket.write(
      `GET /push HTTP/1.1\r\nHost: localhost:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    );
    socket.write(maskedText({ type: "connect" }));
    socket.write(
      maskedText({ type: "subscribe", request: 1, channels: CHANNELS.map((channel) => ({ channel })) }),
    );
    await reader.subscribed;
    return reader;
  }

  /** @param {Buffer} bytes */
  #hear(bytes) {
    this.#rest = this.#rest.length > 0 ? Buffer.concat([this.#rest, bytes]) : bytes;
    if (!this.#head) {
      const end = this.#rest.indexOf("\r\n\r\n");
      if (end < 0) return;
      this.#head = true;
      this.#rest = this.#rest.subarray(end + 4);
    }
    while (this.#rest.length >= 2) {
      const rest = this.#rest;
      const short = (rest[1] ?? 0) & 127;
      const start = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (rest.length < start) return;
      const length =
        short < 126 ? short : short === 126 ? rest.readUInt16BE(2) : Number(rest.readBigUInt64BE(2));
      if (rest.length < start + length) return;
      this.#rest = rest.subarray(start + length);
      if ((rest[0] ?? 0) === 0x89) this.socket.write(Buffer.of(0x8a, 0x80, 0, 0, 0, 0));
      else this.#take(rest.toString("latin1", start, start + Math.min(length, 200)));
    }
  }

  /** @param {string} text the beginning of a frame */
  #take(text) {
    const message = /^\{"type":"message","channel":"([^"]+)","offset":(\d+)/.exec(text);
    const gap = /^\{"type":"gap","channel":"([^"]+)","epoch":"\w+","from":(\d+),"to":(\d+)/.exec(text);
    const [, channel = "", first = "0", last = first] = message ?? gap ?? [];
    if (!channel) {
      if (text.startsWith('{"type":"ok"')) this.#subscribed();
      else if (!/^\{"type":"(connected|subscribed)"/.test(text)) this.wrong++;
      return;
    }
    const from = Number(first);
    const to = Number(last);
    if (from !== (this.#reached.get(channel) ?? 0) + 1) this.wrong++;
    this.#reached.set(channel, to);
    if (gap) {
      this.gaps++;
      this.lost += to - from + 1;
    } else {
      this.got++;
    }
    if (to === this.#perChannel && --this.#incomplete === 0) this.#done();
  }
}

/** @param {object} frame */
function maskedText(frame) {
  const text = Buffer.from(JSON.stringify(frame));
  const head = Buffer.of(0x81, 0xfe, text.length >> 8, text.length & 255, 0, 0, 0, 0);
  return Buffer.concat([head, text]);
}

if (process.send) serveFor(process);
else await measure(Number(process.argv[2] ?? 500), Number(process.argv[3] ?? 50_000));
