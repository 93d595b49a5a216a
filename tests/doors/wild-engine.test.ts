/** An engine that somebody else has written, and that fails in every way: it ends neither the process nor what goes on beside it. */
import { expect, onTestFinished, test } from "vitest";
import { MemoryEngine } from "../../packages/server/src/engine/memory/memory-engine.js";
import { FakeClock, turns } from "../../packages/server/src/testing/fake-clock.js";
import { FakeMemory } from "../../packages/server/src/testing/fake-memory.js";
import { MOODS, wildEngine } from "../../packages/server/src/testing/wild-engine.js";
import { post } from "../library/serve.js";
import { Client } from "./client.js";
import { EventStream } from "./event-stream.js";
import { serve } from "./serving.js";
import { connect } from "./socketio-client.js";

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
  let answered = false;
  const asking = Promise.all([
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
  ]).finally(() => (answered = true));
  // Those that it never answers are given up, by the clock.
  while (!answered) await clock.forward(500);
  const answers = await asking;
  for (const answer of answers) expect(answer.status).toBeLessThan(600);
  const calls = Promise.allSettled([
    fanfare.publish("room", 1),
    fanfare.sequences.next("invoices"),
    fanfare.locks.acquire("fourth"),
  ]);
  await clock.forward(7000, 500);
  await calls;
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
  // Silence is no failure of a callback.
  if (mood !== "never answers") expect(text).toMatch(/callback_failures_total\{caller="background"\} [1-9]/);
  expect(found).toEqual([]);
});

test("calls that an engine never answers are refused within seconds, all that wait for each other at once, and health says so", async () => {
  const clock = new FakeClock();
  const wild = wildEngine(new MemoryEngine({ clock }));
  const { fanfare, http, url } = await serve({ access: "open", engine: wild.engine, clock });
  const client = await Client.connect(url);
  wild.mood = "never answers";
  const patch = () =>
    fetch(`${http}/channels/room/state`, {
      method: "PATCH",
      body: "{}",
      headers: { "Content-Type": "application/merge-patch+json" },
    });
  let left = 0;
  const over = <Answer>(asked: Promise<Answer>) => {
    left++;
    return asked.finally(() => left--);
  };
  const asked = Promise.all([
    over(post(`${http}/channels/other/messages`, { data: 1 })),
    ...Array.from({ length: 30 }, () => over(patch())),
  ]);
  const frames = Array.from({ length: 30 }, (_, index) =>
    over(client.ask({ type: "next", name: "n", id: `${index}` })),
  );
  const since = clock.monotonic();
  while (wild.calls < 3) await turns();
  const called = fanfare.publish("other", 1);
  const refusal = expect(called).rejects.toMatchObject({ code: "unavailable", retryAfterSeconds: 1 });
  while (left > 0) await clock.forward(100);
  expect(clock.monotonic() - since).toBeLessThan(15_000);
  await refusal;
  for (const answer of await asked) expect(answer.status).toBe(503);
  for (const answer of await Promise.all(frames)) expect(answer).toMatchObject({ code: "unavailable" });
  const health = await fetch(`${http}/health`);
  expect([health.status, await health.json()]).toEqual([503, { status: "silent" }]);
  wild.mood = "is as it should be";
  await clock.forward(20_000, 500);
  expect((await fetch(`${http}/health`)).status).toBe(200);
  expect(await fanfare.publish("other", 1)).toMatchObject({ offset: 1 });
});
