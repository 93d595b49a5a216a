/** Messages that do not come whole: all of them share a bound with the bodies of requests, at each door that reads WebSockets. */
import { describe, expect, test } from "vitest";
import { FakeClock } from "../../packages/server/src/testing/fake-clock.js";
import { clientFrame, OPCODE, RawClient, upgradeRequest } from "./raw-client.js";
import { type Serving, serve } from "./serving.js";
import { until } from "./waiting.js";

const LIMITS = { limits: { bodyBytes: 1_000_000 }, trustedProxies: ["127.0.0.1", "::1"] };
const PIECE = clientFrame(OPCODE.text, "x".repeat(65_000)).subarray(0, 60_000);

/** A client of this address that has said the first words of its protocol. */
type Opening = (serving: Serving, address: string) => Promise<RawClient>;

async function upgraded({ port }: Serving, address: string, path?: string): Promise<RawClient> {
  const client = await RawClient.dial(port);
  client.socket.write(upgradeRequest(port, path, [`X-Forwarded-For: ${address}`]));
  await until(() => client.head !== null, "the answer to an upgrade");
  return client;
}

const doors: [string, Opening, (client: RawClient) => Promise<unknown>][] = [
  ["WebSocket", (serving, address) => upgraded(serving, address), closedAs],
  [
    "WebSocket that is connected",
    async (serving, address) => {
      const client = await upgraded(serving, address);
      client.say({ type: "connect" });
      await client.json("connected");
      return client;
    },
    closedAs,
  ],
  [
    "Socket.IO",
    async (serving, address) => {
      const client = await upgraded(serving, address, "/socket.io/?EIO=4&transport=websocket");
      client.socket.write(clientFrame(OPCODE.text, "40"));
      await client.frames.nextThat(({ payload }) => payload.toString().startsWith("40"));
      return client;
    },
    async (client) => {
      const { payload } = await client.frames.nextThat(({ payload }) =>
        payload.toString().includes("goodbye"),
      );
      return payload.toString();
    },
  ],
  [
    "Socket.IO that leaves polling",
    async (serving, address) => {
      const headers = { "X-Forwarded-For": address };
      const polling = `http://localhost:${serving.port}/socket.io/?EIO=4&transport=polling`;
      const opened = await (await fetch(polling, { headers })).text();
      const { sid } = JSON.parse(opened.slice(1));
      return upgraded(serving, address, `/socket.io/?EIO=4&transport=websocket&sid=${sid}`);
    },
    async (client) => client.closed.then(() => "come whole"),
  ],
];

async function closedAs(client: RawClient): Promise<string> {
  const { code, reason } = await client.close();
  return `${code} ${reason}`;
}

async function bytesIn({ http }: Serving): Promise<number> {
  const text = await (await fetch(`${http}/metrics`)).text();
  return Number(/^fanfare_body_bytes (\d+)$/m.exec(text)?.[1]);
}

/** Others are sent away earlier, since they do not say who they are. */
const CONNECTED = new Set(["WebSocket that is connected", "Socket.IO"]);

describe.each(doors)("by %s", (_name, open, ending) => {
  test("messages that have not come whole share a bound: a client beyond it has to go, and others go on", async () => {
    const serving = await serve({ ...LIMITS, access: "open", socketio: {} });
    const all: RawClient[] = [];
    for (let each = 0; each < 20; each++) all.push(await open(serving, `192.0.2.${each}`));
    for (const client of all) client.socket.write(PIECE);
    expect(await Promise.race(all.map(ending))).toContain("come whole");
    const bytes = await bytesIn(serving);
    expect(bytes).toBeGreaterThan(500_000);
    expect(bytes).toBeLessThanOrEqual(1_000_000);
    const late = await open(serving, "192.0.2.99");
    late.socket.write(clientFrame(OPCODE.ping, "a"));
    await late.frames.nextThat(({ opcode }) => opcode === OPCODE.pong);
    for (const client of all) client.socket.destroy();
    await expect.poll(() => bytesIn(serving)).toBe(0);
  });

  test("one address has a quarter of it", async () => {
    const serving = await serve({ ...LIMITS, access: "open", socketio: {} });
    const mine = await Promise.all(Array.from({ length: 5 }, () => open(serving, "192.0.2.1")));
    const other = await open(serving, "192.0.2.2");
    for (const client of mine) client.socket.write(PIECE);
    expect(await Promise.race(mine.map(ending))).toBeTruthy();
    expect(await bytesIn(serving)).toBeLessThanOrEqual(250_000);
    other.socket.write(PIECE);
    await expect.poll(() => bytesIn(serving)).toBeGreaterThan(250_000);
  });
});

describe.each(doors.filter(([name]) => CONNECTED.has(name)))("by %s", (_name, open, ending) => {
  test("a message has 30 seconds to come whole", async () => {
    const clock = new FakeClock();
    const serving = await serve({ ...LIMITS, access: "open", socketio: {}, clock });
    const client = await open(serving, "192.0.2.1");
    const ended = ending(client);
    client.socket.write(PIECE);
    await expect.poll(() => bytesIn(serving)).toBeGreaterThan(50_000);
    // It goes on sending, so that it is not taken for dead.
    let isEnded = false;
    void ended.then(() => (isEnded = true));
    for (let seconds = 0; seconds < 40 && !isEnded; seconds++) {
      client.socket.write("x");
      await clock.forward(1000, 100);
    }
    expect(await ended).toContain("come whole");
    expect(await bytesIn(serving)).toBe(0);
  });
});
