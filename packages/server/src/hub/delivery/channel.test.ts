import { parseChannelName } from "@fanfare/protocol";
import { expect, test } from "vitest";
import { MemoryEngine } from "../../engine/memory/memory-engine.js";
import { aHub } from "../../testing/a-hub.js";
import { FakeClock, turns } from "../../testing/fake-clock.js";
import { LineEncoding } from "../../testing/fake-subscriber.js";
import { lateAnswers } from "../../testing/late-answers.js";

const NEWS = parseChannelName("news");
const numbers = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);
const texts = (from: number, to: number) => numbers(from, to).map(String);

test("a message is encoded once, and the very same bytes go to all", async () => {
  const { open, subscribe, publish } = aHub();
  const encoding = new LineEncoding();
  const subscribers = Array.from({ length: 500 }, () => open({ encoding }));
  for (const each of subscribers) subscribe(each, "news");
  await turns(3);
  await publish("news", "a");
  await turns(2);
  await publish("news", "b", "c", "d");
  await turns(2);
  expect(encoding.messages).toBe(4);
  const [first] = subscribers;
  expect(first?.writes.length).toBe(3);
  for (const { story, writes } of subscribers) {
    expect(story).toEqual(["subscribed 0", "1", "2", "3", "4"]);
    expect(writes[1]).toBe(first?.writes[1]);
    expect(writes[2]).toBe(first?.writes[2]);
  }
});

test("each encoding encodes for itself, once", async () => {
  const { open, subscribe, publish } = aHub();
  const encodings = [new LineEncoding(), new LineEncoding(), new LineEncoding()];
  for (let count = 0; count < 10; count++) {
    for (const encoding of encodings) subscribe(open({ encoding }), "news");
  }
  await turns(3);
  await publish("news", 1, 2);
  await turns(2);
  expect(encodings.map(({ messages }) => messages)).toEqual([2, 2, 2]);
});

test("those who come back together share joined pages too", async () => {
  const { open, subscribe, publish, position } = aHub();
  subscribe(open(), "news");
  await turns(2);
  const since = await position("news");
  await publish("news", ...numbers(1, 50));
  await turns(2);
  const encoding = new LineEncoding();
  const subscribers = Array.from({ length: 100 }, () => open({ encoding }));
  for (const each of subscribers) subscribe(each, "news", since);
  await turns(3);
  expect(encoding.messages).toBe(50);
  for (const { story, writes } of subscribers) {
    expect(story).toEqual(["subscribed 0 recovered", ...texts(1, 50)]);
    expect(writes[1]).toBe(subscribers[0]?.writes[1]);
  }
});

test("what is published in one turn on several channels goes out together, corked", async () => {
  const { open, subscribe, publish } = aHub();
  const subscriber = open();
  for (const name of ["a", "b", "c"]) subscribe(subscriber, name);
  await turns(3);
  const corkedWrites: boolean[] = [];
  const write = subscriber.write.bind(subscriber);
  subscriber.write = (bytes) => {
    corkedWrites.push(subscriber.corked);
    return write(bytes);
  };
  await Promise.all(["a", "b", "c"].map((name) => publish(name, 1)));
  await turns(2);
  expect(corkedWrites).toEqual([true, true, true]);
  expect(subscriber.corked).toBe(false);
});

test("maxRate: at most so many writes a second, and nothing is lost", async () => {
  const { open, subscribe, publish, clock } = aHub({ rules: [{ channels: "news", maxRate: 4 }] });
  const subscriber = open();
  subscribe(subscriber, "news");
  await turns(3);
  const perSecond: number[] = [];
  for (let second = 0; second < 5; second++) {
    const before = subscriber.writes.length;
    for (let tick = 0; tick < 50; tick++) {
      await publish("news", second * 50 + tick);
      await clock.forward(20);
    }
    perSecond.push(subscriber.writes.length - before);
  }
  expect(Math.max(...perSecond)).toBeLessThanOrEqual(4);
  await clock.forward(250);
  expect(subscriber.story).toEqual(["subscribed 0", ...texts(1, 250)]);
});

