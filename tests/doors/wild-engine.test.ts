/** An engine that somebody else has written, and that fails in every way: it ends neither the process nor what goes on beside it. */
import { expect, onTestFinished, test } from "vitest";
import { MemoryEngine } from "../../packages/server/src/engine/memory/memory-engine.js";
import { FakeClock } from "../../packages/server/src/testing/fake-clock.js";
import { FakeMemory } from "../../packages/server/src/testing/fake-memory.js";
import { MOODS, wildEngine } from "../../packages/server/src/testing/wild-engine.js";
import { post } from "../library/serve.js";
import { Client } from "./client.js";
import { EventStream } from "./event-stream.js";
import { serve } from "./serving.js";
import { connect } from "./socketio-client.js";
import { soon } from "./waiting.js";

const MiB = 2 ** 20;

/** What nobody caught, from now to the end of the test. */
function uncaught(): unknown[] {
  const found: unknown[] = [];
  const keep = (error: unknown) => void found.push(error);
  process.on("unhandledRejection", keep);
  process.on("uncaughtExceptionMonitor", keep);
  onTestFinished(() => {
    process.off("unhandledRejection", keep);
    process.off("uncaughtExceptionMonitor", keep);
  });
  return found;
}

test.each(MOODS)("an engine that %s ends neither the process nor what others do", async (mood) => {
  const found = uncaught();
  const clock = new FakeClock();
  const wild = wildEngine(new MemoryEngine({ clock }));
  const memory = new FakeMemory({ heapBytes: 100 * MiB, outsideBytes: 100 * MiB }, 20 * MiB);
  const rules = [{ channels: "room", presence: true }];
  const { fanfare, http, url, port } = await serve({
    access: "open",
    engine: wild.engine,
    clock,
    memory,
    rules,
    socketio: {},
  });
  const site = `http://localhost:${port}`;
  const listener = await Client.connect(url);
  await listener.subscribe("beside");
  const stream = await EventStream.open(`${http}/sse?channel=beside`);
  await stream.next("subscribed");
  const io = await connect(site, { auth: { channels: ["beside"] } });
  await io.heard.nextThat(({ event }) => event === "subscribed");
  const busy = await Client.open(url);
  const { session } = await busy.connect();
  await busy.subscribe("room");
  await busy.ask({ type: "lock", name: "first", leaseSeconds: 5 });
  await busy.ask({ type: "next", name: "invoices" });

  wild.mood = mood;
  let request = 100;
  const frames = [
    { type: "publish", channel: "room", data: 1 },
    { type: "patch", channel: "room", patch: { a: 1 } },
    { type: "lock", name: "second" },
    { type: "unlock", name: "first", token: 1 },
    { type: "next", name: "invoices" },
    { type: "next", name: "invoices", id: "k" },
    { type: "subscribe", channel: "other" },
  ];
  const frantic = await Promise.all(frames.map(() => Client.open(url)));
  for (const [index, client] of frantic.entries()) {
    client.say({ type: "connect", ...(index === 0 && { session }) });
    client.say({ request: ++request, ...frames[index] });
  }
  for (const frame of frames) busy.say({ request: ++request, ...frame });
  const json = (method: string, path: string, body: object = {}) =>
    fetch(`${http}${path}`, {
      method,
      ...(method !== "GET" && {
        body: JSON.stringify(body),
        headers: { "Content-Type": "application/json" },
      }),
    });
  // It waits for other nodes, by the clock.
  const disconnect = json("DELETE", "/connections/nobody");
  const answers = await soon(
    Promise.all([
      post(`${http}/channels/room/messages`, { data: 1 }),
      post(`${http}/messages`, { messages: [{ channel: "room", data: 1 }] }),
      json("GET", "/channels/room/messages"),
      json("GET", "/channels/room/state"),
      json("PATCH", "/channels/room/state", { a: 1 }),
      json("GET", "/channels"),
      json("GET", "/owners"),
      json("GET", "/channels/room/presence"),
      json("DELETE", "/channels/gone"),
      json("PUT", "/locks/third"),
      json("GET", "/locks/third"),
      json("POST", "/sequences/invoices/next"),
      json("GET", "/sequences/invoices"),
      json("DELETE", "/users/alice"),
      json("GET", "/health"),
      json("GET", "/metrics"),
    ]),
    "all answers",
  );
  for (const answer of answers) expect(answer.status).toBeLessThan(600);
  await Promise.allSettled([
    fanfare.publish("room", 1),
    fanfare.sequences.next("invoices"),
    fanfare.locks.acquire("fourth"),
  ]);
  const other = await connect(site, { auth: { channels: ["room"] } }).catch(() => null);
  other?.socket.disconnect();
  for (const client of frantic) client.ws.terminate();
  await clock.forward(15_000, 500);
  memory.collect(30 * MiB);
  expect((await disconnect).status).toBeLessThan(600);
  expect(wild.calls).toBeGreaterThan(20);

  wild.mood = "is as it should be";
  await clock.forward(10_000, 500);
  await fanfare.publish("beside", "after");
  expect(await listener.deliveries.nextThat(() => true)).toMatchObject({ data: "after" });
  expect((await stream.deliveries.next()).data).toContain("after");
  await io.heard.nextThat(({ args }) => JSON.stringify(args).includes("after"));
  const late = await Client.connect(url);
  await late.subscribe("room");
  expect(await late.ask({ type: "next", name: "invoices" })).toMatchObject({ type: "ok" });
  expect(await late.ask({ type: "lock", name: "fifth" })).toMatchObject({ type: "ok" });
  expect(await late.ask({ type: "publish", channel: "room", data: 2 })).toMatchObject({ type: "ok" });
  expect(await late.deliveries.nextThat(() => true)).toMatchObject({ data: 2 });
  const text = await (await fetch(`${http}/metrics`)).text();
  expect(text).toMatch(/callback_failures_total\{caller="background"\} [1-9]/);
  expect(found).toEqual([]);
});
