/** A log that goes on in another epoch, as after a fail-over: clients get what is left of the earlier one, then the next. */
import { parseChannelName } from "@fanfare/protocol";
import { expect, test } from "vitest";
import { HostileEngine } from "../../engine/hostile/hostile-engine.js";
import { MemoryEngine } from "../../engine/memory/memory-engine.js";
import { aHub } from "../../testing/a-hub.js";
import { FakeClock, turns } from "../../testing/fake-clock.js";

const NEWS = parseChannelName("news");

/** Less than one half loses nothing; more loses as large a part of the newest entries. */
function setUp(chance = 0) {
  const clock = new FakeClock();
  const memory = new MemoryEngine({ clock, allowIsolated: true });
  const engine = new HostileEngine(memory, { clock, random: () => chance, hold: 1 });
  const hub = aHub({ clock, engine });
  const goOn = async () => {
    await engine.startOver(NEWS);
    await turns(4);
  };
  return { ...hub, engine, goOn };
}

test("a client that comes back is given the rest of the earlier epoch, and is not told that nothing is missing", async () => {
  const { open, subscribe, publish, goOn } = setUp();
  const [first, , third] = await publish("news", 1, 2, 3, 4);
  await goOn();
  const [later] = await publish("news", 5, 6);
  const client = open();
  subscribe(client, "news", first);
  await turns(6);
  expect(client.frames[0]).toMatchObject({
    ...{ type: "subscribed", epoch: first?.epoch, offset: 1, head: 4 },
    ...{ recovered: false, reason: "epoch_changed" },
  });
  expect(client.story.slice(1)).toEqual(["2", "3", "4", "gap 1-0 epoch_changed", "1", "2"]);
  expect(client.frames[4]).toMatchObject({ epoch: later?.epoch });

  // The same once this node listens.
  const other = open();
  subscribe(other, "news", third);
  await turns(6);
  expect(other.story.slice(1)).toEqual(["4", "gap 1-0 epoch_changed", "1", "2"]);
});

test("a client that has all of the earlier epoch goes on with the beginning of the next, and not at its head", async () => {
  const { open, subscribe, publish, goOn } = setUp();
  const last = (await publish("news", 1, 2)).at(-1);
  await goOn();
  const [later] = await publish("news", 3, 4);
  const client = open();
  subscribe(client, "news", last);
  await turns(6);
  expect(client.frames[0]).toMatchObject({
    ...{ epoch: later?.epoch, offset: 0, head: 2, recovered: false, reason: "epoch_changed" },
  });
  expect(client.story.slice(1)).toEqual(["1", "2"]);
});

test("a client has seen what is gone, and hears nothing twice", async () => {
  const { open, subscribe, publish, goOn } = setUp(0.6);
  const client = open();
  subscribe(client, "news");
  await turns(4);
  const positions = await publish("news", 1, 2, 3, 4);
  await turns(2);
  await goOn();
  // Three of the four are gone.
  const ahead = open();
  subscribe(ahead, "news", positions[2]);
  const behind = open();
  subscribe(behind, "news", { ...positions[0], offset: 0 } as (typeof positions)[0]);
  await turns(6);
  await publish("news", 5);
  await turns(6);
  expect(client.story.slice(1)).toEqual(["1", "2", "3", "4", "gap 1-0 epoch_changed", "1"]);
  expect(ahead.story.slice(1)).toEqual(["1"]);
  expect(behind.story.slice(1)).toEqual(["1", "gap 1-0 epoch_changed", "1"]);
});

test("a client that lags while the log goes on gets the rest before the gap", async () => {
  const { open, subscribe, publish, goOn } = setUp();
  const client = open({ highWaterMark: 1 });
  subscribe(client, "news");
  await turns(4);
  client.reading = "not";
  // What is written while it reads nothing fills it.
  await publish("news", 1);
  await turns(2);
  await publish("news", 2, 3);
  await turns(2);
  await goOn();
  await publish("news", 4);
  await turns(2);
  client.reading = "at once";
  await turns(20);
  expect(client.story.slice(1)).toEqual(["1", "2", "3", "gap 1-0 epoch_changed", "1"]);
});

test("changes of the state in the rest are passed over, since the next epoch has a state of its own", async () => {
  const { hub, open, subscribe, publish, goOn } = setUp();
  const [first] = await publish("news", 1);
  await hub.changeState(NEWS, { patch: { a: 1 } });
  await hub.changeState(NEWS, { patch: { a: 2 } });
  await publish("news", 2);
  await goOn();
  await hub.changeState(NEWS, { patch: { b: 1 } });
  const client = open();
  subscribe(client, "news", first);
  await turns(8);
  expect(client.story.slice(1)).toEqual([
    "gap 2-3 conflated",
    "4",
    "gap 1-0 epoch_changed",
    'state 0-1 {"b":1}',
    'state 1-1 {"value":{"b":1}}',
  ]);
});

test("the history after a position of the earlier epoch is the rest of it, then the next", async () => {
  const { hub, publish, goOn } = setUp();
  const [first, , third] = await publish("news", 1, 2, 3);
  await goOn();
  const [later] = await publish("news", 4);
  if (!first || !third || !later) throw new Error("nothing was published");
  const rest = await hub.history(NEWS, first, 10);
  expect(rest).toMatchObject({
    epoch: first.epoch,
    first: 1,
    head: 3,
    messages: [{ json: "2" }, { json: "3" }],
  });
  expect(await hub.history(NEWS, third, 10)).toMatchObject({
    ...{ epoch: later.epoch, first: 1, head: 1, messages: [{ json: "4" }] },
  });
});

test("where the log went on twice, a client gets the rest of both", async () => {
  const { open, subscribe, publish, goOn } = setUp();
  const [first] = await publish("news", 1, 2);
  await goOn();
  await publish("news", 3);
  await goOn();
  await publish("news", 4);
  const client = open();
  subscribe(client, "news", first);
  await turns(10);
  expect(client.story.slice(1)).toEqual(["2", "gap 1-0 epoch_changed", "1", "gap 1-0 epoch_changed", "1"]);
});

test("a client that has all of the earliest epoch begins with what is left of the next", async () => {
  const { open, subscribe, publish, goOn } = setUp();
  const last = (await publish("news", 1)).at(-1);
  await goOn();
  const [second] = await publish("news", 2, 3);
  await goOn();
  await publish("news", 4);
  const client = open();
  subscribe(client, "news", last);
  await turns(10);
  expect(client.frames[0]).toMatchObject({ epoch: second?.epoch, offset: 0, head: 2, recovered: false });
  expect(client.story.slice(1)).toEqual(["1", "2", "gap 1-0 epoch_changed", "1"]);
});
