import { type ChannelName, parseChannelName } from "@fanfare/protocol";
import { describe, expect, test } from "vitest";
import { FakeClock } from "../testing/fake-clock.js";
import {
  appendAll,
  BUSY,
  draft,
  Heard,
  headOf,
  KEEP_ALL,
  NO_LIMIT,
  numbersTo,
  OTHER,
  QUIET,
  WallClock,
} from "./contract/harness.contract.js";
import { engineContract } from "./engine.contract.js";
import { MemoryEngine, type MemoryEngineOptions } from "./memory-engine.js";

engineContract("MemoryEngine", ({ clock, limits }) => {
  const engine = new MemoryEngine({ clock, ...limits });
  return {
    engine,
    passTime: (ms) => clock.advance(ms),
    startOver: (channel) => engine.startOver(channel),
  };
});

const HOUR_MS = 3_600_000;

function make(options: MemoryEngineOptions = {}): { engine: MemoryEngine; clock: FakeClock } {
  const clock = new FakeClock();
  return { engine: new MemoryEngine({ clock, ...options }), clock };
}

function channelsTo(count: number): ChannelName[] {
  return numbersTo(count).map((n) => parseChannelName(`c:${n}`));
}

/** As JSON, so many characters. */
function text(length: number): string {
  return "x".repeat(length - 2);
}

describe("a memory engine", () => {
  test("says that it keeps nothing beyond the process, and that announcements cannot get lost", () => {
    const { engine } = make();
    expect(engine).toMatchObject({ durable: false, lossy: false });
  });

  test("has the bounds of the contract by default", () => {
    expect(make().engine.limits).toEqual({
      maxBytes: 256 * 1024 * 1024,
      maxChannels: 1_000_000,
      maxStubs: 100_000,
      maxIdempotencyKeys: 100_000,
      idempotencyTtlMs: 300_000,
      forgetAfterMs: 3_600_000,
      maxSessions: 100_000,
    });
  });

  test("has announced a message, in order, before append answers", async () => {
    const { engine } = make();
    const heard = new Heard();
    await engine.listen(BUSY, heard);
    void engine.append(BUSY, draft(1), KEEP_ALL);
    void engine.append(BUSY, draft(2), KEEP_ALL);
    expect(heard.messages.map(({ offset }) => offset)).toEqual([1, 2]);
    await engine.startOver(BUSY);
    expect(heard.resets).toHaveLength(1);
  });

  test("still holds a message, and those before it, while it is announced", async () => {
    const { engine } = make({ maxBytes: 1 });
    await appendAll(engine, BUSY, [1], { messages: 0, ageMs: 0 });
    const pages: Promise<unknown>[] = [];
    const heard = new Heard();
    heard.message = () => void pages.push(engine.read(BUSY, null, NO_LIMIT));
    await engine.listen(BUSY, heard);
    await appendAll(engine, BUSY, [2]);
    expect(await pages[0]).toMatchObject({ first: 2, head: 2, messages: [{ json: "2" }] });
    expect(await engine.read(BUSY, null, NO_LIMIT)).toMatchObject({ first: 3, head: 2, messages: [] });
  });

  test("counts what it holds", async () => {
    const { engine, clock } = make({ maxStubs: 10 });
    expect(engine.stats()).toEqual({
      channels: 0,
      messages: 0,
      bytes: 0,
      stubs: 0,
      idempotencyKeys: 0,
      sessions: 0,
    });
    await appendAll(engine, BUSY, numbersTo(5), { messages: 3, ageMs: 2 * HOUR_MS });
    await engine.append(OTHER, draft(1, { idempotency: { key: "k", principal: "p" } }), KEEP_ALL);
    await engine.listen(QUIET, new Heard());
    await engine.putSession("h", "1", 60_000);
    const full = engine.stats();
    expect(full).toMatchObject({ channels: 3, messages: 4, stubs: 0, idempotencyKeys: 1, sessions: 1 });
    expect(full.bytes).toBeGreaterThan(4 * 200);
    expect(full.bytes).toBeLessThan(4 * 300);

    await engine.startOver(OTHER);
    expect(engine.stats()).toMatchObject({ channels: 3, messages: 3 });
    clock.advance(HOUR_MS + 1000);
    expect(engine.stats()).toEqual({
      channels: 1,
      messages: 0,
      bytes: 0,
      stubs: 2,
      idempotencyKeys: 0,
      sessions: 0,
    });
  });

  test("announces once to a listener that listens twice", async () => {
    const { engine } = make();
    const heard = new Heard();
    await engine.listen(BUSY, heard);
    await engine.listen(BUSY, heard);
    await appendAll(engine, BUSY, [1]);
    expect(heard.messages).toHaveLength(1);
  });

  test("measures the age of messages by the time that passed, not by the time of day", async () => {
    const clock = new WallClock();
    const engine = new MemoryEngine({ clock });
    const retention = { messages: 100, ageMs: 60_000 };
    await appendAll(engine, BUSY, [1], retention);
    clock.turnBack(-HOUR_MS);
    expect((await engine.read(BUSY, null, NO_LIMIT)).first).toBe(1);
    await appendAll(engine, BUSY, [2], retention);
    clock.turnBack(HOUR_MS);
    clock.advance(60_001);
    expect((await engine.read(BUSY, null, NO_LIMIT)).first).toBe(3);
  });

  test("lets go of old messages by itself, without being asked", async () => {
    const { engine, clock } = make();
    await engine.listen(BUSY, new Heard());
    await appendAll(engine, BUSY, numbersTo(5), { messages: 100, ageMs: 10_000 });
    clock.advance(12_000);
    expect(engine.stats()).toMatchObject({ channels: 1, messages: 0, bytes: 0 });
  });

  test("sweeps no more than 5,000 channels at once, and comes to all of them", async () => {
    const { engine, clock } = make({ forgetAfterMs: 10_000 });
    for (const channel of channelsTo(12_000)) await engine.append(channel, draft(1), KEEP_ALL);
    clock.advance(9_999);
    const left: number[] = [];
    for (let sweep = 0; sweep < 5; sweep++) {
      const before = engine.stats().channels;
      clock.advance(1000);
      expect(before - engine.stats().channels).toBeLessThanOrEqual(5000);
      left.push(engine.stats().channels);
    }
    expect(left.at(-1)).toBe(0);
    expect(engine.stats()).toMatchObject({ messages: 0, bytes: 0, stubs: 12_000 });
  });

  test("holds 100,000 channels with listeners, and finds each", async () => {
    const { engine, clock } = make({ forgetAfterMs: 60_000 });
    const channels = channelsTo(100_000);
    const heard = new Heard();
    for (const channel of channels) {
      await engine.listen(channel, heard);
      await engine.append(channel, draft(1), KEEP_ALL);
    }
    clock.advance(30_000);
    expect(engine.stats()).toMatchObject({ channels: 100_000, messages: 100_000 });
    expect(heard.messages).toHaveLength(100_000);
    const heads = await engine.heads(channels);
    expect(heads.every(({ offset }) => offset === 1)).toBe(true);
    for (const channel of channels) engine.unlisten(channel, heard);
    clock.advance(60_000 + 30_000);
    expect(engine.stats()).toMatchObject({ channels: 0, bytes: 0, stubs: 100_000 });
  });

  test("drops everything when it is closed, and sweeps no more", async () => {
    const { engine, clock } = make();
    await appendAll(engine, BUSY, [1, 2]);
    await engine.putSession("h", "1", 60_000);
    await engine.close();
    expect(engine.stats()).toMatchObject({ channels: 0, messages: 0, bytes: 0, sessions: 0 });
    clock.advance(10_000);
    await expect(engine.startOver(BUSY)).rejects.toMatchObject({ code: "unavailable" });
  });
});

