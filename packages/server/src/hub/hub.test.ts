import { FanfareError, type Position, parseChannelName, parseEpoch } from "@fanfare/protocol";
import { expect, test } from "vitest";
import { HostileEngine } from "../engine/hostile/hostile-engine.js";
import { MemoryEngine } from "../engine/memory/memory-engine.js";
import { aHub, until } from "../testing/a-hub.js";
import { FakeClock, turns } from "../testing/fake-clock.js";
import { lateAnswers } from "../testing/late-answers.js";
import { ScriptedEngine } from "../testing/scripted-engine.js";

const NEWS = parseChannelName("news");
const lossy = (how: { drop?: number; fail?: number } = {}) => {
  const clock = new FakeClock();
  const memory = new MemoryEngine({ clock, allowIsolated: true });
  return { clock, memory, engine: new HostileEngine(memory, { clock, random: () => 0, ...how }) };
};

test("each row of the table of answers to a subscribe", async () => {
  const { open, subscribe, publish, position } = aHub({ rules: [{ channels: "news", history: 3 }] });
  const { epoch } = await position("news");
  await publish("news", 1, 2, 3, 4, 5);
  const storyOf = async (since?: Position) => {
    const subscriber = open();
    subscribe(subscriber, "news", since);
    await turns(5);
    return subscriber.story.join(", ");
  };
  const invented = parseEpoch("0123456789abcdef");
  for (const heard of [false, true]) {
    if (heard) {
      subscribe(open(), "news");
      await turns(3);
    }
    expect(await storyOf()).toBe("subscribed 5");
    expect(await storyOf({ epoch, offset: 5 })).toBe("subscribed 5 recovered");
    expect(await storyOf({ epoch, offset: 3 })).toBe("subscribed 3 recovered, 4, 5");
    expect(await storyOf({ epoch, offset: 2 })).toBe("subscribed 2 recovered, 3, 4, 5");
    expect(await storyOf({ epoch, offset: 1 })).toBe("subscribed 2 evicted, 3, 4, 5");
    expect(await storyOf({ epoch, offset: 0 })).toBe("subscribed 2 evicted, 3, 4, 5");
    expect(await storyOf({ epoch, offset: 6 })).toBe("subscribed 5 restarted");
    expect(await storyOf({ epoch: invented, offset: 2 })).toBe("subscribed 5 restarted");
  }
});

test("the position of an empty log can be recovered from", async () => {
  const { open, subscribe, publish, position } = aHub();
  const since = await position("news");
  expect(since.offset).toBe(0);
  await publish("news", 1);
  const subscriber = open();
  subscribe(subscriber, "news", since);
  await turns(4);
  expect(subscriber.story).toEqual(["subscribed 0 recovered", "1"]);
});

test("what came after a position long ago is delivered over many reads, and then live", async () => {
  const { open, subscribe, publish, position } = aHub({ rules: [{ channels: "news", history: 5000 }] });
  const since = await position("news");
  await publish("news", ...Array.from({ length: 5000 }, (_, index) => `${index} ${"x".repeat(100)}`));
  const subscriber = open();
  subscribe(subscriber, "news", since);
  await until(() => subscriber.frames.length === 5001);
  await publish("news", "live");
  await turns(2);
  const offsets = subscriber.story.slice(1).map(Number);
  expect(offsets).toEqual(Array.from({ length: 5001 }, (_, index) => index + 1));
});

test("a channel that nobody listens to is left 30 seconds later, and a reload costs nothing", async () => {
  const engine = new ScriptedEngine(false);
  const { hub, open, subscribe, clock } = aHub({ engine });
  const subscriber = open();
  subscribe(subscriber, "news");
  await turns(3);
  subscriber.leave();
  await clock.forward(29_000, 1000);
  expect(hub.stats().channels).toBe(1);
  const again = open();
  subscribe(again, "news");
  await clock.forward(60_000, 1000);
  expect(engine.logs.listens).toBe(1);
  again.connection.unsubscribe(NEWS, 2);
  await clock.forward(31_000, 1000);
  expect(hub.stats().channels).toBe(0);
});

