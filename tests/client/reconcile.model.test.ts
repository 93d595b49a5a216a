/**
 * What the server has subscribed against what the page wants: whatever the page opens and leaves, and whatever the server refuses
 * meanwhile for a rate or for want of room, in the end they are the same.
 */
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import type { Subscription } from "../../packages/client/src/index.js";
import { FakeClock } from "../../packages/client/src/testing/fake-clock.js";
import { FakeClock as ServerClock } from "../../packages/server/src/testing/fake-clock.js";
import { TcpProxy } from "./proxy.js";
import { clientOf, inState, serve, urlOf } from "./world.js";

const RUNS = Number(process.env.FAST_CHECK_RUNS ?? 40);
const SEED = process.env.FAST_CHECK_SEED;
const KEY = "0123456789-the-key";
const CHANNELS = Array.from({ length: 14 }, (_, index) => `order:${index}`);
/** One connection may have so many. */
const ROOM = 8;
const ROUNDS = 400;

const some = fc.uniqueArray(fc.nat(CHANNELS.length - 1), { minLength: 1, maxLength: CHANNELS.length });
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constantFrom("open" as const, "leave" as const), which: some }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("toggle" as const), which: some }) },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant("time" as const), ms: fc.constantFrom(10, 300, 2000) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant("turns" as const), count: fc.integer({ min: 0, max: 30 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("cut" as const, "publish" as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

/** Leaves one channel after the other, faster than the server allows. */
const ONE_BY_ONE: Step[] = [
  { do: "open", which: [0, 1, 2, 3, 4, 5, 6, 7] },
  { do: "turns", count: 1000 },
  ...[0, 1, 2, 3, 4, 5, 6].flatMap((which): Step[] => [
    { do: "leave", which: [which] },
    { do: "turns", count: 20 },
  ]),
];

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise<void>((done) => setImmediate(done));
}

test("what the server has subscribed becomes what the page wants, whatever was refused on the way", async () => {
  const serverClock = new ServerClock();
  const { port, fanfare, close } = await serve({
    clock: serverClock,
    apiKeys: [KEY],
    rates: { framesPerConnection: 6, subscriptionsPerConnection: 20 },
    limits: { subscriptionsPerConnection: ROOM },
  });
  const proxy = await TcpProxy.to(port);
  onTestFinished(async () => {
    await proxy.close();
    await close();
  });
  let published = 0;

  async function subscribedOf(connection: string): Promise<readonly string[]> {
    const headers = { Authorization: `Bearer ${KEY}` };
    const answer = await fetch(`${urlOf(port)}/connections/${connection}`, { headers });
    if (!answer.ok) return ["unknown"];
    const { channels } = (await answer.json()) as { channels: readonly { channel: string }[] };
    return channels.map(({ channel }) => channel).sort();
  }

  async function run(steps: readonly Step[]): Promise<void> {
    const clock = new FakeClock();
    const client = clientOf(urlOf(proxy.port), { WebSocket, clock, sse: false });
    client.on("error", () => {});
    const open = new Map<string, Subscription>();
    const heard = new Map<string, number[]>();
    const advance = (ms: number) => {
      serverClock.advance(ms);
      clock.advance(ms);
    };
    const enter = (name: string) => {
      if (open.has(name)) return;
      const told: number[] = [];
      heard.set(name, told);
      open.set(
        name,
        client.subscribe<number>(name, ({ data }) => told.push(data)),
      );
    };
    const leave = (name: string) => {
      open.get(name)?.unsubscribe();
      open.delete(name);
    };
    try {
      client.connect();
      await inState(client, "connected");
      for (const each of steps) {
        // What a page does in several turns travels in several frames.
        await turns(1);
        if ("which" in each) {
          for (const index of each.which) {
            const name = CHANNELS[index] ?? "";
            if (each.do !== "open") leave(name);
            if (each.do !== "leave") enter(name);
          }
        } else if (each.do === "time") advance(each.ms);
        else if (each.do === "turns") await turns(each.count);
        else if (each.do === "cut") proxy.cut();
        else for (const name of CHANNELS) await fanfare.publish(name, published++);
      }
      // There is room for what is left.
      for (const name of [...open.keys()].slice(ROOM)) leave(name);
      client.connect();
      const wanted = [...open.keys()].sort();
      let has: readonly string[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        await turns(5);
        const { connection } = client;
        if (connection.status === "connected") {
          has = await subscribedOf(connection.id);
          if (has.join() === wanted.join() && [...open.values()].every(({ position }) => position)) break;
        }
        advance(connection.status === "reconnecting" ? Math.max(100, connection.retryAt - clock.now()) : 500);
      }
      expect(has).toEqual(wanted);
      await turns(20);
      // What was published before may still be on its way.
      const first = published;
      const news = (name: string) => (heard.get(name) ?? []).filter((data) => data >= first);
      const last = new Map<string, number>();
      for (const name of CHANNELS) {
        last.set(name, published);
        await fanfare.publish(name, published++);
      }
      const isHeard = () => wanted.every((name) => news(name).length > 0);
      for (let round = 0; round < ROUNDS && !isHeard(); round++) {
        advance(500);
        await turns(5);
      }
      for (const name of wanted) expect(news(name), name).toEqual([last.get(name)]);
      for (const name of heard.keys()) if (!open.has(name)) expect(news(name), name).toEqual([]);
    } finally {
      client.close();
      await turns(2);
    }
  }

  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60, size: "max" }), run), {
    numRuns: RUNS,
    examples: [[ONE_BY_ONE]],
    ...(SEED && { seed: Number(SEED) }),
    endOnFailure: process.env.FAST_CHECK_SHRINK !== "1",
  });
}, 3_600_000);
