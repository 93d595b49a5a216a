/** Several nodes on one hostile engine: whatever happens to what they tell each other, all come to the same list. */
import { parseChannelName } from "@fanfare/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { HostileEngine } from "../../engine/hostile/hostile-engine.js";
import { MemoryEngine } from "../../engine/memory/memory-engine.js";
import { aHub, type HubForTests } from "../../testing/a-hub.js";
import { FakeClock, turns } from "../../testing/fake-clock.js";
import type { FakeSubscriber } from "../../testing/fake-subscriber.js";
import { checkNothingHeld } from "../../testing/hub-recount.js";
import { seeded } from "../../testing/seeded.js";

const CHANNELS = ["room:a", "room:b"].map(parseChannelName);
const NODES = 3;
const USERS = 5;

type Step =
  | { do: "come"; node: number; user: number; channel: number; info: number; slow: boolean }
  | { do: "leave" | "unsubscribe" | "read"; which: number }
  | { do: "crash" | "begin"; node: number }
  | { do: "cut" | "mend" }
  | { do: "wait"; ms: number };

const node = fc.nat(NODES - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("come" as const),
      node,
      user: fc.nat(USERS - 1),
      channel: fc.nat(CHANNELS.length - 1),
      info: fc.nat(3),
      slow: fc.boolean(),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constantFrom("leave" as const, "unsubscribe", "read"), which: fc.nat(50) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("crash" as const, "begin"), node }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("cut" as const, "mend") }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.nat(15_000) }) },
);

interface Client {
  readonly node: HubForTests;
  readonly channel: (typeof CHANNELS)[number];
  readonly user: string;
  readonly subscriber: FakeSubscriber;
}

/** What a client makes of what it is told: the ids, or `null` while it has no list. */
function view({ frames }: FakeSubscriber): { count: number; ids: string[] | null } {
  let ids: Set<string> | null = null;
  let pages: string[] = [];
  let count = -1;
  for (const frame of frames) {
    if (frame.type === "subscribed" && frame.presence) {
      count = frame.presence.count;
      ids = frame.presence.members ? new Set(frame.presence.members.map(({ id }) => id)) : null;
    } else if (frame.type === "presence") {
      count = frame.count;
      const { joined, left, members } = frame;
      if (members) {
        pages = [...(frame.page === 0 ? [] : pages), ...members.map(({ id }) => id)];
        if (!frame.more) ids = new Set(pages);
      } else if (!joined && !left) ids = null;
      for (const { id } of joined ?? []) ids?.add(id);
      for (const id of left ?? []) ids?.delete(id);
    }
  }
  return { count, ids: ids && [...ids].sort() };
}

/** While the engine cannot be reached, a subscribe is refused. */
const isSubscribed = ({ channel, subscriber }: Client) => subscriber.connection.subscriptions.has(channel);

const listOf = ({ hub }: HubForTests, channel: (typeof CHANNELS)[number]) =>
  hub.presence.page(channel, null, 1000);

