/** Somebody does as much as he can from one address; somebody else at another goes on as if nothing were. */
import { describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import type { FanfareOptions } from "../../packages/server/src/index.js";
import { Client } from "../doors/client.js";
import { serve } from "../doors/serving.js";
import { ask, connect, type ShownError } from "../doors/socketio-client.js";
import { post } from "../library/serve.js";

const from = (address: string) => ({ headers: { "X-Forwarded-For": address } });

async function serving(options: FanfareOptions = {}) {
  const served = await serve({ access: "open", trustedProxies: ["127.0.0.1", "::1"], ...options });
  const victim = await Client.connect(served.url, from("192.0.2.2"));
  await victim.subscribe("a");
  /** Everything that is published meanwhile comes, in order, and the victim may still do all. */
  const unharmed = async (count: number) => {
    const first = (await served.fanfare.position("a")).offset + 1;
    for (let message = 0; message < count; message++) await served.fanfare.publish("a", message);
    expect(await victim.offsets(count)).toEqual(Array.from({ length: count }, (_, index) => first + index));
    expect(await victim.ask({ type: "publish", channel: "b", data: 1 })).toMatchObject({ type: "ok" });
    await victim.alive();
    await Client.connect(served.url, from("192.0.2.3"));
  };
  return { ...served, unharmed };
}

describe("a flood from one address", () => {
  test("of connections is refused beyond the rate", async () => {
    const { url, fanfare, unharmed } = await serving();
    const before = fanfare.stats().connections;
    const statuses = new Map<number, number>();
    const attempt = () =>
      new Promise<void>((done) => {
        const ws = new WebSocket(url, "fanfare.v1", from("192.0.2.1"));
        const ended = (status: number) => {
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
          ws.terminate();
          done();
        };
        ws.once("open", () => ended(101));
        ws.once("unexpected-response", (_request, answer) => ended(answer.statusCode ?? 0));
        ws.on("error", () => {});
      });
    for (let round = 0; round < 24; round++) await Promise.all(Array.from({ length: 50 }, attempt));
    expect([...statuses]).toEqual([
      [101, 1000],
      [429, 200],
    ]);
    await unharmed(10);
    expect(fanfare.stats().connections).toBe(before + 1);
  });

  test.each([
    ["streams of events", "/push/sse?channel=a"],
    ["connections of Socket.IO", "/socket.io/?EIO=4&transport=polling"],
  ])("of %s is refused beyond the rate", async (_, path) => {
    const { port, unharmed } = await serving({ socketio: {}, rates: { connectsPerAddress: 20 } });
    const ended = new AbortController();
    const statuses = await Promise.all(
      Array.from({ length: 30 }, async () => {
        const { status } = await fetch(`http://localhost:${port}${path}`, {
          ...from("192.0.2.1"),
          signal: ended.signal,
        });
        return status;
      }),
    );
    expect(statuses.sort()).toEqual([...Array(20).fill(200), ...Array(10).fill(429)]);
    await unharmed(10);
    ended.abort();
  });

  test("of frames is refused beyond the rate, and each is answered", async () => {
    const { url, unharmed } = await serving();
    const flooding = await Client.connect(url, from("192.0.2.1"));
    for (let request = 1; request <= 5000; request++)
      flooding.say({ type: "unsubscribe", request, channel: "a" });
    await unharmed(10);
    const answers = await flooding.answers.take(5000);
    const refused = answers.filter((answer) => "code" in answer && answer.code === "rate_limited");
    expect(refused.length).toBeGreaterThan(2000);
    expect(new Set(answers.map(({ request }) => request)).size).toBe(5000);
  });

  test("of events over Socket.IO is refused beyond the rate, and each is answered", async () => {
    const { http, unharmed } = await serving({ socketio: {}, rates: { framesPerConnection: 50 } });
    const flooding = await connect(new URL(http).origin, {
      extraHeaders: { "X-Forwarded-For": "192.0.2.1" },
    });
    const answers = await Promise.all(
      Array.from({ length: 200 }, () => ask<{ error?: ShownError } | null>(flooding, "unsubscribe", "a")),
    );
    const refused = answers.filter((answer) => answer?.error?.data.code === "rate_limited");
    expect(refused.length).toBeGreaterThanOrEqual(140);
    await unharmed(10);
  });

  test("of frames that are none is closed at once", async () => {
    const { url, unharmed } = await serving();
    for (let count = 0; count < 20; count++) {
      const flooding = await Client.connect(url, from("192.0.2.1"));
      flooding.say("{".repeat(1000));
      expect(await flooding.closed).toMatchObject({ code: 4400 });
    }
    await unharmed(10);
  });

  test("of publishes over HTTP is refused beyond the rate", async () => {
    const { http, fanfare, unharmed } = await serving();
    const messages = Array.from({ length: 1000 }, () => ({ channel: "flood", data: 1 }));
    const publish = async () =>
      (await post(`${http}/messages`, { messages }, { "X-Forwarded-For": "192.0.2.1" })).status;
    for (let count = 0; count < 5; count++) expect(await publish()).toBe(200);
    expect(await publish()).toBe(429);
    expect((await fanfare.position("flood")).offset).toBe(5000);
    await unharmed(10);
  });
});

describe("a token of a megabyte", () => {
  const token = `${"x".repeat(350_000)}.${"y".repeat(350_000)}.${"z".repeat(350_000)}`;

  test("is refused on every way in, and costs nobody else anything", async () => {
    const { http, url, unharmed, log } = await serving();
    // Node reads no header of this size.
    expect((await fetch(`${http}/keys`, { headers: { Authorization: `Bearer ${token}` } })).status).toBe(431);
    expect((await post(`${http}/access/explain`, { action: "admin", token })).status).toBe(413);
    const client = await Client.open(url, from("192.0.2.1"));
    client.say({ type: "connect", token });
    expect((await client.closed).code).toBe(1009);
    await unharmed(10);
    expect(JSON.stringify(log.lines).length).toBeLessThan(10_000);
  });
});
