/**
 * Follows messages from `POST` to the WebSocket of a subscriber, in a process of its own, and prints as JSON which files of the server run
 * for each. Runs what was compiled. Code that V8 has put into its callers is counted as well.
 */
import { once } from "node:events";
import { Agent, createServer, request } from "node:http";
import { Session } from "node:inspector/promises";
import { createFanfare } from "fanfare";
import { WebSocket } from "ws";

const WARM_UP = 20;
/** Messages that are followed. */
const COUNT = 10;
const SERVER = /packages\/server\/dist\/(.*)\.js$/;

const fanfare = createFanfare({ access: "open" });
const server = createServer();
fanfare.attach(server);
await once(server.listen(0, "127.0.0.1"), "listening");
const address = server.address();
if (address === null || typeof address === "string") throw new Error("the server has no port");
const { port } = address;

const subscriber = new WebSocket(`ws://127.0.0.1:${port}/push`, "fanfare.v1");
await once(subscriber, "open");
subscriber.send(JSON.stringify({ type: "connect" }));
await once(subscriber, "message");
subscriber.send(JSON.stringify({ type: "subscribe", request: 1, channel: "news" }));
await once(subscriber, "message");

const agent = new Agent({ keepAlive: true, maxSockets: 1 });

/** Posts a message, and waits until the publisher has its answer and the subscriber the message. */
async function publish() {
  const heard = once(subscriber, "message");
  const path = "/push/channels/news/messages";
  const headers = { "content-type": "application/json" };
  const posted = request({ agent, port, path, method: "POST", headers });
  posted.end(JSON.stringify({ event: "hello", data: { text: "world" } }));
  const [answer] = await once(posted, "response");
  answer.resume();
  await once(answer, "end");
  if (answer.statusCode !== 201) throw new Error(`the answer was ${answer.statusCode}`);
  await heard;
}

for (let count = 0; count < WARM_UP; count++) await publish();

const session = new Session();
session.connect();
await session.post("Profiler.enable");
await session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: false });
/** The files of the server that ran since it was asked last. */
async function ran() {
  const { result } = await session.post("Profiler.takePreciseCoverage");
  const files = result.map(({ url, functions }) => {
    const [, file] = SERVER.exec(url) ?? [];
    return functions.some(({ ranges }) => ranges.some(({ count }) => count > 0)) ? file : undefined;
  });
  return new Set(files.flatMap((file) => (file === undefined ? [] : [`${file}.ts`])));
}

// A timer runs for some of them: only files that run for each count.
await ran();
await publish();
let each = await ran();
for (let count = 1; count < COUNT; count++) {
  await publish();
  const now = await ran();
  each = new Set([...each].filter((file) => now.has(file)));
}
console.log(JSON.stringify([...each].sort()));
process.exit();
