import { describe, expect, test } from "vitest";
import { FakeClock, turns } from "../../packages/server/src/testing/fake-clock.js";
import { Client, refused } from "./client.js";
import { RawClient } from "./raw-client.js";
import { serve } from "./serving.js";
import { until } from "./waiting.js";

describe("a server that stops", () => {
  test("says goodbye to each client with another time to come back, and closes with 1012", async () => {
    const { url, fanfare } = await serve();
    const clients: Client[] = [];
    for (let round = 0; round < 10; round++) {
      clients.push(...(await Promise.all(Array.from({ length: 30 }, () => Client.connect(url)))));
    }
    await fanfare.close();
    const closed = await Promise.all(clients.map((client) => client.closed));
    expect(new Set(closed.map(({ code }) => code))).toEqual(new Set([1012]));
    const waits = clients.map(({ heard }) => {
      const last = heard.at(-1);
      return last?.type === "goodbye" ? last.retryAfterSeconds : Number.NaN;
    });
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(0.2);
    expect(Math.max(...waits)).toBeLessThanOrEqual(31.2);
    expect(new Set(waits).size).toBeGreaterThan(60);
    expect(fanfare.stats().connections).toBe(0);
  });

  test("sends clients away a few at a time", async () => {
    const clock = new FakeClock();
    const { url, fanfare } = await serve({ clock });
    const clients: Client[] = [];
    for (let round = 0; round < 10; round++) {
      clients.push(...(await Promise.all(Array.from({ length: 20 }, () => Client.connect(url)))));
    }
    let closed = 0;
    for (const client of clients) void client.closed.then(() => closed++);
    const closing = fanfare.close();
    await until(() => closed > 0, "the first are sent away");
    await turns(20);
    expect(closed).toBeLessThan(20);
    clock.advance(20);
    await until(() => closed > 90, "half of them are sent away");
    await turns(20);
    expect(closed).toBeLessThan(120);
    clock.advance(20);
    await closing;
    await until(() => closed === 200, "all are sent away");
  });

  test("refuses new clients with 503 while the others leave", async () => {
    const { url, fanfare, port } = await serve({ clock: new FakeClock() });
    const stays = await RawClient.connect(port);
    stays.socket.pause();
    const closing = fanfare.close();
    const { status, headers, problem } = await refused(url);
    expect(status).toBe(503);
    expect(headers["retry-after"]).toBe("1");
    expect(problem.code).toBe("unavailable");
    stays.socket.destroy();
    await closing;
  });

  test("delivers what was published before", async () => {
    const { url, fanfare } = await serve({ rules: [{ channels: "slow", maxRate: 0.1 }] });
    const client = await Client.connect(url);
    await client.subscribe("slow");
    await fanfare.publish("slow", 1);
    expect(await client.offsets(1)).toEqual([1]);
    await fanfare.publish("slow", 2);
    await fanfare.close();
    expect(await client.offsets(1)).toEqual([2]);
  });

  test("waits for clients that take their time, and resolves when the last is gone", async () => {
    const { url, fanfare, port } = await serve({ clock: new FakeClock() });
    const quick = await Client.connect(url);
    const takesTime = await RawClient.connect(port);
    let over = false;
    const closing = fanfare.close().then(() => {
      over = true;
    });
    expect(await quick.closed).toMatchObject({ code: 1012 });
    await takesTime.json("goodbye");
    await turns(20);
    expect(over).toBe(false);
    takesTime.socket.end();
    await closing;
  });

  test("cuts off after withinSeconds who is still there", async () => {
    const clock = new FakeClock();
    const { fanfare, port, log } = await serve({ clock });
    // Clients that take the goodbye and never answer the close frame.
    const stuck = await Promise.all(Array.from({ length: 5 }, () => RawClient.connect(port)));
    const closing = fanfare.close({ withinSeconds: 1.5 });
    await Promise.all(stuck.map((client) => client.close()));
    clock.advance(1499);
    await turns(20);
    expect(stuck.some(({ socket }) => socket.destroyed)).toBe(false);
    clock.advance(1);
    await closing;
    await Promise.all(stuck.map((client) => client.closed));
    expect(log.about("cut off")).toMatchObject([{ fields: { connections: 5 } }]);
  });

  test("is gone at once when nobody is there, and may be told twice", async () => {
    const { fanfare } = await serve({ clock: new FakeClock() });
    const closing = fanfare.close();
    expect(fanfare.close()).toBe(closing);
    await closing;
  });

  test("sends clients away that have not said connect, without a goodbye", async () => {
    const { fanfare, url } = await serve();
    const client = await Client.open(url);
    await fanfare.close();
    expect(await client.closed).toMatchObject({ code: 1012 });
    expect(client.heard).toEqual([]);
  });
});