test("what is published while a channel lingers can be recovered", async () => {
  const { open, subscribe, publish, position, clock } = aHub();
  const subscriber = open();
  subscribe(subscriber, "news");
  await turns(3);
  subscriber.leave();
  const since = await position("news");
  await publish("news", 1, 2);
  await clock.forward(10_000, 1000);
  const again = open();
  subscribe(again, "news", since);
  await turns(3);
  expect(again.story).toEqual(["subscribed 0 recovered", "1", "2"]);
});

test("a last message that was lost on the way is noticed, though nothing follows", async () => {
  const { clock, engine, memory } = lossy({ drop: 1 });
  const { open, subscribe } = aHub({ clock, engine });
  const subscriber = open();
  subscribe(subscriber, "news");
  await turns(3);
  await memory.logs.append(NEWS, { event: "message", json: "1" }, { messages: 10, ageMs: 60_000 });
  await turns(3);
  expect(subscriber.story).toEqual(["subscribed 0"]);
  await clock.forward(6000, 500);
  expect(subscriber.story).toEqual(["subscribed 0", "1"]);
});

test("never says recovered when a node that missed something cannot know", async () => {
  const { clock, engine, memory } = lossy({ drop: 1 });
  const { open, subscribe, position } = aHub({ clock, engine });
  subscribe(open(), "news");
  await turns(3);
  const since = await position("news");
  for (const json of ["1", "2", "3", "4"]) {
    await memory.logs.append(NEWS, { event: "message", json }, { messages: 2, ageMs: 60_000 });
  }
  const subscriber = open();
  subscribe(subscriber, "news", since);
  await turns(6);
  expect(subscriber.story).toEqual(["subscribed 2 evicted", "3", "4"]);
});

test("never says recovered of a log that is gone, while the node asks what came after it", async () => {
  const clock = new FakeClock();
  const memory = new MemoryEngine({ clock, allowIsolated: true });
  const { open, subscribe, position } = aHub({ clock, engine: lateAnswers(memory, () => 3) });
  subscribe(open(), "news");
  const since = await position("news");
  await turns(6);
  await memory.startOver(NEWS);
  const subscriber = open();
  subscribe(subscriber, "news", since);
  await turns(20);
  expect(subscriber.story).toEqual(["subscribed 0 epoch_changed"]);
});

test("a node that cannot compare heads for 20 seconds is deaf, until it can", async () => {
  const { clock, engine } = lossy();
  const { hub, open, subscribe } = aHub({ clock, engine });
  subscribe(open(), "news");
  await clock.forward(60_000, 1000);
  expect(hub.deaf).toBe(false);
  engine.disconnect();
  await clock.forward(15_000, 1000);
  expect(hub.deaf).toBe(false);
  await clock.forward(15_000, 1000);
  expect(hub.deaf).toBe(true);
  engine.reconnect();
  await clock.forward(2000, 1000);
  expect(hub.deaf).toBe(false);
});

test("when an engine that loses nothing is quiet, the node is not deaf", async () => {
  const { hub, clock } = aHub();
  await clock.forward(120_000, 1000);
  expect(hub.deaf).toBe(false);
});

test("a channel that cannot be listened to refuses its subscribers, and the next is tried anew", async () => {
  const engine = new ScriptedEngine(false);
  const { hub, open, subscribe } = aHub({ engine });
  const subscriber = open();
  engine.logs.failures = 1;
  subscribe(subscriber, "news", undefined, 1);
  await turns(3);
  expect(subscriber.story).toEqual(["error 1 unavailable"]);
  expect(hub.stats().channels).toBe(0);
  subscribe(subscriber, "news", undefined, 2);
  await turns(3);
  expect(subscriber.story.at(-1)).toBe("subscribed 0");
});

