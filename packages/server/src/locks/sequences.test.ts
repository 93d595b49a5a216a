/** Sequences: nobody is given a number that somebody else has. */

import { FanfareError, type Numbers, ownChannel, parseChannelName } from "@fanfare/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Logs } from "../engine/engine.js";
import { HostileEngine } from "../engine/hostile/hostile-engine.js";
import { MemoryEngine } from "../engine/memory/memory-engine.js";
import { DEFAULT_SHARE } from "../engine/shares.js";
import { aHub, type HubForTests } from "../testing/a-hub.js";
import { changedEngine } from "../testing/changed-engine.js";
import { FakeClock, turns } from "../testing/fake-clock.js";
import { seeded } from "../testing/seeded.js";
import type { NextInput } from "./sequences.js";

const NAME = parseChannelName("invoice");
const CHANNEL = ownChannel("sequence", NAME);

const next = ({ sequences }: HubForTests, input?: NextInput) => sequences.next(NAME, input);
const changes = async (node: HubForTests) => (await node.hub.position(CHANNEL)).offset;

describe("a sequence", () => {
  test("counts from 1, or from where it is to start, and gives blocks", async () => {
    const node = aHub();
    expect(await node.sequences.last(NAME)).toBeNull();
    expect(await next(node)).toEqual({ first: 1, last: 1, durable: false });
    expect(await next(node, { count: 10 })).toEqual({ first: 2, last: 11, durable: false });
    expect(await next(node, { start: 500 })).toMatchObject({ first: 12 });
    expect(await node.sequences.last(NAME)).toBe(12);
    const other = parseChannelName("order:1");
    expect(await node.sequences.next(other, { start: 0, count: 2 })).toMatchObject({ first: 0, last: 1 });
    expect(node.hub.counters.numbers).toBe(14);
  });

  test("gives 1,000 numbers at once, and counts up to the greatest whole number that a client can tell apart", async () => {
    const node = aHub();
    expect(await next(node, { count: 1000 })).toMatchObject({ first: 1, last: 1000 });
    const last = parseChannelName("order:last");
    const start = Number.MAX_SAFE_INTEGER;
    expect(await node.sequences.next(last, { start })).toMatchObject({ first: start, last: start });
  });

  test("that two ask for at once is not refused to the one because of the other, who may make no more", async () => {
    const clock = new FakeClock();
    const share = { ...DEFAULT_SHARE, sequences: 1 };
    const node = aHub({ clock, engine: new MemoryEngine({ clock, share, allowIsolated: true }) });
    await node.sequences.next(parseChannelName("another"), { owner: "user alice" });
    const [alice, bob, again] = await Promise.allSettled([
      next(node, { owner: "user alice" }),
      next(node, { owner: "user bob" }),
      next(node, { owner: "user alice" }),
    ]);
    expect(alice).toMatchObject({ status: "rejected", reason: { code: "share_used_up" } });
    expect(bob).toMatchObject({ value: { first: 1 } });
    expect(again).toMatchObject({ value: { first: 2 } });
  });

  test("serves 100 callers at once in the order of their calls, with few changes", async () => {
    const node = aHub();
    const given = await Promise.all(
      Array.from({ length: 100 }, (_, index) => next(node, { count: 1 + (index % 3) })),
    );
    let last = 0;
    for (const [index, numbers] of given.entries()) {
      expect(numbers).toMatchObject({ first: last + 1, last: last + 1 + (index % 3) });
      last = numbers.last;
    }
    expect(await changes(node)).toBeLessThanOrEqual(2);
  });

  test("tells whoever watches the last number, and newcomers at once", async () => {
    const node = aHub();
    const watcher = node.open();
    watcher.connection.subscribe(CHANNEL, { request: 1, since: undefined });
    await turns(2);
    await next(node);
    await turns(2);
    await next(node, { count: 5 });
    await turns(2);
    const late = node.open();
    late.connection.subscribe(CHANNEL, { request: 1, since: undefined });
    await turns(2);
    expect(watcher.story).toEqual([
      "subscribed 0",
      'state 0-1 {"value":{"last":1}}',
      'state 1-2 {"value":{"last":6}}',
    ]);
    expect(late.frames).toMatchObject([{ state: { last: 6 } }]);
  });

  test("ends at 2^53 − 1, and says so; who wants fewer may still be served", async () => {
    const node = aHub();
    await next(node, { start: Number.MAX_SAFE_INTEGER - 3 });
    const [tooMany, some, one] = await Promise.allSettled([5, 2, 1].map((count) => next(node, { count })));
    expect(tooMany).toMatchObject({ reason: { code: "sequence_exhausted" } });
    expect(some).toMatchObject({ value: { last: Number.MAX_SAFE_INTEGER - 1 } });
    expect(one).toMatchObject({ value: { last: Number.MAX_SAFE_INTEGER } });
    await expect(next(node)).rejects.toMatchObject({ code: "sequence_exhausted", status: 409 });
    await expect(next(node, { id: "k" })).rejects.toMatchObject({ code: "sequence_exhausted" });
  });

  test.each<[NextInput, RegExp]>([
    [{ count: 0 }, /count is 0/],
    [{ count: 1.5 }, /count is 1.5/],
    [{ count: 1001 }, /count is 1001/],
    [{ start: -1 }, /start is -1/],
    [{ start: 2 ** 53 }, /start is 9007199254740992/],
    [{ id: "" }, /id is ""/],
  ])("refuses %j", async (input, message) => {
    const node = aHub();
    await expect(next(node, input)).rejects.toMatchObject({ code: "invalid_request", message });
    expect(await changes(node)).toBe(0);
  });
});

