/** A server that is told to stop beside clients that do not go: its port and its folder are free in time. */
import { expect, test } from "vitest";
import { clientFrame, OPCODE, RawClient, textFrame, upgradeRequest } from "../doors/raw-client.js";
import { until } from "../doors/waiting.js";
import { Command, dataDir } from "./command.js";

const SHUTDOWN_SECONDS = 1;
/** With the time that a process takes to end on a busy machine; a library's own deadline is 30 seconds. */
const ENDS_WITHIN_MS = 10_000;

async function start(env: Record<string, string>, port: number) {
  const command = new Command(["start", "--port", String(port)], env);
  const [, found = ""] = await command.says(/Health {5}http:\/\/127.0.0.1:(\d+)/);
  await command.says(/curl .*\n\n/);
  return { command, port: Number(found) };
}

/** Clients of every kind, of which none goes by itself. */
async function stubborn(port: number): Promise<void> {
  const clients: RawClient[] = [];
  const say = async (text: string) => {
    const client = await RawClient.dial(port);
    clients.push(client);
    client.socket.write(text);
    return client;
  };
  const post = (path: string) => `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{`;
  const webSocket = await say(upgradeRequest(port));
  webSocket.socket.write(textFrame({ type: "connect" }));
  const socketIo = await say(upgradeRequest(port, "/socket.io/?EIO=4&transport=websocket"));
  socketIo.socket.write(clientFrame(OPCODE.text, "40"));
  await say("GET /push/sse?channel=a HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await until(() => clients.every(({ head }) => head !== null), "all connections");
  await say(upgradeRequest(port, "/elsewhere"));
  await say("GET /push/health HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await say(post("/push/nothing"));
  await say(post("/push/channels/a/messages"));
  await say("");
  await say("GET /push/he");
}

test("fanfare start ends within shutdownSeconds, and another can take its place at once", async () => {
  const env = {
    ...dataDir(),
    FANFARE_API_KEY: "0123456789abcdef-secret",
    FANFARE_SHUTDOWN_SECONDS: String(SHUTDOWN_SECONDS),
    FANFARE_SOCKETIO_PATH: "/socket.io",
  };
  const { command, port } = await start(env, 0);
  await stubborn(port);
  const told = performance.now();
  command.kill("SIGTERM");
  expect((await command.end()).code).toBe(0);
  expect(performance.now() - told).toBeLessThan(SHUTDOWN_SECONDS * 1000 + ENDS_WITHIN_MS);

  const { command: successor } = await start(env, port);
  expect((await fetch(`http://127.0.0.1:${port}/push/health`)).status).toBe(200);
  await stubborn(port);
  // At the second signal it waits for nobody.
  successor.kill("SIGTERM");
  await successor.says(/stopping/, "stderr");
  successor.kill("SIGTERM");
  expect((await successor.end()).code).toBe(1);
});

test("fanfare start that is told to stop before it runs ends at once, and its folder is free", async () => {
  const env = { ...dataDir(), FANFARE_API_KEY: "0123456789abcdef-secret" };
  const command = new Command(["start", "--port", "0"], env);
  await command.says(/memory: what there is/, "stderr");
  command.kill("SIGTERM");
  expect((await command.end()).code).toBe(0);
  const { command: successor } = await start(env, 0);
  successor.kill("SIGTERM");
  expect((await successor.end()).code).toBe(0);
});

test("fanfare start that is told to read its configuration anew before it runs does so when it does", async () => {
  const env = { ...dataDir(), FANFARE_API_KEY: "0123456789abcdef-secret" };
  const command = new Command(["start", "--port", "0"], env);
  await command.says(/memory: what there is/, "stderr");
  command.kill("SIGHUP");
  await command.says(/SIGHUP: nothing to change/, "stderr");
});
