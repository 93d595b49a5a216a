import { describe, expect, test } from "vitest";
import type { Clock } from "../../packages/server/src/base/clock.js";
import { FakeClock, turns } from "../../packages/server/src/testing/fake-clock.js";
import { Client } from "./client.js";
import { OPCODE, RawClient } from "./raw-client.js";
import { type Serving, serve } from "./serving.js";
import { until } from "./waiting.js";

const MINUTE = 60_000;

async function withClock(options: Parameters<typeof serve>[0] = {}) {
  const clock = new FakeClock();
  return { clock, serving: await serve({ clock, ...options }) };
}

/** Lets time pass second by second; after each, whatever the server asked has been answered. */
async function pass(clock: FakeClock, { sockets }: Serving, ms: number, whenWritten?: () => Promise<void>) {
  for (let passed = 0; passed < ms; passed += 1000) {
    const before = sockets.map(({ bytesWritten }) => bytesWritten);
    clock.advance(1000);
    if (whenWritten && sockets.some(({ bytesWritten }, index) => bytesWritten > (before[index] ?? 0))) {
      await whenWritten();
    }
  }
}

describe("liveness", () => {
  test("a client whose only sign of life is the pong stays for three hours", async () => {
    const { clock, serving } = await withClock();
    const client = await Client.connect(serving.url);
    const [socket] = serving.sockets;
    let pings = 0;
    let seen = socket?.bytesRead ?? 0;
    await pass(clock, serving, 180 * MINUTE, async () => {
      pings++;
      await until(() => (socket?.bytesRead ?? 0) > seen, "the pong has arrived");
      seen = socket?.bytesRead ?? 0;
      await turns(1);
    });
    expect(pings).toBeGreaterThan((180 * MINUTE) / 28_500);
    expect(pings).toBeLessThan((180 * MINUTE) / 22_500);
    await client.alive();
  });

  test("a client that answers nothing is gone after 40 seconds, and not before 39", async () => {
    const { clock, serving } = await withClock();
    const silent = await RawClient.connect(serving.port);
    await pass(clock, serving, 39_000);
    await turns(10);
    expect(serving.fanfare.stats().connections).toBe(1);
    await pass(clock, serving, 1000);
    await silent.closed;
    await until(() => serving.fanfare.stats().connections === 0, "the dead client is forgotten");
    expect(serving.log.about("client is dead")).toHaveLength(1);
    expect(silent.frames.arrived).toBe(2);
  });

  test.each([
    ["a pong that nobody asked for", OPCODE.pong],
    ["a ping", OPCODE.ping],
  ])("%s is a sign of life", async (_, opcode) => {
    const { clientFrame } = await import("./raw-client.js");
    const { clock, serving } = await withClock();
    const client = await RawClient.connect(serving.port);
    for (let round = 0; round < 10; round++) {
      await pass(clock, serving, 35_000);
      const { bytesRead = 0 } = serving.sockets[0] ?? {};
      client.socket.write(clientFrame(opcode));
      await until(() => (serving.sockets[0]?.bytesRead ?? 0) > bytesRead, "the frame has arrived");
      await turns(2);
    }
    expect(serving.fanfare.stats().connections).toBe(1);
  });

  test("no connect within 10 seconds closes with 4408", async () => {
    const { clock, serving } = await withClock();
    const client = await RawClient.open(serving.port);
    clock.advance(9999);
    await turns(10);
    expect(client.frames.arrived).toBe(0);
    clock.advance(1);
    expect(await client.close()).toEqual({ code: 4408, reason: expect.stringContaining("10 seconds") });
  });

  test("half a connect frame is no connect frame", async () => {
    const { textFrame } = await import("./raw-client.js");
    const { clock, serving } = await withClock();
    const client = await RawClient.open(serving.port);
    client.socket.write(textFrame({ type: "connect" }).subarray(0, 12));
    await turns(10);
    clock.advance(10_000);
    expect(await client.close()).toMatchObject({ code: 4408 });
  });

  test("1,000 clients that never say connect are gone after 10 seconds, and another one loses nothing", async () => {
    const { clock, serving } = await withClock();
    const healthy = await Client.connect(serving.url);
    await healthy.subscribe("news");
    const mute: RawClient[] = [];
    for (let tens = 0; tens < 10; tens++) {
      mute.push(...(await Promise.all(Array.from({ length: 100 }, () => RawClient.open(serving.port)))));
    }
    await serving.fanfare.publish("news", 1);
    clock.advance(10_000);
    const codes = await Promise.all(mute.map(async (client) => (await client.close()).code));
    expect(new Set(codes)).toEqual(new Set([4408]));
    await serving.fanfare.publish("news", 2);
    expect(await healthy.offsets(2)).toEqual([1, 2]);
  });

  test("pings are spread: clients that came together are not pinged together", async () => {
    const { clock, serving } = await withClock();
    const clients = await Promise.all(Array.from({ length: 50 }, () => RawClient.connect(serving.port)));
    const pinged: number[] = [];
    for (let second = 1; second <= 30; second++) {
      const before = serving.sockets.map(({ bytesWritten }) => bytesWritten);
      clock.advance(1000);
      for (const [index, { bytesWritten }] of serving.sockets.entries()) {
        if (bytesWritten > (before[index] ?? 0)) pinged.push(second);
      }
    }
    expect(pinged).toHaveLength(clients.length);
    expect(Math.min(...pinged)).toBeGreaterThanOrEqual(22);
    expect(Math.max(...pinged)).toBeLessThanOrEqual(28);
    expect(new Set(pinged).size).toBeGreaterThanOrEqual(4);
  });

  test("one timer looks after all clients", async () => {
    const timers = { after: 0, every: 0 };
    class CountingClock extends FakeClock implements Clock {
      override after(...[ms, call]: Parameters<Clock["after"]>) {
        timers.after++;
        return super.after(ms, call);
      }
      override every(...[ms, call]: Parameters<Clock["every"]>) {
        timers.every++;
        return super.every(ms, call);
      }
    }
    const clock = new CountingClock();
    const serving = await serve({ clock });
    const before = { ...timers };
    const clients = await Promise.all(Array.from({ length: 50 }, () => Client.connect(serving.url)));
    for (const client of clients) await client.subscribe("news");
    for (let round = 0; round < 10; round++) {
      await clock.forward(10_000, 1000);
      await Promise.all(clients.map((client) => client.alive()));
    }
    await serving.fanfare.publish("news", 1);
    await Promise.all(clients.map((client) => client.offsets(1)));
    for (const client of clients) client.vanish();
    await until(() => serving.fanfare.stats().connections === 0, "all are gone");
    expect(timers).toEqual(before);
  });
});

