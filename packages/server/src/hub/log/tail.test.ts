import fc from "fast-check";
import { beforeEach, expect, test } from "vitest";
import { Failures } from "../../base/failures.js";
import { FakeClock, turns } from "../../testing/fake-clock.js";
import { aMessage, EPOCH, NEWS, NEXT_EPOCH, ScriptedEngine } from "../../testing/scripted-engine.js";
import type { Entry } from "./entry.js";
import { Tail } from "./tail.js";

let engine: ScriptedEngine;
let clock: FakeClock;
let told: string[];
let tail: Tail;

function follow(offset = 0): void {
  engine = new ScriptedEngine();
  clock = new FakeClock();
  told = [];
  const owner = { grew: () => void told.push("grew"), startingOver: () => void told.push("starting over") };
  const random = { fraction: () => 0.5, bytes: (count: number) => new Uint8Array(count) };
  tail = new Tail(NEWS, { epoch: EPOCH, offset }, owner, { engine, clock, random, failures: new Failures() });
}
beforeEach(() => follow());

const inFewWords = ({ message, gap }: Entry) =>
  message ? `${message.offset}` : `gap ${gap?.from}-${gap?.to} ${gap?.reason}`;
/** What came out so far; what an earlier log left behind is not counted. */
const story = () => tail.window.slice(tail.window.first, tail.window.end).map(inFewWords);

test("announcements in order come out as they are, and the engine is not asked", () => {
  for (const offset of [1, 2, 3]) tail.message(aMessage(offset));
  expect(story()).toEqual(["1", "2", "3"]);
  expect(told).toEqual(["grew", "grew", "grew"]);
  expect(engine.logs.reads).toEqual([]);
});

test("a double announcement comes out once", () => {
  for (const offset of [1, 1, 2, 1, 2]) tail.message(aMessage(offset));
  expect(story()).toEqual(["1", "2"]);
  expect(engine.logs.reads).toEqual([]);
});

test("an announcement that never came is read from the engine", async () => {
  engine.logs.holds(3, 3);
  tail.message(aMessage(3));
  expect(story()).toEqual([]);
  await turns(2);
  expect(story()).toEqual(["1", "2", "3"]);
});

test("announcements out of order come out in order, though the answer of the engine is late", async () => {
  engine.logs.holds(3, 3);
  engine.logs.holdBack();
  tail.message(aMessage(3));
  tail.message(aMessage(1));
  expect(story()).toEqual(["1"]);
  tail.message(aMessage(2));
  expect(story()).toEqual(["1", "2", "3"]);
  engine.logs.letGo();
  await turns(3);
  expect(story()).toEqual(["1", "2", "3"]);
});

test("what the log has let go of, and was not announced, comes out as a gap", async () => {
  engine.logs.holds(9, 2);
  tail.message(aMessage(1));
  tail.message(aMessage(9));
  await turns(2);
  expect(story()).toEqual(["1", "gap 2-7 evicted", "8", "9"]);
});

test("what the log has let go of comes from what was announced early", async () => {
  engine.logs.holds(9, 1);
  tail.message(aMessage(3));
  tail.message(aMessage(5));
  tail.message(aMessage(6));
  await turns(2);
  expect(story()).toEqual(["gap 1-2 evicted", "3", "gap 4-4 evicted", "5", "6", "gap 7-8 evicted", "9"]);
});

test("a log that holds nothing at all leaves one gap up to its head", async () => {
  engine.logs.holds(4, 0);
  tail.heard({ epoch: EPOCH, offset: 4 });
  await turns(2);
  expect(story()).toEqual(["gap 1-4 evicted"]);
});

test("more than one read can hold is read until the head is reached", async () => {
  engine.logs.holds(2500, 2500);
  tail.deaf();
  await turns(4);
  expect(tail.window.head).toBe(2500);
  expect(engine.logs.reads.length).toBe(3);
});

test("a position that is known already asks the engine for nothing", async () => {
  tail.message(aMessage(1));
  tail.heard({ epoch: EPOCH, offset: 1 });
  tail.heard({ epoch: EPOCH, offset: 0 });
  await turns(2);
  expect(engine.logs.reads).toEqual([]);
  expect(tail.behind).toBe(false);
});

test("a read that fails is tried again, waiting longer each time", async () => {
  engine.logs.holds(1, 1);
  engine.logs.failures = 3;
  tail.reset();
  await turns(2);
  expect(engine.logs.reads.length).toBe(1);
  for (const [ms, reads] of [
    [49, 1],
    [1, 2],
    [99, 2],
    [1, 3],
    [199, 3],
    [1, 4],
  ] as const) {
    await clock.forward(ms);
    expect(engine.logs.reads.length).toBe(reads);
  }
  expect(story()).toEqual(["1"]);
  expect(tail.behind).toBe(false);
});

