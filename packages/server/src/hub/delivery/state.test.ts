/** The state of channels, as the hub changes and delivers it. */
import { type ChannelName, FanfareError, type Position, parseChannelName } from "@fanfare/protocol";
import { describe, expect, test } from "vitest";
import type { Timer } from "../../base/clock.js";
import type { Engine, LogEntry, Logs } from "../../engine/engine.js";
import { MemoryEngine } from "../../engine/memory/memory-engine.js";
import { aHub, type HubForTests } from "../../testing/a-hub.js";
import { changedEngine } from "../../testing/changed-engine.js";
import { FakeClock, turns } from "../../testing/fake-clock.js";
import { LineEncoding } from "../../testing/fake-subscriber.js";
import type { StateInput } from "../terms/draft.js";

const JOB = parseChannelName("job:1");
const RETENTION = { messages: 1, ageMs: 60_000 };

const change = ({ hub }: HubForTests, input: StateInput) => hub.changeState(JOB, input);
const patch = (hub: HubForTests, ...patches: object[]) =>
  Promise.all(patches.map((each) => change(hub, { patch: each })));

/** Somebody else changes the state right before each change. */
function competed(inner: MemoryEngine): Engine {
  const { logs } = inner;
  const append: Logs["append"] = async (channel, draft, retention) => {
    if (!draft.change) return await logs.append(channel, draft, retention);
    const { epoch, offset, json } = await logs.state(channel);
    const base = json === null ? null : { epoch, offset };
    await logs.append(channel, { change: "value", json: "{}", state: "{}", base }, retention);
    return await logs.append(channel, draft, retention);
  };
  return changedEngine(inner, { logs: { append } });
}