describe("an idempotency key", () => {
  test("gives the same numbers again, whatever was given meanwhile, and for no other count", async () => {
    const node = aHub();
    await next(node);
    const once = await next(node, { count: 3, id: "k" });
    await next(node, { count: 100 });
    expect(await next(node, { count: 3, id: "k" })).toEqual(once);
    expect(await next(node, { count: 3, id: "k", principal: "another" })).toMatchObject({ first: 105 });
    await expect(next(node, { count: 4, id: "k" })).rejects.toMatchObject({ code: "id_reused" });
    expect(await node.sequences.last(NAME)).toBe(107);
  });

  test("keeps its place in the order of the calls", async () => {
    const node = aHub();
    const inputs = [{}, {}, { id: "a" }, {}, { id: "a" }, { id: "b" }, {}];
    const given = await Promise.all(inputs.map((input) => next(node, input)));
    expect(given.map(({ first }) => first)).toEqual([1, 2, 3, 4, 3, 5, 6]);
  });

  test("is answered with its numbers, however many others take until the log has let go of them", async () => {
    const node = aHub({ engine: new MemoryEngine({ allowIsolated: true, maxBytes: 2000 }) });
    await next(node, { id: "k" });
    for (let count = 0; count < 50; count++) await next(node);
    expect(await next(node, { id: "k" })).toMatchObject({ first: 1, last: 1 });
  });
});

test("callers who may not any more get no number, and take none from those who asked with them", async () => {
  const node = aHub();
  const permit = {
    check(): void {
      throw new FanfareError("forbidden", "the grant was taken away");
    },
  };
  const [first, refused, third] = await Promise.allSettled([next(node), next(node, { permit }), next(node)]);
  expect(first).toMatchObject({ value: { first: 1 } });
  expect(refused).toMatchObject({ reason: { code: "forbidden" } });
  expect(third).toMatchObject({ value: { first: 2 } });
  expect(await node.sequences.last(NAME)).toBe(2);
});

test("where the state cannot be read, all who asked are told so, and the next is served", async () => {
  let broken = true;
  const memory = new MemoryEngine({ allowIsolated: true });
  const state: Logs["state"] = async (channel) => {
    if (broken) throw new FanfareError("unavailable", "broken");
    return await memory.logs.state(channel);
  };
  const node = aHub({ engine: changedEngine(memory, { logs: { state } }) });
  const asked = await Promise.allSettled([next(node), next(node), next(node)]);
  expect(asked).toMatchObject(Array(3).fill({ reason: { code: "unavailable" } }));
  broken = false;
  expect(await next(node)).toMatchObject({ first: 1 });
});

test("two nodes never give one number twice, though calls fail and answers get lost", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer(),
      fc.array(
        fc.record({ node: fc.nat(1), count: fc.integer({ min: 1, max: 4 }), key: fc.option(fc.nat(3)) }),
        {
          minLength: 20,
          maxLength: 60,
        },
      ),
      async (seed, calls) => {
        const clock = new FakeClock();
        const memory = new MemoryEngine({ clock, allowIsolated: true });
        const nodes = [seed, seed + 1].map((each) => {
          const engine = new HostileEngine(memory, { clock, random: seeded(each), fail: 0.2 });
          return aHub({ engine, clock });
        });
        let left = calls.length;
        const given: [Numbers, number | null][] = [];
        const asking = calls.map(async ({ node, count, key }) => {
          const chosen = nodes[node];
          if (!chosen) throw new TypeError("no such node");
          try {
            const input = key === null ? { count } : { count, id: `${key} ${count}` };
            given.push([await next(chosen, input), key]);
          } catch (error) {
            expect(error).toMatchObject({ code: "unavailable" });
          }
          left--;
        });
        for (let step = 0; step < 5000 && left > 0; step++) await clock.forward(20);
        await Promise.all(asking);
        const ofKeys = new Map<string, number>();
        const numbers = new Set<number>();
        let count = 0;
        for (const [{ first, last }, key] of given) {
          if (key !== null) {
            const name = `${key} ${last - first}`;
            const earlier = ofKeys.get(name) ?? first;
            expect(first).toBe(earlier);
            if (ofKeys.has(name)) continue;
            ofKeys.set(name, first);
          }
          for (let number = first; number <= last; number++) {
            numbers.add(number);
            count++;
          }
        }
        expect(numbers.size).toBe(count);
        for (const { hub } of nodes) hub.close();
        await memory.close();
      },
    ),
    { numRuns: 60 },
  );
});