describe("the bound of bytes", () => {
  test("is kept by the largest log first, which loses its oldest messages", async () => {
    const { engine } = make({ maxBytes: 100_000 });
    const small = channelsTo(10);
    for (const channel of small) await appendAll(engine, channel, [text(1000), text(1000)]);
    await appendAll(
      engine,
      BUSY,
      Array.from({ length: 200 }, () => text(1000)),
    );
    expect(engine.stats().bytes).toBeLessThanOrEqual(100_000);
    expect(engine.stats().bytes).toBeGreaterThan(97_000);
    for (const channel of small) {
      expect((await engine.read(channel, null, NO_LIMIT)).messages).toHaveLength(2);
    }
    const page = await engine.read(BUSY, null, NO_LIMIT);
    expect(page.head).toBe(200);
    expect(page.first).toBe(200 - page.messages.length + 1);
    expect(page.messages.at(-1)?.offset).toBe(200);
  });

  test("takes from the logs that are large, not from the one that grows", async () => {
    const { engine } = make({ maxBytes: 100_000 });
    await appendAll(
      engine,
      BUSY,
      Array.from({ length: 75 }, () => text(1000)),
    );
    const before = await engine.read(BUSY, null, NO_LIMIT);
    await appendAll(
      engine,
      OTHER,
      Array.from({ length: 25 }, () => text(1000)),
    );
    expect((await engine.read(OTHER, null, NO_LIMIT)).first).toBe(1);
    expect((await engine.read(BUSY, null, NO_LIMIT)).first).toBeGreaterThan(before.first);
    expect(engine.stats().bytes).toBeLessThanOrEqual(100_000);
  });

  test("may cost a message that was just appended, and order stays right", async () => {
    const { engine } = make({ maxBytes: 2000 });
    const { epoch } = await appendAll(engine, BUSY, ["small", text(5000)]);
    expect(await engine.read(BUSY, null, NO_LIMIT)).toEqual({ epoch, first: 3, head: 2, messages: [] });
    expect(engine.stats()).toMatchObject({ messages: 0, bytes: 0 });
    expect((await appendAll(engine, BUSY, ["next"])).offset).toBe(3);
    expect((await engine.read(BUSY, null, NO_LIMIT)).messages).toHaveLength(1);
  });
});