test("when too much waits for slow connections, those who hold most are closed, and no others", async () => {
  const { hub, open, subscribe, publish, clock } = aHub({ limits: { waitingBytes: 100_000 } });
  const worst = open({ reading: "not", highWaterMark: 80_000 });
  const slow = open({ reading: "not", highWaterMark: 30_000 });
  const quick = open();
  for (const each of [worst, slow, quick]) subscribe(each, "news");
  await turns(3);
  for (let count = 0; count < 10; count++) {
    await publish("news", "x".repeat(20_000));
    await turns();
    await clock.forward(100);
  }
  expect([worst.ended, slow.ended, quick.ended]).toEqual(["too_slow", null, null]);
  expect(hub.stats()).toMatchObject({ connections: 2, fullConnections: 1 });
  slow.reading = "at once";
  await turns(4);
  expect(slow.story.length).toBe(11);
  expect([...worst.faults, ...slow.faults]).toEqual([]);
});

test("windows let go when their budget is used up, and what they had is read from the engine", async () => {
  const { hub, open, subscribe, publish, position } = aHub({ limits: { windowBytes: 50_000 } });
  const names = Array.from({ length: 10 }, (_, index) => `order:${index}`);
  const since = new Map<string, Position>();
  for (const name of names) {
    subscribe(open(), name);
    since.set(name, await position(name));
  }
  await turns(3);
  for (const name of names) await publish(name, ...Array.from({ length: 5 }, () => "x".repeat(1500)));
  await turns(2);
  expect(hub.stats().windowBytes).toBeGreaterThan(10_000);
  expect(hub.stats().windowBytes).toBeLessThanOrEqual(50_000);
  for (const name of names) {
    const subscriber = open();
    subscribe(subscriber, name, since.get(name));
    await turns(4);
    expect(subscriber.story).toEqual(["subscribed 0 recovered", "1", "2", "3", "4", "5"]);
  }
});

test("a copy of a state leaves less room for windows, as long as somebody listens", async () => {
  const { hub, open, subscribe, publish, clock } = aHub({ limits: { windowBytes: 50_000 } });
  const name = parseChannelName("job:1");
  const patch = async (value: object) => {
    await hub.changeState(name, { patch: value });
    await turns(2);
  };
  await patch({ text: "x".repeat(20_000) });
  await publish("news", ...Array.from({ length: 10 }, () => "x".repeat(2000)));
  const one = open();
  subscribe(one, "job:1");
  await turns(3);
  expect(hub.stats().windowBytes).toBeGreaterThan(40_000);
  expect(hub.stats().windowBytes).toBeLessThan(41_000);

  // The window of another channel has to go; nobody misses anything.
  const other = open();
  subscribe(other, "news");
  await turns(3);
  for (let count = 0; count < 10; count++) {
    await publish("news", "x".repeat(2000));
    await turns(2);
    expect(hub.stats().windowBytes).toBeLessThanOrEqual(50_000);
  }
  expect(other.story).toEqual([
    "subscribed 10",
    ...Array.from({ length: 10 }, (_, index) => String(index + 11)),
  ]);

  // Many small patches leave a small state: it is counted by what it is.
  await patch({ text: null });
  for (let count = 0; count < 200; count++) await patch({ count });
  await clock.forward(400_000, 1000);
  expect(hub.stats().windowBytes).toBeGreaterThan(0);
  expect(hub.stats().windowBytes).toBeLessThan(200);
  one.connection.unsubscribe(name, 2);
  await clock.forward(60_000, 1000);
  expect(hub.stats().windowBytes).toBe(0);
});

test("windows let go of what has grown too old", async () => {
  const rules = [{ channels: "news", historySeconds: 10 }];
  const { hub, open, subscribe, publish, clock } = aHub({ rules });
  subscribe(open(), "news");
  await turns(3);
  await publish("news", 1, 2, 3);
  await clock.forward(9000, 1000);
  expect(hub.stats().windowBytes).toBeGreaterThan(0);
  await clock.forward(2000, 1000);
  expect(hub.stats().windowBytes).toBe(0);
});

