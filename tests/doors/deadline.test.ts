/** Clients that do not go: a Fanfare that closes waits for them, not longer than it was told, and leaves alone what is not its own. */
import { once } from "node:events";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Socket } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { createFanfare, type FanfareOptions } from "../../packages/server/src/index.js";
import { cert, key } from "./certificate.js";
import { clientFrame, OPCODE, RawClient, textFrame, upgradeRequest } from "./raw-client.js";
import { listening } from "./serving.js";
import { soon, until } from "./waiting.js";

const WITHIN_MS = 300;
/** Far less than any library gives its own clients, which is 30 seconds. */
const SOON_MS = 5000;

const SOCKET_IO = "/socket.io/?EIO=4&transport";

async function serving(options: FanfareOptions = {}, tls = false) {
  const fanfare = createFanfare({
    access: "open",
    socketio: {},
    authorize: ({ token }) => (token === "hang" ? new Promise(() => {}) : null),
    ...options,
  });
  const server = tls ? createTlsServer({ cert, key }) : createServer();
  server.on("request", (request, response) => {
    if (request.url === "/own") response.writeHead(200).write("still under way");
    else response.end("the application");
  });
  // What is answered and kept is the application's business.
  server.keepAliveTimeout = 60_000;
  fanfare.attach(server);
  const sockets: Socket[] = [];
  server.on(tls ? "secureConnection" : "connection", (socket: Socket) => void sockets.push(socket));
  const port = await listening(server);
  onTestFinished(() => fanfare.close({ withinSeconds: 0 }).catch(() => {}));

  /** A connection on which this was written, and something was answered, if anything is. */
  async function say(text: string | Buffer, answered: RegExp | null = /^HTTP/): Promise<RawClient> {
    const client = await RawClient.dial(port, { tls });
    let said = "";
    client.socket.on("data", (bytes) => {
      said += String(bytes);
    });
    client.socket.write(text);
    if (answered) await until(() => answered.test(said), `the answer ${answered}`);
    return client;
  }

  const get = (path: string, rest = "") => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${rest}\r\n`;
  const post = (path: string, rest = "") =>
    `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n${rest}\r\n{`;
  async function session(): Promise<string> {
    const client = await say(get(`${SOCKET_IO}=polling`), /"sid":"[^"]+"/);
    const [, sid = ""] = /"sid":"([^"]+)"/.exec(client.rest.toString()) ?? [];
    client.socket.destroy();
    return sid;
  }

  return { fanfare, server, port, sockets, say, get, post, session };
}

type Served = Awaited<ReturnType<typeof serving>>;

const CLOSE = "Connection: close\r\n";
const HANG = "Authorization: Bearer hang\r\n";

/** Each opens something, and then does nothing any more. */
const STUBBORN: [string, (served: Served) => Promise<unknown>][] = [
  [
    "a WebSocket that does not answer the close frame",
    async ({ say, port }) => {
      const client = await say(upgradeRequest(port));
      client.socket.write(textFrame({ type: "connect" }));
    },
  ],
  ["a WebSocket that has not said connect", ({ say, port }) => say(upgradeRequest(port))],
  [
    "a WebSocket of which it is not known who it is",
    async ({ say, port }) => {
      const client = await say(upgradeRequest(port));
      client.socket.write(textFrame({ type: "connect", token: "hang" }));
    },
  ],
  [
    "a Socket.IO client that does not answer the close frame",
    async ({ say, port }) => {
      const client = await say(upgradeRequest(port, `${SOCKET_IO}=websocket`));
      client.socket.write(clientFrame(OPCODE.text, "40"));
      await until(() => client.frames.arrived >= 2, "the Socket.IO connection");
    },
  ],
  [
    "a Socket.IO client that has not connected",
    ({ say, port }) => say(upgradeRequest(port, `${SOCKET_IO}=websocket`)),
  ],
  [
    "a Socket.IO client of which it is not known who it is",
    async ({ say, port }) => {
      const client = await say(upgradeRequest(port, `${SOCKET_IO}=websocket`));
      client.socket.write(clientFrame(OPCODE.text, '40{"token":"hang"}'));
    },
  ],
  [
    "an upgrade of a polling client that is never finished",
    async ({ say, port, session }) => {
      const client = await say(upgradeRequest(port, `${SOCKET_IO}=websocket&sid=${await session()}`));
      client.socket.write(clientFrame(OPCODE.text, "2probe"));
    },
  ],
  [
    "a client that polls",
    async ({ say, get, session }) => say(get(`${SOCKET_IO}=polling&sid=${await session()}`, CLOSE), null),
  ],
  [
    "a client that polls, and sends half a body",
    async ({ say, post, session }) => say(post(`${SOCKET_IO}=polling&sid=${await session()}`), null),
  ],
  [
    "a stream that is not read",
    async ({ say, get, fanfare }) => {
      const client = await say(get("/push/sse?channel=a"), /connected/);
      client.socket.pause();
      for (let count = 0; count < 300; count++) await fanfare.publish("a", "x".repeat(60_000));
    },
  ],
  ["half a body", ({ say, post }) => say(post("/push/messages"), null)],
  ["half a body that nobody wants", ({ say, post }) => say(post("/push/nothing"))],
  ["a call of which it is not known whose it is", ({ say, get }) => say(get("/push/keys", HANG), null)],
  [
    "a stream of which it is not known whose it is",
    ({ say, get }) => say(get("/push/sse?channel=a", HANG), null),
  ],
  ["a refused upgrade", ({ say, port }) => say(upgradeRequest(port, "/push/nothing"))],
];

describe("a Fanfare that closes is not held by", () => {
  test.each(STUBBORN)("%s", async (_name, open) => {
    const served = await serving();
    await open(served);
    // What was sent before has been read by the time that this is answered.
    (await served.say(served.get("/push/health"))).socket.destroy();
    const began = performance.now();
    await served.fanfare.close({ withinSeconds: WITHIN_MS / 1000 });
    expect(performance.now() - began).toBeLessThan(SOON_MS);
    await until(() => served.sockets.every(({ destroyed }) => destroyed), "the end of every connection");
  });

  test("any of them over TLS, and leaves alone what is the application's", async () => {
    const served = await serving({}, true);
    const idle = await served.say(served.get("/own-idle"));
    const busy = await served.say(served.get("/own"), /under way/);
    const silent = await served.say("", null);
    const kept = await served.say(served.get("/push/health"));
    for (const [, open] of STUBBORN) await open(served);
    const ours = served.sockets.length - 4;
    await served.fanfare.close({ withinSeconds: WITHIN_MS / 1000 });
    await until(() => served.sockets.filter(({ destroyed }) => destroyed).length >= ours, "the end of ours");
    for (const { socket } of [idle, busy, silent, kept]) expect(socket.destroyed).toBe(false);
    const said = once(idle.socket, "data");
    idle.socket.write(served.get("/own-idle"));
    expect(String((await soon(said, "an answer of the application"))[0])).toContain("the application");
    const gone = new Promise((done) => served.server.close(done));
    for (const { socket } of [idle, busy, silent, kept]) socket.destroy();
    await soon(gone, "the end of the server");
  });

  test("any of them when it may wait for no time at all", async () => {
    const served = await serving();
    for (const [, open] of STUBBORN) await open(served);
    const began = performance.now();
    await served.fanfare.close({ withinSeconds: 0 });
    expect(performance.now() - began).toBeLessThan(SOON_MS);
    await until(() => served.sockets.every(({ destroyed }) => destroyed), "the end of every connection");
  });
});

test("an answer that is under way is given the time that there is", async () => {
  let answer = () => {};
  const { fanfare, say, get } = await serving({
    authorize: () =>
      new Promise((known) => {
        answer = () => known({ user: "alice", grants: [{ channels: "**", actions: ["admin"] }] });
      }),
  });
  const client = await say(get("/push/keys", HANG), null);
  const other = await say(get("/push/health"));
  const closing = fanfare.close({ withinSeconds: 60 });
  const refused = once(other.socket, "data");
  other.socket.write(get("/push/health"));
  expect(String((await refused)[0])).toMatch(/^HTTP\/1.1 503 .*connection: close/is);
  const said = once(client.socket, "data");
  answer();
  expect(String((await said)[0])).toMatch(/^HTTP\/1.1 200/);
  await closing;
});

test.each([-1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, "1000", null])(
  "closing within %j is refused, and has not begun",
  async (withinSeconds) => {
    const { fanfare, say, get } = await serving();
    expect(() => fanfare.close({ withinSeconds: withinSeconds as number })).toThrow(
      /withinSeconds is .*\. Give seconds/,
    );
    await say(get("/push/health"), /^HTTP\/1.1 200/);
  },
);
