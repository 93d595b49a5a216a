/** What a hub does when its memory runs short, and when there is some again. */
import { parseChannelName } from "@fanfare/protocol";
import { describe, expect, test } from "vitest";
import { aHub, type HubForTests } from "../../testing/a-hub.js";
import { turns } from "../../testing/fake-clock.js";
import { FakeMemory } from "../../testing/fake-memory.js";

const KiB = 1024;
const MiB = 1024 * KiB;
const ROOM = { heapBytes: 100 * MiB, outsideBytes: 100 * MiB };
/** What the program takes that nobody counts. */
const PROGRAM = 20 * MiB;
const A = parseChannelName("a");

/** A hub whose memory is as full as it is counted, beside the program. */
function watched() {
  const memory = new FakeMemory(ROOM, PROGRAM);
  const hub = aHub({ memory, rules: [{ channels: "**", history: 10_000 }] });
  /** All there is beyond the program is counted, or was counted a moment ago. */
  const collect = (uncounted = PROGRAM) => memory.collect(uncounted + hub.hub.countedBytes());
  const fill = async (channel: string, mebibytes: number) => {
    for (let count = 0; count < mebibytes; count++) {
      await hub.publish(channel, ...Array.from({ length: 16 }, () => "x".repeat(63 * KiB)));
    }
    await turns(3);
    memory.heapBytes = 2 * ROOM.heapBytes;
  };
  return { ...hub, memory, collect, fill };
}

const held = async ({ engine }: HubForTests, channel = A) => {
  const { first, head } = await engine.logs.read(channel, null, { messages: 1, bytes: 1 });
  return head + 1 - first;
};
const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => "done",
    (error: { code: string }) => error.code,
  );

describe("near the limit of its memory, a hub", () => {
  test("lets go of the oldest messages of logs and windows until there is room, and refuses nobody", async () => {
    const hub = watched();
    const subscriber = hub.open();
    hub.subscribe(subscriber, "a");
    await turns(3);
    await hub.fill("a", 50);
    const before = hub.hub.stats().windowBytes;
    expect(await held(hub)).toBe(800);
    hub.clock.advance(1000);
    expect(await held(hub)).toBeLessThan(800);
    expect(await held(hub)).toBeGreaterThan(100);
    expect(hub.hub.stats().windowBytes).toBeLessThan(before);
    expect(hub.hub.countedBytes() + PROGRAM).toBeLessThanOrEqual(0.6 * ROOM.heapBytes + 64 * KiB);
    expect(hub.hub.memory.full).toBe(false);
    expect(await codeOf(hub.publish("a", 1))).toBe("done");
  });

  test("keeps logs as small while there is no room, and lets them grow again when there is", async () => {
    const hub = watched();
    await hub.fill("a", 50);
    hub.clock.advance(1000);
    const few = await held(hub);
    await hub.fill("a", 5);
    expect(await held(hub)).toBeLessThanOrEqual(few + 1);
    hub.collect(0);
    await hub.fill("a", 5);
    expect(await held(hub)).toBeGreaterThan(few + 70);
  });

  test("refuses publishers and newcomers when nothing is left to let go of, tells them, and counts them", async () => {
    const hub = watched();
    const early = hub.open();
    hub.subscribe(early, "a");
    await turns(3);
    hub.collect(80 * MiB);
    expect(hub.hub.memory.full).toBe(true);

    expect(await codeOf(hub.publish("a", 1))).toBe("insufficient_storage");
    expect(await codeOf(hub.hub.changeState(A, { value: { large: true } }))).toBe("insufficient_storage");
    hub.subscribe(early, "b", undefined, 2);
    await turns(3);
    expect(early.frames.at(-1)).toMatchObject({ type: "error", request: 2, code: "too_many_channels" });
    expect(() => hub.hub.memory.assertRoomToConnect()).toThrow("memory");
    expect(hub.hub.memory.refused).toEqual({ publishes: 2, subscriptions: 1, connections: 1 });
  });

  test("goes on with what makes nothing larger: a lock is let go of, and a state removed", async () => {
    const hub = watched();
    await hub.hub.changeState(A, { value: { large: "x".repeat(1000) } });
    hub.collect(80 * MiB);
    expect(await codeOf(hub.hub.changeState(A, { patch: { large: "y" } }))).toBe("done");
    expect(await codeOf(hub.hub.changeState(A, { patch: { large: "z" } }))).toBe("done");
    expect(await codeOf(hub.hub.changeState(A, { value: null }))).toBe("done");
  });

  test("lets everybody in again when there is room, and not a moment before", async () => {
    const told: boolean[] = [];
    const memory = new FakeMemory(ROOM, PROGRAM);
    const hub = aHub({ memory, memoryChanged: (full) => told.push(full) });
    memory.collect(71 * MiB);
    memory.collect(66 * MiB);
    expect(hub.hub.memory.full).toBe(true);
    memory.collect(64 * MiB);
    expect(hub.hub.memory.full).toBe(false);
    memory.collect(69 * MiB);
    expect(hub.hub.memory.full).toBe(false);
    expect(told).toEqual([true, false]);
    expect(await codeOf(hub.publish("a", 1))).toBe("done");
  });

  test("does not take for full what could be collected", async () => {
    const hub = watched();
    hub.memory.heapBytes = 95 * MiB;
    hub.clock.advance(1000);
    expect(hub.hub.memory.full).toBe(false);
    await hub.fill("a", 10);
    expect(await held(hub)).toBe(160);
  });

  test("is full, too, when buffers take what there is beside the heap", () => {
    const hub = watched();
    hub.memory.outsideBytes = 91 * MiB;
    hub.clock.advance(1000);
    expect(hub.hub.memory.full).toBe(true);
    hub.memory.outsideBytes = 79 * MiB;
    hub.clock.advance(1000);
    expect(hub.hub.memory.full).toBe(false);
  });

  test("believes an old measurement less and less: a process that does little does not collect", () => {
    const hub = watched();
    hub.collect(80 * MiB);
    hub.memory.heapBytes = 80 * MiB;
    for (let seconds = 0; seconds < 10; seconds++) hub.clock.advance(1000);
    expect(hub.hub.memory.full).toBe(true);
    for (let seconds = 0; seconds < 10; seconds++) hub.clock.advance(1000);
    expect(hub.hub.memory.full).toBe(false);
  });

  test("stands by what it measured where less lives than is counted", async () => {
    const memory = new FakeMemory({ ...ROOM, heapBytes: MiB });
    const { hub, clock } = aHub({ memory, rules: [{ channels: "**", history: 0 }] });
    for (let count = 0; count < 14; count++) {
      await hub.changeState(parseChannelName(`a:${count}`), { value: { text: "x".repeat(60 * KiB) } });
    }
    const lives = hub.countedBytes() - 200 * KiB;
    memory.collect(lives);
    memory.heapBytes = 2 * MiB;
    for (let seconds = 0; seconds < 30; seconds++) clock.advance(1000);
    expect(lives).toBeGreaterThan(0.6 * MiB);
    expect(hub.memory.reading().heapBytes).toBe(lives);
  });

  test("asks nothing any more when it is closed", () => {
    const hub = watched();
    hub.hub.close();
    expect(hub.memory.listeners).toBe(0);
  });
});

test("an exception while room is made after a collection does not leave the call of the meter", () => {
  const memory = new FakeMemory(ROOM, PROGRAM);
  const { hub } = aHub({ memory });
  hub.countedBytes = () => {
    throw new Error("cannot count");
  };
  memory.collect(PROGRAM);
  expect(hub.failures.counts.hub).toBe(1);
});
