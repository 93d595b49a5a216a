import { describe, expect, test } from "vitest";
import { FakeClock } from "../../testing/fake-clock.js";
import {
  appendAll,
  BUSY,
  draft,
  Heard,
  headOf,
  KEEP_ALL,
  NO_LIMIT,
  numbersTo,
} from "../contract/harness.contract.js";
import { engineContract } from "../engine.contract.js";
import { MemoryEngine } from "../memory/memory-engine.js";
import { HostileEngine, type HostileEngineOptions } from "./hostile-engine.js";

engineContract("HostileEngine, while it only says things twice,", ({ clock, limits }) => {
  const inner = new MemoryEngine({ clock, ...limits });
  const engine = new HostileEngine(inner, { clock, random: seeded(), duplicate: 0.5 });
  return {
    engine,
    passTime: (ms) => clock.advance(ms),
    startOver: (channel) => engine.startOver(channel),
  };
});

engineContract("HostileEngine, whose logs go on in other epochs,", ({ clock, limits }) => {
  const inner = new MemoryEngine({ clock, ...limits });
  const engine = new HostileEngine(inner, { clock, random: seeded(), hold: 1 });
  return { engine, passTime: (ms) => clock.advance(ms), goOn: (channel) => engine.startOver(channel) };
});

/** Numbers that look random and are the same in each run (mulberry32). */
function seeded(seed = 1): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function make(options: Partial<HostileEngineOptions> = {}) {
  const clock = new FakeClock();
  const inner = new MemoryEngine({ clock });
  const engine = new HostileEngine(inner, { clock, random: seeded(), ...options });
  return { clock, inner, engine, heard: new Heard() };
}

const UNAVAILABLE = { code: "unavailable" };

/** Takes these numbers one after the other as chance. */
function chance(...numbers: number[]): () => number {
  return () => numbers.shift() ?? 0.999;
}