test("a process takes only so many connections and channels", async () => {
  const { hub, open, subscribe } = aHub({ limits: { connections: 2, channels: 2 } });
  const first = open();
  open();
  expect(() => open()).toThrow(FanfareError);
  first.leave();
  const subscriber = open();
  for (const [request, name] of ["a", "b", "c"].entries()) subscribe(subscriber, name, undefined, request);
  await turns(3);
  expect(subscriber.story.sort()).toEqual(["error 2 too_many_channels", "subscribed 0", "subscribed 0"]);
  expect(hub.stats()).toMatchObject({ connections: 2, channels: 2 });
});

test("connections have names of their own, by which they are found", () => {
  const { hub, open } = aHub();
  const [one, other] = [open(), open()];
  expect(one.connection.id).not.toBe(other.connection.id);
  expect(hub.connections.get(one.connection.id)).toBe(one.connection);
});

test("a channel that the server subscribes by itself is answered without a request", async () => {
  const { open } = aHub();
  const subscriber = open();
  subscriber.connection.subscribe(NEWS, { request: undefined, since: undefined });
  await turns(3);
  expect(subscriber.frames[0]).not.toHaveProperty("request");
});

test("flush writes what a rate holds back, and close does so too", async () => {
  const { hub, open, subscribe, publish } = aHub({ rules: [{ channels: "news", maxRate: 0.01 }] });
  const subscriber = open();
  subscribe(subscriber, "news");
  await turns(3);
  await publish("news", 1);
  await turns(2);
  await publish("news", 2);
  await turns(2);
  expect(subscriber.story).toEqual(["subscribed 0", "1"]);
  hub.flush();
  expect(subscriber.story).toEqual(["subscribed 0", "1", "2"]);
  await publish("news", 3);
  hub.close();
  expect(subscriber.story).toEqual(["subscribed 0", "1", "2", "3"]);
  expect(hub.stats().channels).toBe(0);
});

test("a hub that is closed refuses subscribes", async () => {
  const { hub, open, subscribe } = aHub();
  const subscriber = open();
  hub.close();
  subscribe(subscriber, "news");
  await turns(2);
  expect(subscriber.story).toEqual(["error 1 unavailable"]);
});

test("publishing checks the message, and answers where it stands", async () => {
  const { hub } = aHub({ limits: { messageBytes: 10 } });
  const first = await hub.publish(NEWS, { data: 1, id: "k" });
  expect(first).toMatchObject({ offset: 1, repeated: false });
  expect(await hub.publish(NEWS, { data: 1, id: "k" })).toEqual({ ...first, repeated: true });
  expect(hub.counters).toMatchObject({ published: 1, publishedBytes: 1 });
  await expect(hub.publish(NEWS, { data: 2, id: "k" })).rejects.toMatchObject({ code: "id_reused" });
  await expect(hub.publish(NEWS, { data: "too much text" })).rejects.toMatchObject({ code: "too_large" });
  const { messages, looked } = await hub.history(NEWS, null, 10);
  expect(messages.map(({ json }) => json)).toEqual(["1"]);
  expect(looked).toEqual({ records: 1, bytes: 1 });
});

test.each(["message", "reset", "deaf"] as const)(
  "a channel that fails at '%s' of the engine is no concern of the publisher, and its listeners are sent away to come back",
  async (what) => {
    const { hub, open, subscribe, publish, engine } = aHub();
    const failures: string[] = [];
    for (const channel of ["a", "b"]) {
      const subscriber = open();
      subscriber.failedInside = (error) => void failures.push(`${channel}: ${error}`);
      subscribe(subscriber, channel);
    }
    await turns(2);
    await publish("a", 1);
    const channel = hub.channels.get(parseChannelName("a"));
    const { tail } = channel;
    if (!tail) throw new Error("nobody listens");
    tail[what] = () => {
      throw new Error("broken");
    };
    if (what === "message") await publish("a", 2);
    // No engine of this test can miss what others announce.
    else if (what === "deaf") channel.deaf(0);
    else expect(await engine.logs.remove(parseChannelName("a"))).toBe(true);
    expect(failures).toEqual(["a: Error: broken"]);
    expect(hub.failures.counts.hub).toBe(1);
  },
);
