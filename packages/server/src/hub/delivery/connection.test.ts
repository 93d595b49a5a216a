import { FanfareError, parseChannelName } from "@fanfare/protocol";
import { expect, test } from "vitest";
import { aHub, until } from "../../testing/a-hub.js";
import { turns } from "../../testing/fake-clock.js";
import { type FakeSubscriber, line } from "../../testing/fake-subscriber.js";
import { ScriptedEngine } from "../../testing/scripted-engine.js";
import { PAGE_BYTES } from "../log/page.js";
import type { Batch } from "./subscription.js";

const NEWS = parseChannelName("news");
const channels = (count: number) => Array.from({ length: count }, (_, index) => `order:${index}`);
const answer = (text: string) => line({ type: "answer", text });
/** Makes it take nothing more until it is read from. */
const fill = (subscriber: FakeSubscriber) => subscriber.connection.answer(answer("full"));
const clogged = { reading: "not", highWaterMark: 1 } as const;

function subscribeAll(subscriber: FakeSubscriber, request: number, names: readonly string[]): void {
  const batch: Batch = { request, unanswered: names.length };
  for (const name of names) {
    subscriber.connection.subscribe(parseChannelName(name), { request, since: undefined, batch });
  }
}

test("answers of one turn are written at its end, in one go", async () => {
  const subscriber = aHub().open();
  subscriber.connection.answer(answer("pong"));
  subscriber.connection.answer(answer("ok"));
  expect(subscriber.story).toEqual([]);
  await turns();
  expect(subscriber.story).toEqual(["pong", "ok"]);
});

test("a client whose socket cannot be written to is ended, and harms no other", async () => {
  const hub = aHub();
  const [broken, other] = [hub.open(), hub.open()];
  const failed: unknown[] = [];
  broken.failedInside = (error) => void failed.push(error);
  const error = new Error("no socket");
  broken.sink.write = () => {
    throw error;
  };
  broken.connection.answer(answer("pong"));
  other.connection.answer(answer("pong"));
  await turns();
  expect(failed).toEqual([error]);
  expect(other.story).toEqual(["pong"]);
});

test("answers that wait for the end of the turn go out before the connection is left", () => {
  const subscriber = aHub().open();
  subscriber.connection.answer(answer("pong"));
  subscriber.connection.leave();
  expect(subscriber.story).toEqual(["pong"]);
});

test("when 64 KiB of answers wait nothing is read from the client, until they are taken", async () => {
  const subscriber = aHub().open(clogged);
  fill(subscriber);
  await turns();
  const sent: string[] = [];
  while (!subscriber.paused) {
    sent.push(`${sent.length} ${"x".repeat(1000)}`);
    subscriber.connection.answer(answer(sent.at(-1) ?? ""));
    expect(sent.length).toBeLessThan(80);
  }
  expect(sent.length * 1034).toBeGreaterThan(64 * 1024);
  expect(subscriber.writes.length).toBe(1);
  subscriber.reading = "at once";
  expect(subscriber.paused).toBe(false);
  expect(subscriber.story).toEqual(["full", ...sent]);
  expect(subscriber.faults).toEqual([]);
});

test("refusals count as answers, though they are not encoded before they are taken", async () => {
  const { open, subscribe } = aHub();
  const subscriber = open(clogged);
  subscribe(subscriber, "news");
  await turns(2);
  fill(subscriber);
  for (let request = 2; request < 300; request++) subscribe(subscriber, "news", undefined, request);
  expect(subscriber.paused).toBe(true);
  expect(subscriber.pauses).toBe(1);
  subscriber.reading = "at once";
  await until(() => !subscriber.paused && subscriber.frames.length === 300);
  expect(subscriber.faults).toEqual([]);
});

test("a batch of 1,000 writes nothing to a full connection, and all of it later", async () => {
  const { open } = aHub();
  const subscriber = open({ reading: "not", highWaterMark: 1000 });
  subscribeAll(subscriber, 7, channels(1000));
  await turns(20);
  expect(subscriber.waitingBytes).toBeLessThan(1000 + 300);
  for (let chunk = 0; subscriber.story.at(-1) !== "ok 7" && chunk < 2000; chunk++) {
    subscriber.read(1);
    await turns();
  }
  expect(subscriber.frames.length).toBe(1001);
  expect(subscriber.mostWaiting).toBeLessThan(1000 + 300);
  expect(subscriber.faults).toEqual([]);
});

