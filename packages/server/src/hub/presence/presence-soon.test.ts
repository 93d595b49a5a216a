/** When presence says what: on a network that loses nothing, each step of those who come and go is known within moments. */
import { parseChannelName } from "@fanfare/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { MemoryEngine } from "../../engine/memory/memory-engine.js";
import { aHub, type HubForTests } from "../../testing/a-hub.js";
import { changedEngine } from "../../testing/changed-engine.js";
import { FakeClock, turns } from "../../testing/fake-clock.js";
import type { FakeSubscriber } from "../../testing/fake-subscriber.js";
import { PRESENCE_GRACE_MS } from "./presence.js";

const ROOM = parseChannelName("room:a");
/** How soon other nodes know. */
const TOLD_MS = 200;
/** How late a grace may end, since the hub looks every second. */
const TICK_MS = 1000;

function aNode(other?: HubForTests): HubForTests & { readonly clock: FakeClock } {
  const clock = other?.clock ?? new FakeClock();
  const rules = [{ channels: "room:*", presence: true }];
  return aHub({ clock, rules, ...(other && { engine: other.engine }) });
}

async function come(node: HubForTests, id: string): Promise<FakeSubscriber> {
  const subscriber = node.open();
  const attendance = { attendant: { id, user: id }, watches: true };
  subscriber.connection.subscribe(ROOM, { request: 1, since: undefined, attendance });
  await turns(2);
  return subscriber;
}

async function present({ hub }: HubForTests): Promise<string[]> {
  const { count, members } = await hub.presence.page(ROOM, null, 1000);
  expect(count).toBe(members.length);
  return members.map(({ id }) => id);
}

const step = fc.record({
  user: fc.integer({ min: 0, max: 4 }),
  does: fc.constantFrom("comes", "leaves", "leaves", "unsubscribes"),
  thenMs: fc.constantFrom(0, 100, 300, 900, 2500, 4900),
});

test("each member is present while they are there and for 10 seconds after, in whatever order all come and go", async () => {
  const property = fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
    const here = aNode();
    const there = aNode(here);
    const { clock } = here;
    await clock.forward(2000, 500);
    const users = Array.from({ length: 5 }, (_, index) => ({
      id: `user:${index}`,
      connections: [] as FakeSubscriber[],
      /** Since when they are there, or are there no more, and since when nobody may say that they are. */
      since: Number.NEGATIVE_INFINITY,
      goneAt: Number.NEGATIVE_INFINITY,
    }));
    const check = async () => {
      const now = clock.monotonic();
      const [own, others] = await Promise.all([present(here), present(there)]);
      for (const { id, connections, since, goneAt } of users) {
        const isThere = connections.length > 0;
        if (isThere || now < goneAt) expect(own).toContain(id);
        if (isThere ? now >= since + TOLD_MS : now < goneAt && now >= since + TOLD_MS)
          expect(others).toContain(id);
        if (!isThere && now >= goneAt + TICK_MS) expect(own).not.toContain(id);
        if (!isThere && now >= goneAt + TICK_MS + TOLD_MS) expect(others).not.toContain(id);
      }
    };
    for (const { user, does, thenMs } of steps) {
      const who = users[user % users.length];
      if (!who) throw new TypeError("no user");
      const now = clock.monotonic();
      if (does === "comes") {
        if (who.connections.length === 0) who.since = now;
        who.connections.push(await come(here, who.id));
      } else {
        const connection = who.connections.shift();
        if (does === "leaves") connection?.leave();
        else connection?.connection.unsubscribe(ROOM, 9);
        if (connection && who.connections.length === 0) {
          who.goneAt = does === "leaves" ? now + PRESENCE_GRACE_MS : now - TICK_MS;
        }
      }
      for (let left = thenMs; left > 0; left -= 500) {
        await clock.forward(Math.min(left, 500));
        await check();
      }
      await check();
    }
    for (const { connections } of users) for (const each of connections) each.leave();
    await clock.forward(PRESENCE_GRACE_MS + TICK_MS + TOLD_MS, 1000);
    expect([await present(here), await present(there)]).toEqual([[], []]);
    for (const { hub } of [here, there]) {
      expect(hub.presence.size).toBe(0);
      hub.close();
    }
    await here.engine.close();
    expect(clock.timers).toBe(0);
  });
  await fc.assert(property, { numRuns: 20 });
});

test("a node that begins later knows within two seconds who is there, and one that is gone takes its members along", async () => {
  const here = aNode();
  const { clock } = here;
  // More than one signal carries.
  const ids = Array.from({ length: 450 }, (_, index) => `user:${1000 + index}`);
  for (const id of ids) await come(here, id);
  await clock.forward(10_000, 1000);
  const there = aNode(here);
  await clock.forward(2000, 100);
  expect(await present(there)).toEqual(ids);
  await clock.forward(60_000, 1000);
  expect(await present(there)).toEqual(ids);

  here.hub.close();
  await clock.forward(11_900, 100);
  expect(await present(there)).toEqual(ids);
  await clock.forward(4200, 100);
  expect(await present(there)).toEqual([]);
  expect(there.hub.presence.size).toBe(0);
});

test("nodes that know all of each other only say that they are there, and ask for nothing", async () => {
  const kinds: string[] = [];
  const clock = new FakeClock();
  const rules = [{ channels: "room:*", presence: true }];
  const memory = new MemoryEngine({ clock, allowIsolated: true });
  const engine = changedEngine(memory, {
    signals: {
      send(topic, json) {
        kinds.push(JSON.parse(json).kind);
        return memory.signals.send(topic, json);
      },
    },
  });
  const here = aHub({ rules, clock, engine });
  const there = aHub({ rules, clock, engine });
  await come(here, "user:1");
  await come(there, "user:2");
  await clock.forward(10_000, 100);
  expect(await present(here)).toEqual(["user:1", "user:2"]);
  kinds.length = 0;
  await clock.forward(30_000, 100);
  expect(new Set(kinds)).toEqual(new Set(["beat"]));
});

test("each change is told to other nodes once, at most 200 members in one signal", async () => {
  const here = aNode();
  const there = aNode(here);
  const { clock, engine } = here;
  await clock.forward(4000, 500);
  const told: string[][] = [];
  engine.signals.on("presence", (json) => {
    const { kind, changes } = JSON.parse(json) as { kind: string; changes: { id: string }[] };
    if (kind === "changes") told.push(changes.map(({ id }) => id));
  });
  for (const id of ["a", "b"]) {
    await come(here, id);
    await clock.forward(TOLD_MS, 100);
  }
  expect(told).toEqual([["a"], ["b"]]);
  const many = Array.from({ length: 401 }, (_, index) => `user:${index}`);
  await Promise.all(many.map((id) => come(here, id)));
  await clock.forward(TOLD_MS, 100);
  expect(told.slice(2).map(({ length }) => length)).toEqual([200, 200, 1]);
  expect(told.slice(2).flat()).toEqual(many);
  expect((await present(there)).length).toBe(many.length + 2);
  for (const node of [here, there]) node.close();
});