test("maxRate: a message after a quiet time goes out at once", async () => {
  const { open, subscribe, publish, clock } = aHub({ rules: [{ channels: "news", maxRate: 1 }] });
  const subscriber = open();
  subscribe(subscriber, "news");
  await turns(3);
  await publish("news", 1);
  await turns(2);
  await publish("news", 2);
  await turns(2);
  expect(subscriber.story).toEqual(["subscribed 0", "1"]);
  await clock.forward(999);
  expect(subscriber.story).toEqual(["subscribed 0", "1"]);
  await clock.forward(1);
  expect(subscriber.story).toEqual(["subscribed 0", "1", "2"]);
});

test("maxRate: whoever keeps up loses nothing, though the log keeps only five", async () => {
  const rules = [{ channels: "news", maxRate: 1, history: 5 }];
  const { open, subscribe, publish, clock } = aHub({ rules });
  const subscriber = open();
  subscribe(subscriber, "news");
  await turns(3);
  await publish("news", ...numbers(1, 400));
  await turns(2);
  await publish("news", ...numbers(401, 800));
  await clock.forward(1000);
  expect(subscriber.story).toEqual(["subscribed 0", ...texts(1, 800)]);
});

test.each([
  ["1,000 messages", (offset: number) => `${offset}`, 1000],
  ["1 MiB", (offset: number) => `${offset} ${"x".repeat(50_000)}`, 21],
])(
  "maxRate: %s that wait are flushed against the rate, before anything is let go",
  async (_, data, count) => {
    const rules = [{ channels: "news", maxRate: 0.1, history: 0 }];
    const { open, subscribe, publish } = aHub({ rules });
    const subscriber = open({ highWaterMark: 10_000_000 });
    subscribe(subscriber, "news");
    await turns(3);
    await publish("news", data(1));
    await turns(2);
    await publish("news", ...numbers(2, count + 1).map(data));
    await turns(2);
    expect(subscriber.story).toEqual(["subscribed 0", ...texts(1, count + 1)]);
  },
);

test("latest: of what waits only the newest of each event comes, the rest as conflated gaps", async () => {
  const rules = [{ channels: "news", events: "latest", maxRate: 1 }] as const;
  const { hub, open, subscribe, clock } = aHub({ rules });
  const subscriber = open();
  subscribe(subscriber, "news");
  await turns(3);
  for (const event of ["a", "a", "b", "a", "c", "b"]) await hub.publish(NEWS, { data: null, event });
  await clock.forward(2000, 100);
  expect(subscriber.story).toEqual(["subscribed 0", "gap 1-3 conflated", "4", "5", "6"]);
});

test("latest: a slow reader gets the newest too", async () => {
  const rules = [{ channels: "news", events: "latest" }] as const;
  const { open, subscribe, publish } = aHub({ rules });
  const subscriber = open({ reading: "not", highWaterMark: 1 });
  subscribe(subscriber, "news");
  await turns(3);
  for (let count = 0; count < 30; count++) {
    await publish("news", count);
    await turns();
  }
  subscriber.reading = "at once";
  await turns(2);
  expect(subscriber.story).toEqual(["subscribed 0", "gap 1-29 conflated", "30"]);
});

test("a slow subscriber delays nobody, and learns what it has missed", async () => {
  const { open, subscribe, publish } = aHub({ rules: [{ channels: "news", history: 3 }] });
  const encoding = new LineEncoding();
  const slow = open({ encoding, reading: "not", highWaterMark: 1 });
  const quick = open({ encoding });
  for (const each of [slow, quick]) subscribe(each, "news");
  await turns(3);
  for (const count of numbers(1, 20)) {
    await publish("news", count);
    await turns();
    expect(quick.story.at(-1)).toBe(String(count));
  }
  slow.reading = "at once";
  await turns(3);
  expect(slow.story).toEqual(["subscribed 0", "gap 1-17 too_slow", "18", "19", "20"]);
  await publish("news", 21);
  await turns(2);
  expect(slow.writes.at(-1)).toBe(quick.writes.at(-1));
});

test("a slow subscriber loses nothing that the log still holds", async () => {
  const { open, subscribe, publish } = aHub();
  const slow = open({ reading: "next turn", highWaterMark: 1 });
  subscribe(slow, "news");
  await turns(3);
  for (const count of numbers(1, 50)) {
    await publish("news", count);
    if (count % 7 === 0) await turns();
  }
  await turns(10);
  expect(slow.story).toEqual(["subscribed 0", ...texts(1, 50)]);
  expect(slow.faults).toEqual([]);
});