describe("delivery", () => {
  test("a newcomer gets the state with the answer, and those who are there the patch", async () => {
    const hub = aHub();
    const early = hub.open();
    hub.subscribe(early, "job:1");
    await turns(2);
    await patch(hub, { done: 1, of: 3 });
    await turns(2);
    await patch(hub, { done: 2 });
    await turns(2);
    expect(early.story).toEqual(["subscribed 0", 'state 0-1 {"done":1,"of":3}', 'state 1-2 {"done":2}']);
    const late = hub.open();
    hub.subscribe(late, "job:1");
    await turns(2);
    expect(late.frames).toMatchObject([{ offset: 2, state: { done: 2, of: 3 }, stateOffset: 2 }]);
    await hub.publish("job:1", "a message moves no state");
    await patch(hub, { done: null });
    await turns(2);
    expect(late.story.slice(1)).toEqual(["3", 'state 2-4 {"done":null}']);
  });

  test("whoever comes back with its position gets what it missed, and the whole only if it asks", async () => {
    const hub = aHub();
    await patch(hub, { done: 1 });
    const since = await hub.position("job:1");
    await patch(hub, { done: 2 });
    const back = hub.open();
    hub.subscribe(back, "job:1", since);
    const asking = hub.open();
    asking.connection.subscribe(JOB, { request: 1, since, state: true });
    await turns(3);
    expect(back.frames[0]).not.toHaveProperty("state");
    expect(back.story).toEqual(["subscribed 1 recovered", 'state 1-2 {"done":2}']);
    expect(asking.frames[0]).toMatchObject({
      offset: 1,
      recovered: true,
      state: { done: 2 },
      stateOffset: 2,
    });
  });

  test("changes of one turn travel as one, encoded once for all", async () => {
    const hub = aHub();
    const encoding = new LineEncoding();
    const subscribers = Array.from({ length: 100 }, () => hub.open({ encoding }));
    for (const each of subscribers) hub.subscribe(each, "job:1");
    await turns(2);
    await patch(hub, ...Array.from({ length: 20 }, (_, done) => ({ done })));
    await turns(2);
    expect(encoding.states).toBe(1);
    for (const { story } of subscribers) expect(story).toEqual(["subscribed 0", 'state 0-20 {"done":19}']);
  });

  test("a removed state is told as null, to those who are there and to newcomers", async () => {
    const hub = aHub();
    const early = hub.open();
    hub.subscribe(early, "job:1");
    await change(hub, { value: { a: 1 } });
    await turns(2);
    await change(hub, { value: null });
    const late = hub.open();
    hub.subscribe(late, "job:1");
    await turns(2);
    expect(early.story.slice(1)).toEqual(['state 0-1 {"value":{"a":1}}', 'state 1-2 {"value":null}']);
    expect(late.frames[0]).toMatchObject({ state: null, stateOffset: 2 });
  });

  test("the state outlasts the log, and a slow reader gets it whole after its gap", async () => {
    const hub = aHub({ rules: [{ channels: "job:1", history: 2 }] });
    await patch(hub, { of: 100 });
    const slow = hub.open({ reading: "not", highWaterMark: 1 });
    hub.subscribe(slow, "job:1");
    await turns(2);
    for (let done = 1; done <= 20; done++) {
      await patch(hub, { done });
      await hub.publish("job:1", done);
      await turns(1);
    }
    slow.reading = "at once";
    await turns(4);
    expect(slow.story).toEqual([
      "subscribed 1",
      "gap 2-39 too_slow",
      'state 38-40 {"done":20}',
      "41",
      'state 40-40 {"value":{"of":100,"done":20}}',
    ]);
  });

  test("whoever falls behind after a hole, before the state is known again, gets it, too", async () => {
    let hears = true;
    let answer = () => {};
    const memory = new MemoryEngine({ allowIsolated: true });
    const engine = changedEngine(memory, {
      logs: {
        listen(channel, listener) {
          const message = (entry: LogEntry) => hears && listener.message(entry);
          const { reset, deaf } = {
            reset: listener.reset.bind(listener),
            deaf: listener.deaf.bind(listener),
          };
          return memory.logs.listen(channel, { message, reset, deaf });
        },
        async state(channel) {
          await new Promise<void>((done) => {
            answer = done;
          });
          return memory.logs.state(channel);
        },
      },
    });
    const hub = aHub({ engine, rules: [{ channels: "job:1", history: 1 }] });
    const slow = hub.open({ highWaterMark: 1 });
    hub.subscribe(slow, "job:1");
    await turns(2);
    slow.reading = "not";
    hears = false;
    await engine.logs.append(
      JOB,
      { change: "value", json: '{"a":1}', state: '{"a":1}', base: null },
      RETENTION,
    );
    hears = true;
    await hub.publish("job:1", "live, and full from now on");
    await turns(4);
    await hub.publish("job:1", "behind");
    await turns(2);
    answer();
    await turns(2);
    slow.reading = "at once";
    await turns(4);
    expect(slow.story).toEqual(["subscribed 0", "gap 1-1 evicted", "2", 'state 1-1 {"value":{"a":1}}', "3"]);
  });

  test("channels that never had a state are told nothing of one, not even after a gap", async () => {
    const hub = aHub({ rules: [{ channels: "news", history: 1 }] });
    const slow = hub.open({ reading: "not", highWaterMark: 1 });
    hub.subscribe(slow, "news");
    for (let count = 0; count < 5; count++) {
      await hub.publish("news", count);
      await turns(1);
    }
    slow.reading = "at once";
    await turns(4);
    expect(slow.story).toEqual(["subscribed 0", "gap 1-4 too_slow", "5"]);
  });

  test("a channel that starts over takes the state with it, and says so", async () => {
    const hub = aHub();
    const reader = hub.open();
    hub.subscribe(reader, "job:1");
    await patch(hub, { a: 1 });
    await turns(2);
    await (hub.engine as MemoryEngine).startOver(JOB);
    await turns(4);
    await patch(hub, { b: 1 });
    await turns(2);
    expect(reader.story.slice(2)).toEqual([
      "gap 1-0 epoch_changed",
      'state 0-0 {"value":null}',
      'state 0-1 {"b":1}',
    ]);
  });

  test("at most 10 frames a second reach each of 200 watchers of 1,000 patches a second, and the last value", async () => {
    const hub = aHub({ rules: [{ channels: "job:1", maxRate: 10 }] });
    const encoding = new LineEncoding();
    const watchers = Array.from({ length: 200 }, () => hub.open({ encoding }));
    for (const each of watchers) hub.subscribe(each, "job:1");
    await turns(2);
    const perSecond: number[] = [];
    for (let second = 0; second < 3; second++) {
      const before = watchers[0]?.frames.length ?? 0;
      for (let ms = 0; ms < 1000; ms++) {
        await patch(hub, { done: second * 1000 + ms + 1 });
        await hub.clock.forward(1);
      }
      perSecond.push((watchers[0]?.frames.length ?? 0) - before);
    }
    await hub.clock.forward(100);
    await turns(2);
    expect(Math.max(...perSecond)).toBeLessThanOrEqual(10);
    expect(encoding.states).toBeLessThanOrEqual(31);
    for (const { frames } of watchers) expect(frames.at(-1)).toMatchObject({ patch: { done: 3000 } });
  });
});