async function run(seed: number, steps: readonly Step[]): Promise<void> {
  const clock = new FakeClock();
  const random = seeded(seed);
  const memory = new MemoryEngine({
    clock,
    random: { bytes: (count) => Uint8Array.from({ length: count }, () => random() * 256), fraction: random },
    allowIsolated: true,
  });
  const engine = new HostileEngine(memory, { clock, random, delayMs: 3000, duplicate: 0.2, drop: 0.3 });
  const rules = [{ channels: "room:*", presence: { maxListed: 4 } }];
  const begin = () => aHub({ engine, clock, rules });
  const nodes = Array.from({ length: NODES }, begin);
  let clients: Client[] = [];

  async function take(step: Step): Promise<void> {
    switch (step.do) {
      case "come": {
        const hub = nodes[step.node];
        const channel = CHANNELS[step.channel];
        if (!hub || !channel) return;
        const user = `user:${step.user}`;
        const subscriber = hub.open(step.slow ? { reading: "not", highWaterMark: 1 } : {});
        const attendant = { id: user, user, ...(step.info > 0 && { info: `${step.info}` }) };
        const attendance = { attendant, watches: true };
        subscriber.connection.subscribe(channel, { request: 1, since: undefined, attendance });
        clients.push({ node: hub, channel, user, subscriber });
        break;
      }
      case "leave":
      case "unsubscribe":
      case "read": {
        const client = clients[step.which % clients.length];
        if (!client) return;
        if (step.do === "read") client.subscriber.read();
        else if (step.do === "leave") {
          client.subscriber.leave();
          clients = clients.filter((each) => each !== client);
        } else if (isSubscribed(client)) {
          client.subscriber.connection.unsubscribe(client.channel, 9);
        }
        break;
      }
      case "crash":
      case "begin": {
        // A process that is gone says nothing more; another takes its place.
        const gone = nodes[step.node];
        gone?.hub.close();
        clients = clients.filter(({ node }) => node !== gone);
        nodes[step.node] = begin();
        break;
      }
      case "cut":
        engine.disconnect();
        break;
      case "mend":
        engine.reconnect();
        break;
      case "wait":
        await clock.forward(step.ms, 500);
    }
    await turns(2);
  }

  for (const each of steps) await take(each);
  engine.reconnect();
  engine.calm();
  for (const { subscriber } of clients) subscriber.reading = "at once";
  await clock.forward(40_000, 500);

  for (const channel of CHANNELS) {
    const there = clients.filter((each) => each.channel === channel && isSubscribed(each));
    const wanted = [...new Set(there.map(({ user }) => user))].sort();
    const lists = await Promise.all(nodes.map((hub) => listOf(hub, channel)));
    for (const { count, members } of lists) {
      expect(members.map(({ id }) => id)).toEqual(wanted);
      expect(count).toBe(wanted.length);
    }
    // Not only who, but since when and with what.
    expect(new Set(lists.map((list) => JSON.stringify(list))).size).toBe(1);
    const named = wanted.length <= 3 ? wanted : wanted.length > 4 ? null : expect.anything();
    for (const { subscriber } of there) {
      const { count, ids } = view(subscriber);
      expect(count).toBe(wanted.length);
      if (wanted.length === 4) expect([wanted, null]).toContainEqual(ids);
      else expect(ids).toEqual(named);
      expect(subscriber.faults).toEqual([]);
    }
  }
  const used = nodes.map(({ hub }) => hub.stats().presenceMembers);
  expect(new Set(used).size).toBe(1);
  for (const { subscriber } of clients) subscriber.leave();
  await clock.forward(45_000, 500);
  for (const { hub } of nodes) {
    checkNothingHeld(hub);
    expect(hub.presence.size).toBe(0);
  }
  for (const { hub } of nodes) hub.close();
  await engine.close();
  expect(clock.timers).toBe(0);
}

describe("presence on several nodes", () => {
  test("converges, whatever joins, leaves, crashes, gets lost or is cut off", async () => {
    const property = fc.asyncProperty(fc.nat(), fc.array(step, { maxLength: 40 }), run);
    await fc.assert(property, { numRuns: 60 });
  });

  test("a user who comes back on another node was never gone", async () => {
    const clock = new FakeClock();
    const options = { clock, rules: [{ channels: "room:*", presence: true }] };
    const one = aHub(options);
    const other = aHub({ ...options, engine: one.engine });
    const [room] = CHANNELS;
    if (!room) throw new TypeError("no channel");
    const come = async (hub: HubForTests, id: string) => {
      const subscriber = hub.open();
      const attendance = { attendant: { id, user: id }, watches: true };
      subscriber.connection.subscribe(room, { request: 1, since: undefined, attendance });
      await turns(2);
      return subscriber;
    };
    await clock.forward(4000, 500);
    const watcher = await come(other, "watcher");
    const alice = await come(one, "alice");
    await clock.forward(3000, 500);
    alice.leave();
    await clock.forward(5000, 500);
    await come(other, "alice");
    await clock.forward(20_000, 500);
    expect(watcher.story).toEqual(["subscribed 0", "presence 2 +watcher +alice"]);
    const since = clock.now() - 28_000;
    for (const hub of [one, other]) {
      const { members } = await listOf(hub, room);
      expect(members.find(({ id }) => id === "alice")?.since).toBe(since);
    }
  });
});