test("a batch ends by ok when each channel has been answered, also by an error", async () => {
  const { open, subscribe } = aHub();
  const subscriber = open();
  subscribe(subscriber, "order:1");
  await turns(2);
  subscribeAll(subscriber, 2, channels(3));
  await turns(3);
  expect(subscriber.story.slice(1).sort()).toEqual([
    "error 2 already_subscribed",
    "ok 2",
    "subscribed 0",
    "subscribed 0",
  ]);
  expect(subscriber.story.at(-1)).toBe("ok 2");
});

test("one subscription more than allowed is refused, and after one is given up it is not", async () => {
  const { open, subscribe } = aHub({ limits: { subscriptionsPerConnection: 1000 } });
  const subscriber = open();
  subscribeAll(subscriber, 1, channels(1000));
  await until(() => subscriber.story.includes("ok 1"));
  subscribe(subscriber, "news", undefined, 2);
  await turns(2);
  expect(subscriber.story.at(-1)).toBe("error 2 too_many_subscriptions");
  subscriber.connection.unsubscribe(parseChannelName("order:0"), 3);
  subscribe(subscriber, "news", undefined, 4);
  await turns(3);
  expect(subscriber.story.slice(-2)).toEqual(["ok 3", "subscribed 0"]);
});

test("lagging channels take turns, a page each", async () => {
  const { open, publish, position } = aHub();
  const names = ["a", "b", "c"];
  const since = await Promise.all(names.map((name) => position(name)));
  for (const name of names) await publish(name, ...Array.from({ length: 4 }, () => "x".repeat(40_000)));
  const subscriber = open(clogged);
  for (const [index, name] of names.entries()) {
    const request = { request: index, since: since[index] };
    subscriber.connection.subscribe(parseChannelName(name), request);
  }
  await until(() => subscriber.waitingBytes > 0);
  for (let chunk = 0; subscriber.frames.length < 15 && chunk < 40; chunk++) {
    subscriber.read(1);
    await turns(2);
  }
  const order = subscriber.frames.flatMap((frame) => (frame.type === "message" ? [frame.channel] : []));
  const seen = new Map(names.map((name) => [name, 0]));
  for (const name of order) {
    seen.set(name, (seen.get(name) ?? 0) + 1);
    const counts = [...seen.values()];
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
  }
  expect([...seen.values()]).toEqual([4, 4, 4]);
});

test("a full connection costs its high-water mark, a page and 64 KiB of answers at most", async () => {
  const { open, subscribe, publish, position } = aHub({ rules: [{ channels: "**", history: 1000 }] });
  const highWaterMark = 20_000;
  const subscriber = open({ reading: "not", highWaterMark });
  for (const name of channels(20)) {
    const since = await position(name);
    await publish(name, ...Array.from({ length: 20 }, (_, index) => `${index} ${"x".repeat(9000)}`));
    subscribe(subscriber, name, since);
  }
  for (let turn = 0; turn < 50; turn++) {
    for (const name of channels(20)) await publish(name, "y".repeat(5000));
    if (turn % 5 === 0) subscriber.read(30_000);
    if (!subscriber.paused) subscriber.connection.answer(answer("z".repeat(500)));
    await turns();
  }
  expect(subscriber.mostWaiting).toBeLessThanOrEqual(highWaterMark + PAGE_BYTES);
  const { connection } = subscriber;
  subscriber.reading = "at once";
  await until(() => connection.waiting === 0);
  expect(subscriber.faults).toEqual([]);
});

test("of what is read from the engine, a connection holds one page at most, however many channels lag", async () => {
  const { open, subscribe, publish, position } = aHub();
  const subscriber = open({ reading: "not", highWaterMark: 2000 });
  for (const name of channels(50)) {
    const since = await position(name);
    await publish(name, "x".repeat(10_000));
    subscribe(subscriber, name, since);
  }
  let most = 0;
  for (let turn = 0; subscriber.frames.length < 100 && turn < 1000; turn++) {
    const held = [...subscriber.connection.subscriptions.values()].filter(({ read }) => read !== null);
    most = Math.max(most, held.length);
    if (turn % 4 === 0) subscriber.read(1);
    await turns();
  }
  expect(subscriber.frames.length).toBe(100);
  expect(most).toBe(1);
});