test("what is announced during a read that was answered before is read again", async () => {
  engine.logs.holds(3, 3);
  engine.logs.holdBack();
  tail.message(aMessage(3));
  await turns();
  engine.logs.holds(6, 6);
  tail.message(aMessage(6));
  engine.logs.letGo();
  await turns(4);
  expect(story()).toEqual(["1", "2", "3", "4", "5", "6"]);
});

test("after a reset the new log begins with a gap, and what waited went out before", async () => {
  tail.message(aMessage(1));
  engine.logs.holds(4, 2, NEXT_EPOCH);
  engine.logs.lost = "restarted";
  tail.reset();
  await turns(2);
  expect(story()).toEqual(["gap 1-2 restarted", "3", "4"]);
  expect(tail.window.epoch).toBe(NEXT_EPOCH);
  expect(told).toEqual(["grew", "starting over", "grew", "grew", "grew"]);
});

test("a new log of which nothing is missing begins with an empty gap", async () => {
  engine.logs.holds(0, 0, NEXT_EPOCH);
  tail.reset();
  await turns(2);
  expect(story()).toEqual(["gap 1-0 epoch_changed"]);
});

test("a reset that is announced without reason changes nothing", async () => {
  tail.message(aMessage(1));
  engine.logs.holds(1, 1);
  tail.reset();
  await turns(2);
  expect(story()).toEqual(["1"]);
});

test("messages of a new log that were announced before it is known are not lost", async () => {
  engine.logs.holds(3, 0, NEXT_EPOCH);
  engine.logs.holdBack();
  tail.reset();
  for (const offset of [2, 3, 1]) tail.message(aMessage(offset, { epoch: NEXT_EPOCH }));
  engine.logs.letGo();
  await turns(4);
  expect(story()).toEqual(["gap 1-0 epoch_changed", "1", "2", "3"]);
});

test("a message of a log that is gone is not delivered", async () => {
  engine.logs.holds(2, 2, NEXT_EPOCH);
  tail.reset();
  await turns(2);
  tail.message(aMessage(3));
  await turns(2);
  expect(story()).toEqual(["gap 1-0 epoch_changed", "1", "2"]);
});

test("catching up waits for a read that began after the call", async () => {
  engine.logs.holdBack();
  tail.deaf();
  await turns();
  engine.logs.holds(2, 2);
  let caughtUp = false;
  void tail.catchUp().then(() => {
    caughtUp = true;
  });
  await turns(2);
  expect(caughtUp).toBe(false);
  engine.logs.letGo();
  await turns(4);
  expect(caughtUp).toBe(true);
  expect(story()).toEqual(["1", "2"]);
});

test("many who wait for it to catch up cost two reads", async () => {
  await Promise.all(Array.from({ length: 100 }, () => tail.catchUp()));
  expect(engine.logs.reads.length).toBeLessThanOrEqual(2);
});

test("a tail that has ended asks and tells nothing more", async () => {
  engine.logs.holds(3, 3);
  engine.logs.failures = 1;
  tail.message(aMessage(3));
  await turns();
  tail.end();
  await clock.forward(10_000, 100);
  tail.message(aMessage(1));
  tail.reset();
  tail.deaf();
  await tail.catchUp();
  await turns(2);
  expect(engine.logs.reads.length).toBe(1);
  expect(told).toEqual([]);
});

test("does not ask without end for a message that the engine does not have", async () => {
  tail.message(aMessage(7));
  await turns(5);
  expect(engine.logs.reads.length).toBe(1);
});

test("whatever is lost, doubled or late, each offset comes out once, in order, or in a gap", async () => {
  const announcement = fc.record({ offset: fc.integer({ min: 1, max: 30 }), turn: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(announcement, { maxLength: 60 }), fc.nat(30), async (announcements, held) => {
      follow();
      let head = 0;
      for (const { offset, turn } of announcements) {
        head = Math.max(head, offset);
        engine.logs.holds(head, Math.min(held, head));
        tail.message(aMessage(offset));
        if (turn) await turns();
      }
      engine.logs.holds(30, held);
      tail.heard({ epoch: EPOCH, offset: 30 });
      await turns(4);
      let next = 1;
      for (const { message, gap } of tail.window.slice(tail.window.first, tail.window.end)) {
        expect(message?.offset ?? gap?.from).toBe(next);
        next = (message?.offset ?? gap?.to ?? 0) + 1;
      }
      expect(next).toBe(31);
    }),
    { numRuns: 100 },
  );
});