describe("a client that takes nothing", () => {
  /** A client that has stopped reading while much is published, so that its socket is full. */
  async function stuck() {
    const { clock, serving } = await withClock();
    const client = await RawClient.connect(serving.port);
    client.say({ type: "subscribe", request: 1, channel: "big" });
    await client.json("subscribed");
    client.socket.pause();
    const publish = async () => {
      for (let count = 0; count < 10; count++) await serving.fanfare.publish("big", "x".repeat(60_000));
      await turns(2);
    };
    for (let round = 0; round < 50 && serving.fanfare.stats().fullConnections === 0; round++) await publish();
    expect(serving.fanfare.stats().fullConnections).toBe(1);
    // The kernel may still take a little.
    await turns(20);
    return { clock, serving, client, publish };
  }

  test("gets five minutes, counted from the last byte it took", async () => {
    const { clock, serving, client } = await stuck();
    await pass(clock, serving, 299_000);
    await turns(10);
    expect(serving.fanfare.stats().connections).toBe(1);
    await pass(clock, serving, 1000);
    await until(() => serving.fanfare.stats().connections === 0, "the stuck client is forgotten");
    expect(serving.log.about("client is dead")).toMatchObject([
      { fields: { silentMs: 300_000, waitingBytes: expect.any(Number) } },
    ]);
    client.socket.resume();
    await client.closed;
  });

  test("is dead after five minutes even when it goes on sending", async () => {
    const { clock, serving, client } = await stuck();
    for (let passed = 0; passed < 300_000; passed += 15_000) {
      const [{ bytesRead = 0 } = {}] = serving.sockets;
      client.say({ type: "ping" });
      await until(() => (serving.sockets[0]?.bytesRead ?? 0) > bytesRead, "the ping has arrived");
      await pass(clock, serving, 15_000);
    }
    await until(() => serving.fanfare.stats().connections === 0, "the stuck client is forgotten");
  });

  test("stays when it takes what waits every four minutes", async () => {
    const { clock, serving, client, publish } = await stuck();
    for (let round = 0; round < 3; round++) {
      await pass(clock, serving, 240_000);
      client.socket.resume();
      await until(() => serving.fanfare.stats().fullConnections === 0, "it has taken what waited");
      client.socket.pause();
      for (let some = 0; some < 50 && serving.fanfare.stats().fullConnections === 0; some++) await publish();
      expect(serving.fanfare.stats().connections).toBe(1);
    }
  });

  test("is given time for a sign of life once it takes what waited", async () => {
    const { clock, serving, client } = await stuck();
    await pass(clock, serving, 120_000);
    client.socket.resume();
    await until(() => serving.fanfare.stats().fullConnections === 0, "it has taken all");
    await turns(20);
    await pass(clock, serving, 35_000);
    await turns(20);
    expect(serving.fanfare.stats().connections).toBe(1);
    client.say({ type: "ping" });
    await client.json("pong");
  });

  test("does not see a close frame in time: after two seconds its socket is destroyed, which is logged once", async () => {
    const { clock, serving, client } = await stuck();
    client.say("garbage");
    await until(() => serving.fanfare.stats().connections === 0, "the client has left the hub");
    await pass(clock, serving, 1000);
    await turns(10);
    expect(serving.sockets[0]?.destroyed).toBe(false);
    await pass(clock, serving, 2000);
    expect(serving.sockets[0]?.destroyed).toBe(true);
    await pass(clock, serving, 60_000);
    expect(serving.log.about("did not take the close frame")).toHaveLength(1);
    client.socket.resume();
    await client.closed;
  });

  test("and leaves by itself is gone within seconds, too, and its session with it", async () => {
    const { clientFrame } = await import("./raw-client.js");
    const { clock, serving, client } = await stuck();
    client.socket.write(clientFrame(OPCODE.close, Buffer.from([1000 >> 8, 1000 & 255])));
    await turns(20);
    await pass(clock, serving, 3000);
    await until(() => serving.fanfare.stats().connections === 0, "the client is forgotten");
    expect(serving.sockets[0]?.destroyed).toBe(true);
  });

  test("and ends its half of the connection is gone within seconds", async () => {
    const { clock, serving, client } = await stuck();
    client.socket.end();
    await until(() => serving.fanfare.stats().connections === 0, "the client has left the hub");
    await pass(clock, serving, 3000);
    expect(serving.sockets[0]?.destroyed).toBe(true);
  });
});