test("after the answer to an unsubscribe no frame of the channel comes, whatever was under way", async () => {
  const { open, subscribe, publish } = aHub();
  const subscriber = open({ reading: "next turn", highWaterMark: 100 });
  subscribe(subscriber, "news");
  await publish("news", 1, 2, 3);
  await turns();
  void publish("news", 4, 5);
  subscriber.connection.unsubscribe(NEWS, 2);
  await publish("news", 6);
  await turns(10);
  expect(subscriber.story.at(-1)).toBe("ok 2");
  expect(subscriber.story).not.toContain("6");
});

test("an unsubscribe before the answer refuses the subscribe, and is itself answered", async () => {
  const { open, subscribe, publish } = aHub();
  const subscriber = open(clogged);
  fill(subscriber);
  subscribe(subscriber, "news");
  subscriber.connection.unsubscribe(NEWS, 2);
  await publish("news", 1);
  subscriber.reading = "at once";
  await turns(3);
  expect(subscriber.story).toEqual(["full", "error 1 not_subscribed", "ok 2"]);
});

test("an unsubscribe while the engine is being asked leaves nothing behind", async () => {
  const engine = new ScriptedEngine(false);
  engine.logs.holds(5, 5);
  const { open, subscribe, hub } = aHub({ engine });
  const subscriber = open();
  engine.logs.holdBack();
  subscribe(subscriber, "news", { epoch: engine.logs.epoch, offset: 1 });
  engine.logs.letGo();
  engine.logs.holdBack();
  await until(() => engine.logs.reads.length === 1);
  subscriber.connection.unsubscribe(NEWS, 2);
  engine.logs.letGo();
  await turns(4);
  expect(subscriber.story).toEqual(["error 1 not_subscribed", "ok 2"]);
  expect(hub.stats().channels).toBe(1);
});

test("one may unsubscribe and subscribe again without waiting", async () => {
  const { open, subscribe, publish } = aHub();
  const subscriber = open();
  subscribe(subscriber, "news");
  await publish("news", 1);
  await turns(2);
  subscriber.connection.unsubscribe(NEWS, 2);
  subscribe(subscriber, "news", undefined, 3);
  await turns(2);
  await publish("news", 2);
  await turns(2);
  expect(subscriber.story).toEqual(["subscribed 0", "1", "ok 2", "subscribed 1", "2"]);
});

test("unsubscribing from what one does not have is an error", () => {
  expect(() => aHub().open().connection.unsubscribe(NEWS, 1)).toThrow(FanfareError);
});

test("a connection that has left is written nothing, and subscribes to nothing", async () => {
  const { open, subscribe, publish, hub } = aHub();
  const subscriber = open();
  subscribe(subscriber, "news");
  await turns(2);
  subscriber.leave();
  subscribe(subscriber, "order:1");
  // A client that is closed must be read from, or its close frame is never seen.
  for (let n = 0; n < 100; n++) subscriber.connection.answer(answer(`${n} too late ${"x".repeat(1000)}`));
  expect(subscriber.paused).toBe(false);
  await publish("news", 1);
  await turns(3);
  expect(subscriber.faults).toEqual([]);
  expect(subscriber.writes.length).toBe(1);
  expect(hub.stats().connections).toBe(0);
  expect(subscriber.connection.subscriptions.size).toBe(0);
});

test("an engine that fails is asked again, and the subscribe is answered then", async () => {
  const engine = new ScriptedEngine(false);
  engine.logs.holds(5, 3);
  const { open, subscribe, clock } = aHub({ engine });
  const subscriber = open();
  subscribe(subscriber, "order:1");
  await turns(3);
  engine.logs.failures = 2;
  subscribe(subscriber, "news", { epoch: engine.logs.epoch, offset: 3 }, 2);
  await turns(3);
  expect(subscriber.story).toEqual(["subscribed 5", "error 2 unavailable"]);
  engine.logs.failures = 0;
  subscribe(subscriber, "news", { epoch: engine.logs.epoch, offset: 1 }, 3);
  await turns();
  engine.logs.failures = 1;
  await clock.forward(1000, 50);
  expect(subscriber.story.slice(2)).toEqual(["subscribed 2 evicted", "3", "4", "5"]);
});
