/**
 * What a delivery costs through each door of one Fanfare: processor time of the server per message and connection.
 *
 *   npm run build && node bench/doors.mjs [rounds=5]
 */
import { connect } from "node:net";
import { Program } from "./program.mjs";
import { median } from "./statistics.mjs";
import { textFrame, WIRES } from "./wire.mjs";

const MICRO = 1e6;
const WARM_UP = 200;
const AT = "@".charCodeAt(0);
const COMMA_AFTER = 10;

const SCENARIOS = [
  { title: "500 connections, 100 messages/s", connections: 500, perSecond: 100, messages: 300 },
  { title: "200 connections, 4,000 messages/s", connections: 200, perSecond: 4000, messages: 8000 },
];

const upgrade = `GET ${WIRES.fanfare.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`;
const wanted = JSON.stringify({ channels: [{ channel: "bench" }] });

/** @type {readonly { name: string, ask: string | Buffer }[]} */
const DOORS = [
  { name: "WebSocket", ask: Buffer.concat([Buffer.from(upgrade), ...WIRES.fanfare.hello.map(textFrame)]) },
  { name: "SSE", ask: "GET /push/sse?channel=bench HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" },
  {
    name: "SSE of the client",
    ask: `POST /push/sse HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${wanted.length}\r\n\r\n${wanted}`,
  },
];

/** Many connections, and how many messages they have been given together. */
class Crowd {
  deliveries = 0;
  /** @type {import("node:net").Socket[]} */
  sockets = [];
  #awaited = Number.POSITIVE_INFINITY;
  /** @type {() => void} */
  #reached = () => {};

  /** @param {number} port @param {string | Buffer} ask @param {number} count */
  async open(port, ask, count) {
    for (let number = 0; number < count; number++) {
      await new Promise((done, fail) => {
        const socket = connect({ port, host: "127.0.0.1", noDelay: true }, () => socket.write(ask));
        let greeting = "";
        const greeted = (/** @type {Buffer} */ bytes) => {
          greeting += bytes.toString("latin1");
          if (!greeting.includes("subscribed")) return;
          socket.off("data", greeted);
          socket.on("data", (more) => this.#hear(more));
          done(undefined);
        };
        socket.on("data", greeted);
        socket.on("error", fail);
        this.sockets.push(socket);
      });
    }
  }

  /** Resolves when so many have been given. @param {number} count @returns {Promise<void>} */
  given(count) {
    return new Promise((done) => {
      this.#awaited = count;
      this.#reached = done;
    });
  }

  /** A stamp that is cut in two is missed: `given` waits for a little less than all. @param {Buffer} bytes */
  #hear(bytes) {
    for (let at = bytes.indexOf(AT); at >= 0; at = bytes.indexOf(AT, at + 1)) {
      if (bytes[at + COMMA_AFTER] === 0x2c) this.deliveries++;
    }
    if (this.deliveries >= this.#awaited) this.#reached();
  }
}

/** @param {(typeof DOORS)[number]} door @param {(typeof SCENARIOS)[number]} scenario */
async function measure({ ask }, { connections, perSecond, messages }) {
  const server = new Program("servers/fanfare.mjs");
  const crowd = new Crowd();
  try {
    const { port } = await server.answer();
    await crowd.open(port, ask, connections);
    const steadily = async (/** @type {number} */ count) => {
      const before = crowd.deliveries;
      const given = crowd.given(before + 0.98 * count * connections);
      server.tell({ do: "publishSteadily", perSecond, count });
      await given;
      await new Promise((done) => setTimeout(done, 100));
      return crowd.deliveries - before;
    };
    await steadily(WARM_UP);
    const before = server.cpuSeconds();
    const deliveries = await steadily(messages);
    return ((server.cpuSeconds() - before) * MICRO) / deliveries;
  } finally {
    for (const socket of crowd.sockets) socket.destroy();
    await server.end();
  }
}

const rounds = Number(process.argv[2] ?? 5);
for (const scenario of SCENARIOS) {
  /** @type {number[][]} */
  const figures = DOORS.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, door] of DOORS.entries()) figures[index]?.push(await measure(door, scenario));
  }
  console.log(
    `\n${scenario.title}: CPU of the server per delivery, µs (median of ${rounds}, lowest to highest)`,
  );
  const base = median(figures[0] ?? []);
  for (const [index, { name }] of DOORS.entries()) {
    const all = figures[index] ?? [];
    const middle = median(all);
    const range = `${Math.min(...all).toFixed(2)} to ${Math.max(...all).toFixed(2)}`;
    console.log(
      `  ${name.padEnd(18)} ${middle.toFixed(2)} (${range}), ${(middle / base).toFixed(2)} × WebSocket`,
    );
  }
}