test.each([0, 5])(
  "except: only the excepted connection is left out, with a history of %i",
  async (history) => {
    const { hub, open, subscribe, publish } = aHub({ rules: [{ channels: "news", history }] });
    const encoding = new LineEncoding();
    const [me, you] = [open({ encoding }), open({ encoding })];
    for (const each of [me, you]) subscribe(each, "news");
    await turns(3);
    const except = me.connection.id;
    await Promise.all([
      publish("news", 1),
      hub.publish(NEWS, { data: 2, except }),
      publish("news", 3),
      hub.publish(NEWS, { data: 4, except }),
    ]);
    await turns(3);
    expect(you.story).toEqual(["subscribed 0", "1", "2", "3", "4"]);
    expect(me.story).toEqual(["subscribed 0", "1", "3"]);
    await hub.publish(NEWS, { data: 5, except });
    await turns(2);
    await publish("news", 6);
    await turns(2);
    expect(me.story).toEqual(["subscribed 0", "1", "3", "6"]);
    expect(me.writes.at(-1)).toBe(you.writes.at(-1));
    expect(me.faults).toEqual([]);
    expect(encoding.messages).toBe(6);
  },
);

test("except: replay leaves the message out as well", async () => {
  const { hub, open, subscribe, publish, position } = aHub();
  const [me, you] = [open(), open()];
  const since = await position("news");
  subscribe(you, "news");
  await publish("news", 1);
  await hub.publish(NEWS, { data: 2, except: me.connection.id });
  await publish("news", 3);
  for (const each of [me, open()]) subscribe(each, "news", since);
  await turns(4);
  expect(me.story).toEqual(["subscribed 0 recovered", "1", "3"]);
  expect(you.story).toEqual(["subscribed 0", "1", "2", "3"]);
});

test.each([0, 1, 100])(
  "what is published while a subscribe is under way comes once, with a history of %i",
  async (history) => {
    for (const maxRate of [undefined, 1000]) {
      const rule = { channels: "news", history, ...(maxRate && { maxRate }) };
      const { open, subscribe, publish, clock } = aHub({ rules: [rule] });
      const early = open();
      subscribe(early, "news");
      void publish("news", 1, 2);
      await clock.forward(20, 1);
      const late = open();
      void publish("news", 3);
      subscribe(late, "news");
      void publish("news", 4, 5);
      await clock.forward(20, 1);
      expect(early.story).toEqual(["subscribed 0", ...texts(1, 5)]);
      expect(late.story).toEqual(["subscribed 3", "4", "5"]);
    }
  },
);

test("more announcements than are kept before the engine has answered are read from it", async () => {
  const { open, subscribe, publish } = aHub({ rules: [{ channels: "news", history: 5000 }] });
  const subscriber = open({ highWaterMark: 10_000_000 });
  subscribe(subscriber, "news");
  await publish("news", ...numbers(1, 3000));
  await turns(6);
  expect(subscriber.story).toEqual(["subscribed 0", ...texts(1, 3000)]);
});

test("a log that starts over before the engine has answered is noticed, though nothing follows", async () => {
  const clock = new FakeClock();
  const memory = new MemoryEngine({ clock, allowIsolated: true });
  const { open, subscribe } = aHub({ clock, engine: lateAnswers(memory, () => 3) });
  const subscriber = open();
  subscribe(subscriber, "news");
  await turns();
  await memory.startOver(NEWS);
  await turns(12);
  expect(subscriber.story).toEqual(["subscribed 0", "gap 1-0 epoch_changed"]);
});

test("a log that starts over is a gap in a new epoch, after all that came before", async () => {
  const clock = new FakeClock();
  const engine = new MemoryEngine({ clock, allowIsolated: true });
  const { open, subscribe, publish } = aHub({ clock, engine });
  const [quick, slow] = [open(), open({ reading: "not", highWaterMark: 1 })];
  for (const each of [quick, slow]) subscribe(each, "news");
  await turns(3);
  await publish("news", 1, 2);
  const { epoch } = await engine.startOver(NEWS);
  await publish("news", 3);
  await turns(3);
  expect(quick.story).toEqual(["subscribed 0", "1", "2", "gap 1-0 epoch_changed", "1"]);
  expect(quick.frames[3]).toMatchObject({ epoch });
  slow.reading = "at once";
  await turns(4);
  expect(slow.story).toEqual(["subscribed 0", "gap 1-0 epoch_changed", "1"]);
});