describe("the bound of channels", () => {
  test("counts those with a log and those that are listened to, but no stubs", async () => {
    const { engine, clock } = make({ maxChannels: 2 });
    const heard = new Heard();
    await engine.listen(QUIET, heard);
    await appendAll(engine, BUSY, [1]);
    const refused = { code: "too_many_channels", message: expect.stringMatching(/other:2.*\b2\b/) };
    await expect(engine.listen(OTHER, heard)).rejects.toMatchObject(refused);
    await expect(engine.append(OTHER, draft(1), KEEP_ALL)).rejects.toMatchObject(refused);
    await expect(engine.startOver(OTHER)).rejects.toMatchObject(refused);

    engine.unlisten(QUIET, heard);
    expect((await appendAll(engine, OTHER, [1])).offset).toBe(1);
    await expect(engine.listen(QUIET, heard)).rejects.toMatchObject({ code: "too_many_channels" });
    clock.advance(HOUR_MS + 1000);
    await engine.listen(QUIET, heard);
    expect(engine.stats()).toMatchObject({ channels: 1, stubs: 2 });
  });

  test("does not use up an idempotency key for a message that it refused", async () => {
    const { engine } = make({ maxChannels: 1 });
    const heard = new Heard();
    await engine.listen(QUIET, heard);
    const message = draft(1, { idempotency: { key: "k", principal: "p" } });
    await expect(engine.append(BUSY, message, KEEP_ALL)).rejects.toMatchObject({ code: "too_many_channels" });
    engine.unlisten(QUIET, heard);
    expect(await engine.append(BUSY, message, KEEP_ALL)).toMatchObject({ offset: 1, repeated: false });
  });
});

describe("the bounds of what is remembered", () => {
  test("let the stub go that was not used for the longest", async () => {
    const { engine, clock } = make({ maxStubs: 2 });
    for (const channel of [BUSY, OTHER]) await appendAll(engine, channel, [1]);
    clock.advance(HOUR_MS + 1000);
    await engine.read(BUSY, null, NO_LIMIT);
    await appendAll(engine, QUIET, [1]);
    clock.advance(HOUR_MS + 1000);
    expect(engine.stats().stubs).toBe(2);
    const heads = await engine.heads([BUSY, OTHER, QUIET]);
    expect(heads.map(({ offset }) => offset)).toEqual([1, 0, 1]);
  });

  test("let the oldest idempotency key go", async () => {
    const { engine } = make({ maxIdempotencyKeys: 2 });
    const append = (key: string) =>
      engine.append(BUSY, draft(key, { idempotency: { key, principal: "p" } }), KEEP_ALL);
    for (const key of ["a", "b", "c"]) await append(key);
    expect(engine.stats().idempotencyKeys).toBe(2);
    expect(await append("b")).toMatchObject({ offset: 2, repeated: true });
    expect(await append("c")).toMatchObject({ offset: 3, repeated: true });
    expect(await append("a")).toMatchObject({ offset: 4, repeated: false });
  });

  test("let the session go that would end first", async () => {
    const { engine } = make({ maxSessions: 2 });
    await engine.putSession("long", "1", 60_000);
    await engine.putSession("short", "2", 10_000);
    await engine.putSession("middle", "3", 30_000);
    expect(engine.stats().sessions).toBe(2);
    expect(await engine.takeSession("short")).toBeNull();
    expect(await engine.takeSession("long")).toBe("1");
    expect(await engine.takeSession("middle")).toBe("3");
  });
});

describe("epochs", () => {
  test("never come twice in a life, and tell another life", async () => {
    const { engine } = make();
    const seen = new Set([(await headOf(engine, QUIET)).epoch]);
    for (let round = 0; round < 1000; round++) seen.add((await engine.startOver(BUSY)).epoch);
    expect(seen.size).toBe(1001);
    expect(new Set([...seen].map((epoch) => epoch.slice(0, 8))).size).toBe(1);

    const next = make().engine;
    const after = await headOf(engine, QUIET);
    expect((await next.read(QUIET, after, NO_LIMIT)).lost).toBe("restarted");
  });
});