describe("changing", () => {
  test("changes of one channel happen in the order in which they were asked for, each on the one before", async () => {
    const hub = aHub();
    const positions = await patch(hub, { a: 1 }, { b: 2 }, { a: null });
    expect(positions.map(({ offset }) => offset)).toEqual([1, 2, 3]);
    expect(await hub.hub.state(JOB)).toMatchObject({ offset: 3, json: '{"b":2}' });
  });

  test("on two nodes at once none gets lost", async () => {
    const engine = new MemoryEngine({ allowIsolated: true });
    const nodes = [aHub({ engine }), aHub({ engine })];
    const changes = nodes.flatMap((node, index) =>
      Array.from({ length: 20 }, (_, count) => patch(node, { [`${index}.${count}`]: count })),
    );
    let over = false;
    const all = Promise.all(changes).finally(() => {
      over = true;
    });
    for (let step = 0; step < 500 && !over; step++) {
      for (const { clock } of nodes) await clock.forward(10);
      await turns();
    }
    await all;
    const state = await nodes[0]?.hub.state(JOB);
    expect(Object.keys(JSON.parse(state?.json ?? "{}"))).toHaveLength(40);
    await engine.close();
  });

  test("on two nodes at once, the one that loses goes on with the state that it is told, without asking", async () => {
    const memory = new MemoryEngine({ allowIsolated: true });
    let asked = 0;
    const state: Logs["state"] = (channel) => {
      asked++;
      return memory.logs.state(channel);
    };
    const engine = changedEngine(memory, { logs: { state } });
    const nodes = [aHub({ engine }), aHub({ engine })] as const;
    await Promise.all([patch(nodes[0], { a: 1 }), patch(nodes[1], { b: 2 })]);
    expect(asked).toBe(2);
    expect((await memory.logs.state(JOB)).json).toBe('{"a":1,"b":2}');
    await engine.close();
  });

  test("a version that is another by now is refused with the state as it is, without asking again", async () => {
    const memory = new MemoryEngine({ allowIsolated: true });
    let asked = 0;
    const state: Logs["state"] = (channel) => {
      asked++;
      return memory.logs.state(channel);
    };
    const hub = aHub({ engine: changedEngine(memory, { logs: { state } }) });
    await patch(hub, { a: 1 });
    asked = 0;
    await expect(change(hub, { patch: {}, ifVersion: null })).rejects.toMatchObject({
      code: "version_mismatch",
      state: { channel: JOB, offset: 1, state: { a: 1 } },
    });
    expect(asked).toBe(1);
  });

  test("an engine that refuses without the state is asked for it", async () => {
    const memory = new MemoryEngine({ allowIsolated: true });
    let [asked, refused] = [0, 0];
    const engine = changedEngine(memory, {
      logs: {
        state(channel) {
          asked++;
          return memory.logs.state(channel);
        },
        async append(channel, draft, retention) {
          if (refused++ < 2) throw new FanfareError("version_mismatch", "another state");
          return await memory.logs.append(channel, draft, retention);
        },
      },
    });
    const hub = aHub({ engine });
    await expect(change(hub, { patch: {}, ifVersion: null })).rejects.toMatchObject({ state: null });
    const changing = patch(hub, { a: 1 });
    await turns(2);
    await hub.clock.forward(10);
    await changing;
    expect([asked, refused]).toEqual([4, 3]);
  });

  test("waits between its tries, so that nodes that lose get out of step", async () => {
    let tries = 0;
    const engine = changedEngine(new MemoryEngine({ allowIsolated: true }), {
      logs: {
        async append() {
          tries++;
          throw new FanfareError("version_mismatch", "another state");
        },
      },
    });
    const hub = aHub({ engine });
    void patch(hub, { a: 1 }).catch(() => {});
    await turns(20);
    expect(tries).toBe(1);
    await hub.clock.forward(20);
    expect(tries).toBe(2);
    for (let step = 0; step < 50; step++) await hub.clock.forward(200);
  });

  test("gives up when others are always faster, and says so", async () => {
    const hub = aHub({ engine: competed(new MemoryEngine({ allowIsolated: true })) });
    let failure: unknown;
    const changing = change(hub, { patch: {} }).catch((error: unknown) => {
      failure = error;
    });
    for (let step = 0; step < 200 && !failure; step++) await hub.clock.forward(200);
    await changing;
    expect(failure).toMatchObject({ code: "unavailable", retryAfterSeconds: 1 });
  });

  test("waits twice as long before each try, up to 100 ms and by chance, so that those who compete get out of step", async () => {
    const pauses: number[] = [];
    class Noting extends FakeClock {
      override after(ms: number, call: () => void): Timer {
        pauses.push(ms);
        return super.after(ms, call);
      }
    }
    const clock = new Noting();
    const hub = aHub({ clock, engine: competed(new MemoryEngine({ clock, allowIsolated: true })) });
    const changing = change(hub, { patch: {} }).catch(() => {});
    for (let step = 0; step < 9; step++) await clock.forward(100);
    // Chance says one half here.
    expect(pauses.slice(0, 8)).toEqual([2, 4, 8, 16, 32, 50, 50, 50]);
    await clock.forward(5000, 100);
    await changing;
  });

  test("is refused where the grant was taken away while it waited, and leaves the state as it is", async () => {
    const hub = aHub();
    let taken = false;
    const permit = {
      check(): void {
        if (taken) throw new FanfareError("forbidden", "the grant was taken away");
      },
    };
    await change(hub, { value: { n: 1 }, permit });
    const changing = [change(hub, { patch: { n: 2 }, permit }), change(hub, { value: { n: 3 }, permit })];
    taken = true;
    expect(await Promise.allSettled(changing)).toMatchObject([
      { reason: { code: "forbidden" } },
      { reason: { code: "forbidden" } },
    ]);
    expect((await hub.hub.state(JOB))?.json).toBe('{"n":1}');
  });

  test("costs its caller by the larger of what is read and what is written, and a state may be as large as the limit", async () => {
    const { hub } = aHub({ limits: { stateBytes: 1000 } });
    const costs: number[] = [];
    const permit = { check: () => {}, hasWritten: (bytes: number) => void costs.push(bytes) };
    const value = { a: "x".repeat(992) };
    await hub.changeState(JOB, { value, permit });
    await hub.changeState(JOB, { patch: { a: "y" }, permit });
    await hub.changeState(JOB, { value: { b: "y".repeat(500) }, permit });
    expect(costs).toEqual([1000, 1000, 508]);
    // As large as the limit, and one byte larger: by a patch, and as a whole.
    await expect(hub.changeState(JOB, { patch: { a: "x".repeat(486) } })).rejects.toMatchObject({
      code: "too_large",
    });
    await hub.changeState(JOB, { patch: { a: "x".repeat(485) } });
    await expect(hub.changeState(JOB, { value: { a: `${value.a}x` } })).rejects.toMatchObject({
      code: "too_large",
    });
  });

  test("only the version that is expected is changed; the error tells what there is", async () => {
    const hub = aHub();
    const first = await change(hub, { value: { a: 1 }, ifVersion: null });
    const version: Position = { epoch: first.epoch, offset: first.offset };
    await hub.publish("job:1", "no change of the state");
    await change(hub, { patch: { a: 2 }, ifVersion: version });
    const state = { ...version, channel: JOB, offset: 3, state: { a: 2 } };
    for (const ifVersion of [version, null, { ...version, offset: 2 }]) {
      await expect(change(hub, { patch: { a: 3 }, ifVersion })).rejects.toMatchObject({
        code: "version_mismatch",
        status: 412,
        state,
      });
    }
    await change(hub, { value: null, ifVersion: "any" });
    await expect(change(hub, { patch: {}, ifVersion: "any" })).rejects.toMatchObject({ state: null });
    expect(await hub.hub.state(JOB)).toBeNull();
  });

  test("a repeated id is answered as the first time, whatever the version is by now", async () => {
    const hub = aHub();
    const { epoch, offset } = await change(hub, { value: { a: 1 } });
    const input = { patch: { a: 2 }, ifVersion: { epoch, offset }, id: "k" };
    const once = await change(hub, input);
    await patch(hub, { a: 3 });
    expect(await change(hub, input)).toStrictEqual({ ...once, repeated: true });
    expect(await hub.hub.state(JOB)).toMatchObject({ json: '{"a":3}' });
    await expect(change(hub, { ...input, patch: { a: 4 } })).rejects.toMatchObject({ code: "id_reused" });
  });

  test.each<[string, StateInput, string, RegExp]>([
    ["a patch that is no object", { patch: [1] }, "invalid_value", /patch is an array/],
    ["a state that is no object", { value: "x" }, "invalid_value", /state is "x"/],
    [
      "a state with a null member",
      { value: { a: { b: null } } },
      "invalid_value",
      /"a\.b" of the state is null/,
    ],
    ["a value that JSON does not have", { patch: { a: Number.NaN } }, "invalid_value", /patch\.a is NaN/],
    ["nothing", {}, "invalid_request", /state is missing/],
    ["an empty id", { patch: {}, id: "" }, "invalid_request", /id is ""/],
    ["too large a patch", { patch: { a: "x".repeat(70_000) } }, "too_large", /patch is 70008 bytes/],
  ])("%s is refused", async (_, input, code, message) => {
    const refused = change(aHub(), input);
    await expect(refused).rejects.toMatchObject({ code, remedy: expect.stringMatching(/\.$/) });
    await expect(refused).rejects.toThrow(message);
  });

  test("a state that would become too large is refused, and stays as it is", async () => {
    const hub = aHub();
    await change(hub, { patch: { a: "x".repeat(40_000) } });
    const refused = change(hub, { patch: { b: "x".repeat(40_000) } });
    await expect(refused).rejects.toThrow(/job:1 would be 80015 bytes as JSON, and 65536/);
    expect(await hub.hub.state(JOB)).toMatchObject({ offset: 1 });
  });

  test("history holds messages only, as many as asked for", async () => {
    const hub = aHub();
    const name: ChannelName = JOB;
    for (let count = 1; count <= 5; count++) {
      await patch(hub, { count }, { again: count });
      await hub.publish("job:1", count);
    }
    const { messages, first, head } = await hub.hub.history(name, null, 3);
    expect(messages.map(({ offset }) => offset)).toEqual([3, 6, 9]);
    expect({ first, head }).toEqual({ first: 1, head: 15 });
    const last = messages.at(-1);
    const rest = await hub.hub.history(name, last ?? null, 3);
    expect(rest.messages.map(({ offset }) => offset)).toEqual([12, 15]);
  });
});

test("what the copy of a state is said to take shrinks when small patches have made the state small", async () => {
  const { hub, open, subscribe } = aHub();
  const channel = parseChannelName("news");
  const members = Array.from({ length: 300 }, (_, index) => [`m${index}`, "x".repeat(180)]);
  await hub.changeState(channel, { value: Object.fromEntries(members) });
  subscribe(open(), "news");
  await turns(3);
  const stateBytes = () => hub.stats().windowBytes - hub.looseBytes() + (hub.engine.looseBytes?.() ?? 0);
  const before = stateBytes();
  for (const [name] of members.slice(1)) await hub.changeState(channel, { patch: { [`${name}`]: null } });
  await turns(3);
  expect(stateBytes()).toBeLessThan(before / 2);
});