describe("a hostile engine", () => {
  test("says that announcements get lost, and is as durable as the engine behind it", () => {
    expect(make().engine).toMatchObject({ lossy: true, durable: false });
  });

  test("delays announcements by differing times, so that they come out of order, but all of them", async () => {
    const { engine, clock, heard } = make({ delayMs: 1000 });
    await engine.logs.listen(BUSY, heard);
    await appendAll(engine, BUSY, numbersTo(50));
    expect(heard.messages).toEqual([]);
    clock.advance(1000);
    const offsets = heard.messages.map(({ offset }) => offset);
    expect(offsets).not.toEqual(numbersTo(50));
    expect(heard.offsets).toEqual(numbersTo(50));
  });

  test("says things twice", async () => {
    const { engine, heard } = make({ duplicate: 1 });
    await engine.logs.listen(BUSY, heard);
    await appendAll(engine, BUSY, [1, 2]);
    expect(heard.messages.map(({ offset }) => offset)).toEqual([1, 1, 2, 2]);
  });

  test("drops announcements, which can still be read", async () => {
    const { engine, heard } = make({ drop: 0.5 });
    await engine.logs.listen(BUSY, heard);
    await appendAll(engine, BUSY, numbersTo(100));
    expect(heard.messages.length).toBeGreaterThan(20);
    expect(heard.messages.length).toBeLessThan(80);
    expect((await engine.logs.read(BUSY, null, NO_LIMIT)).messages).toHaveLength(100);
  });

  test("treats resets no better than messages", async () => {
    const { engine, clock, heard } = make({ delayMs: 1000, duplicate: 1 });
    await engine.logs.listen(BUSY, heard);
    const position = await engine.startOver(BUSY);
    expect(heard.resets).toEqual([]);
    clock.advance(1000);
    const reset = { position, reason: "epoch_changed" };
    expect(heard.resets).toEqual([reset, reset]);

    const deaf = make({ drop: 1 });
    await deaf.engine.logs.listen(BUSY, deaf.heard);
    await deaf.engine.startOver(BUSY);
    expect(deaf.heard.resets).toEqual([]);
  });

  test("delivers nothing that is under way to a listener that has left", async () => {
    const { engine, clock, heard } = make({ delayMs: 1000 });
    await engine.logs.listen(BUSY, heard);
    await appendAll(engine, BUSY, [1]);
    engine.logs.unlisten(BUSY, heard);
    await engine.logs.listen(BUSY, heard);
    await appendAll(engine, BUSY, [2]);
    clock.advance(1000);
    expect(heard.offsets).toEqual([2]);
  });

  test("fails calls with unavailable", async () => {
    const { engine, heard } = make({ fail: 1 });
    await expect(engine.logs.append(BUSY, draft(1), KEEP_ALL)).rejects.toMatchObject(UNAVAILABLE);
    await expect(engine.logs.read(BUSY, null, NO_LIMIT)).rejects.toMatchObject(UNAVAILABLE);
    await expect(engine.logs.heads([BUSY])).rejects.toMatchObject(UNAVAILABLE);
    await expect(engine.logs.listen(BUSY, heard)).rejects.toMatchObject(UNAVAILABLE);
  });

  test("fails an append before it was done, or after", async () => {
    const before = make({ fail: 0.5, random: chance(0.1, 0.1) });
    await expect(before.engine.logs.append(BUSY, draft(1), KEEP_ALL)).rejects.toThrow("the call got lost");
    expect((await headOf(before.inner, BUSY)).offset).toBe(0);

    const after = make({ fail: 0.5, random: chance(0.1, 0.9) });
    await expect(after.engine.logs.append(BUSY, draft(1), KEEP_ALL)).rejects.toThrow("the answer got lost");
    expect((await headOf(after.inner, BUSY)).offset).toBe(1);
  });

  test("does not keep listening for somebody whose listen failed", async () => {
    const { engine, inner, heard } = make();
    await inner.close();
    await expect(engine.logs.listen(BUSY, heard)).rejects.toMatchObject(UNAVAILABLE);
    engine.disconnect();
    engine.reconnect();
    expect(heard.deafSince).toEqual([]);
  });

  test("fails every call while disconnected, and nothing is done", async () => {
    const { engine, inner, heard } = make();
    engine.disconnect();
    await expect(engine.logs.append(BUSY, draft(1), KEEP_ALL)).rejects.toMatchObject(UNAVAILABLE);
    await expect(engine.logs.read(BUSY, null, NO_LIMIT)).rejects.toMatchObject(UNAVAILABLE);
    await expect(engine.logs.heads([BUSY])).rejects.toMatchObject(UNAVAILABLE);
    await expect(engine.logs.listen(BUSY, heard)).rejects.toMatchObject(UNAVAILABLE);
    await expect(engine.signals.send("t", "1")).rejects.toMatchObject(UNAVAILABLE);
    await expect(engine.sessions.put("h", "1", 1000)).rejects.toMatchObject(UNAVAILABLE);
    await expect(engine.sessions.take("h")).rejects.toMatchObject(UNAVAILABLE);
    expect(inner.stats()).toMatchObject({ channels: 0, sessions: 0 });
    engine.reconnect();
    expect((await appendAll(engine, BUSY, [1])).offset).toBe(1);
  });

  test("loses the answer of a call when the connection breaks in the middle of it", async () => {
    const { engine, inner } = make();
    const append = engine.logs.append(BUSY, draft(1), KEEP_ALL);
    engine.disconnect();
    await expect(append).rejects.toMatchObject(UNAVAILABLE);
    expect((await headOf(inner, BUSY)).offset).toBe(1);
  });

  test("loses announcements while disconnected, and tells its listeners since when", async () => {
    const { engine, inner, clock, heard } = make({ delayMs: 1000 });
    const gone = new Heard();
    await engine.logs.listen(BUSY, heard);
    await engine.logs.listen(BUSY, gone);
    await appendAll(engine, BUSY, [1]);
    const since = clock.now();
    engine.disconnect();
    await appendAll(inner, BUSY, [2]);
    clock.advance(5000);
    engine.disconnect();
    engine.logs.unlisten(BUSY, gone);
    engine.reconnect();
    engine.reconnect();
    expect(heard.deafSince).toEqual([since]);
    expect(gone.deafSince).toEqual([]);
    await appendAll(engine, BUSY, [3]);
    clock.advance(5000);
    expect(heard.offsets).toEqual([3]);
  });

  test("loses signals while disconnected", async () => {
    const { engine, inner } = make();
    const heard: string[] = [];
    engine.signals.on("t", (json) => heard.push(json));
    engine.disconnect();
    await inner.signals.send("t", "1");
    engine.reconnect();
    await engine.signals.send("t", "2");
    expect(heard).toEqual(["2"]);
  });

  test("does no more harm once it is calm, and delivers what was under way", async () => {
    const { engine, clock, heard } = make({ delayMs: 1000, duplicate: 0.5 });
    await engine.logs.listen(BUSY, heard);
    await appendAll(engine, BUSY, numbersTo(10));
    engine.calm();
    expect(heard.offsets).toEqual(numbersTo(10));
    const calm = make({ delayMs: 1000, duplicate: 1, drop: 1, fail: 1 });
    calm.engine.calm();
    await calm.engine.logs.listen(BUSY, calm.heard);
    await appendAll(calm.engine, BUSY, numbersTo(10));
    expect(calm.heard.messages.map(({ offset }) => offset)).toEqual(numbersTo(10));

    const count = heard.messages.length;
    clock.advance(5000);
    expect(heard.messages).toHaveLength(count);
  });

  test("does the same again with the same seed", async () => {
    const run = async () => {
      const { engine, clock, heard } = make({ delayMs: 500, duplicate: 0.3, drop: 0.3 });
      await engine.logs.listen(BUSY, heard);
      await appendAll(engine, BUSY, numbersTo(30));
      clock.advance(500);
      return heard.messages.map(({ offset }) => offset);
    };
    expect(await run()).toEqual(await run());
  });

  test("delivers nothing after its end", async () => {
    const { engine, clock, heard } = make({ delayMs: 1000 });
    await engine.logs.listen(BUSY, heard);
    await appendAll(engine, BUSY, [1]);
    await engine.close();
    clock.advance(1000);
    expect(heard.messages).toEqual([]);
  });
});
