import { type ChannelName, parseChannelName } from "@fanfare/protocol";
import { describe, expect, test } from "vitest";
import { COSTS } from "../../base/costs.js";
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
  OTHER,
  offsetsOf,
  QUIET,
  WallClock,
} from "../contract/harness.contract.js";
import { engineContract } from "../engine.contract.js";
import { DEFAULT_SHARE, NO_HOLDINGS } from "../shares.js";
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
      share: DEFAULT_SHARE,
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
    await engine.logs.listen(BUSY, heard);
    void engine.logs.append(BUSY, draft(1), KEEP_ALL);
    void engine.logs.append(BUSY, draft(2), KEEP_ALL);
    expect(heard.messages.map(({ offset }) => offset)).toEqual([1, 2]);
    await engine.startOver(BUSY);
    expect(heard.resets).toHaveLength(1);
  });

  test("still holds a message, and those before it, while it is announced", async () => {
    const { engine } = make({ maxBytes: 1 });
    await appendAll(engine, BUSY, [1], { messages: 0, ageMs: 0 });
    const pages: Promise<unknown>[] = [];
    const heard = new Heard();
    heard.message = () => void pages.push(engine.logs.read(BUSY, null, NO_LIMIT));
    await engine.logs.listen(BUSY, heard);
    await appendAll(engine, BUSY, [2]);
    expect(await pages[0]).toMatchObject({ first: 2, head: 2, messages: [{ json: "2" }] });
    expect(await engine.logs.read(BUSY, null, NO_LIMIT)).toMatchObject({ first: 3, head: 2, messages: [] });
  });

  test("counts what it holds", async () => {
    const { engine, clock } = make({ maxStubs: 10 });
    expect(engine.stats()).toEqual({
      channels: 0,
      messages: 0,
      bytes: 0,
      stubs: 0,
      owned: NO_HOLDINGS,
      mostOwned: NO_HOLDINGS,
      refusedShares: NO_HOLDINGS,
      idempotencyKeys: 0,
      sessions: 0,
    });
    await appendAll(engine, BUSY, numbersTo(5), { messages: 3, ageMs: 2 * HOUR_MS });
    await engine.logs.append(OTHER, draft(1, { idempotency: { key: "k", principal: "p" } }), KEEP_ALL);
    await engine.logs.listen(QUIET, new Heard());
    await engine.sessions.put("h", "1", 60_000);
    const full = engine.stats();
    expect(full).toMatchObject({ channels: 3, messages: 4, stubs: 0, idempotencyKeys: 1, sessions: 1 });
    expect(full.bytes).toBeGreaterThan(4 * COSTS.message);
    expect(full.bytes).toBeLessThan(4 * (COSTS.message + 100));
    // Three channels, a key and a session are counted beside.
    const beside = 3 * COSTS.channel + COSTS.idempotencyKey + COSTS.session;
    expect(engine.heapBytes()).toBe(full.bytes + beside);
    expect(engine.looseBytes()).toBe(full.bytes);

    await engine.startOver(OTHER);
    expect(engine.stats()).toMatchObject({ channels: 3, messages: 3 });
    clock.advance(HOUR_MS + 1000);
    expect(engine.stats()).toEqual({
      channels: 1,
      messages: 0,
      bytes: 0,
      stubs: 2,
      owned: NO_HOLDINGS,
      mostOwned: NO_HOLDINGS,
      refusedShares: NO_HOLDINGS,
      idempotencyKeys: 0,
      sessions: 0,
    });
  });

  test("counts what each kind of thing takes of the heap, and gives it back", async () => {
    const { engine, clock } = make();
    const counted = () => engine.heapBytes() - (engine.stats().bytes ?? 0);
    const owner = "user alice";
    const kinds: [number, () => Promise<unknown>][] = [
      [COSTS.channel, () => engine.logs.append(BUSY, draft(1), KEEP_ALL)],
      [COSTS.channel + COSTS.owner, () => engine.logs.append(OTHER, draft(1, { owner }), KEEP_ALL)],
      [
        COSTS.idempotencyKey + COSTS.owner,
        () =>
          engine.logs.append(OTHER, draft(1, { owner, idempotency: { key: "k", principal: "p" } }), KEEP_ALL),
      ],
      [COSTS.session, () => engine.sessions.put("h", "1", 60_000)],
      [COSTS.session + COSTS.owner, () => engine.sessions.put("i", "1", 60_000, owner)],
      [COSTS.spaceValue + 8, () => engine.space("keys").compareAndSet("key", null, "value")],
      // The log goes with what its owner has; a stub stays, with whose it is.
      [COSTS.stub - COSTS.channel, () => engine.logs.remove(OTHER)],
      [COSTS.stub - COSTS.channel, () => engine.logs.remove(BUSY)],
    ];
    let sum = 0;
    for (const [cost, act] of kinds) {
      await act();
      sum += cost;
      expect(counted()).toBe(sum);
    }
    clock.advance(HOUR_MS);
    expect(counted()).toBe(2 * COSTS.stub + COSTS.owner + COSTS.spaceValue + 8);
  });

  test("announces once to a listener that listens twice", async () => {
    const { engine } = make();
    const heard = new Heard();
    await engine.logs.listen(BUSY, heard);
    await engine.logs.listen(BUSY, heard);
    await appendAll(engine, BUSY, [1]);
    expect(heard.messages).toHaveLength(1);
  });

  test("measures the age of messages by the time that passed, not by the time of day", async () => {
    const clock = new WallClock();
    const engine = new MemoryEngine({ clock });
    const retention = { messages: 100, ageMs: 60_000 };
    await appendAll(engine, BUSY, [1], retention);
    clock.turnBack(-HOUR_MS);
    expect((await engine.logs.read(BUSY, null, NO_LIMIT)).first).toBe(1);
    await appendAll(engine, BUSY, [2], retention);
    clock.turnBack(HOUR_MS);
    clock.advance(60_001);
    expect((await engine.logs.read(BUSY, null, NO_LIMIT)).first).toBe(3);
  });

  test("lets go of old messages by itself, without being asked", async () => {
    const { engine, clock } = make();
    await engine.logs.listen(BUSY, new Heard());
    await appendAll(engine, BUSY, numbersTo(5), { messages: 100, ageMs: 10_000 });
    clock.advance(12_000);
    expect(engine.stats()).toMatchObject({ channels: 1, messages: 0, bytes: 0 });
  });

  test("sweeps no more than 500 channels and keys at once, and comes to all of them", async () => {
    const { engine, clock } = make({ forgetAfterMs: 10_000, idempotencyTtlMs: 10_000 });
    for (const channel of channelsTo(12_000)) {
      const idempotency = { key: "k", principal: "p" };
      await engine.logs.append(channel, draft(1, { idempotency }), KEEP_ALL);
    }
    clock.advance(9_999);
    for (let sweep = 0; sweep < 50; sweep++) {
      const before = engine.stats();
      clock.advance(100);
      const after = engine.stats();
      expect(before.channels - after.channels).toBeLessThanOrEqual(500);
      expect(before.idempotencyKeys - after.idempotencyKeys).toBeLessThanOrEqual(500);
    }
    expect(engine.stats()).toMatchObject({ channels: 0, idempotencyKeys: 0 });
    expect(engine.stats()).toMatchObject({ messages: 0, bytes: 0, stubs: 12_000 });
  });

  test("holds 100,000 channels with listeners, and finds each", async () => {
    const { engine, clock } = make({ forgetAfterMs: 60_000 });
    const channels = channelsTo(100_000);
    const heard = new Heard();
    for (const channel of channels) {
      await engine.logs.listen(channel, heard);
      await engine.logs.append(channel, draft(1), KEEP_ALL);
    }
    clock.advance(30_000);
    expect(engine.stats()).toMatchObject({ channels: 100_000, messages: 100_000 });
    expect(heard.messages).toHaveLength(100_000);
    const heads = await engine.logs.heads(channels);
    expect(heads.every(({ offset }) => offset === 1)).toBe(true);
    for (const channel of channels) engine.logs.unlisten(channel, heard);
    clock.advance(60_000 + 30_000);
    expect(engine.stats()).toMatchObject({ channels: 0, bytes: 0, stubs: 100_000 });
  });

  test("drops everything when it is closed, and sweeps no more", async () => {
    const { engine, clock } = make();
    await appendAll(engine, BUSY, [1, 2]);
    await engine.sessions.put("h", "1", 60_000);
    await engine.close();
    expect(engine.stats()).toMatchObject({ channels: 0, messages: 0, bytes: 0, sessions: 0 });
    clock.advance(10_000);
    await expect(engine.startOver(BUSY)).rejects.toMatchObject({ code: "unavailable" });
  });
});

describe("the bound of bytes", () => {
  test("is not all one owner's, however small each of their logs is: the history of others stays", async () => {
    const { engine, clock } = make({ maxBytes: 100_000, maxStubs: 0 });
    const others = numbersTo(10);
    await appendAll(
      engine,
      BUSY,
      others.map(() => "x".repeat(1000)),
    );
    await engine.logs.append(OTHER, draft("y".repeat(1000), { owner: "user bob" }), KEEP_ALL);
    const alices = channelsTo(400);
    const before = engine.heapBytes();
    for (let round = 0; round < 3; round++) {
      for (const channel of alices) {
        await engine.logs.append(channel, draft("z".repeat(500), { owner: "user alice" }), KEEP_ALL);
      }
    }
    expect(engine.stats().bytes).toBeLessThanOrEqual(100_000);
    expect(offsetsOf((await engine.logs.read(BUSY, null, NO_LIMIT)).messages)).toEqual(others);
    expect((await engine.logs.read(OTHER, null, NO_LIMIT)).messages).toHaveLength(1);
    // What is forgotten or removed no longer counts for its owner.
    for (const channel of alices) await engine.logs.remove(channel);
    clock.advance(1000);
    expect(engine.stats()).toMatchObject({ messages: 11 });
    expect(engine.heapBytes()).toBe(before);
    for (const channel of alices.slice(0, 30)) {
      await engine.logs.append(channel, draft("z".repeat(500), { owner: "user alice" }), KEEP_ALL);
    }
    expect(engine.stats()).toMatchObject({ messages: 41 });
  });

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
      expect((await engine.logs.read(channel, null, NO_LIMIT)).messages).toHaveLength(2);
    }
    const page = await engine.logs.read(BUSY, null, NO_LIMIT);
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
    const before = await engine.logs.read(BUSY, null, NO_LIMIT);
    await appendAll(
      engine,
      OTHER,
      Array.from({ length: 25 }, () => text(1000)),
    );
    expect((await engine.logs.read(OTHER, null, NO_LIMIT)).first).toBe(1);
    expect((await engine.logs.read(BUSY, null, NO_LIMIT)).first).toBeGreaterThan(before.first);
    expect(engine.stats().bytes).toBeLessThanOrEqual(100_000);
  });

  test("may cost a message that was just appended, and order stays right", async () => {
    const { engine } = make({ maxBytes: 2000 });
    const { epoch } = await appendAll(engine, BUSY, ["small", text(5000)]);
    expect(await engine.logs.read(BUSY, null, NO_LIMIT)).toEqual({ epoch, first: 3, head: 2, messages: [] });
    expect(engine.stats()).toMatchObject({ messages: 0, bytes: 0 });
    expect((await appendAll(engine, BUSY, ["next"])).offset).toBe(3);
    expect((await engine.logs.read(BUSY, null, NO_LIMIT)).messages).toHaveLength(1);
  });
});

describe("the bound of channels", () => {
  test("counts those with a log and those that are listened to, but no stubs", async () => {
    const { engine, clock } = make({ maxChannels: 2 });
    const heard = new Heard();
    await engine.logs.listen(QUIET, heard);
    await appendAll(engine, BUSY, [1]);
    const refused = { code: "too_many_channels", message: expect.stringMatching(/other:2.*\b2\b/) };
    await expect(engine.logs.listen(OTHER, heard)).rejects.toMatchObject(refused);
    await expect(engine.logs.append(OTHER, draft(1), KEEP_ALL)).rejects.toMatchObject(refused);
    await expect(engine.startOver(OTHER)).rejects.toMatchObject(refused);

    engine.logs.unlisten(QUIET, heard);
    expect((await appendAll(engine, OTHER, [1])).offset).toBe(1);
    await expect(engine.logs.listen(QUIET, heard)).rejects.toMatchObject({ code: "too_many_channels" });
    clock.advance(HOUR_MS + 1000);
    await engine.logs.listen(QUIET, heard);
    expect(engine.stats()).toMatchObject({ channels: 1, stubs: 2 });
  });

  test("does not use up an idempotency key for a message that it refused", async () => {
    const { engine } = make({ maxChannels: 1 });
    const heard = new Heard();
    await engine.logs.listen(QUIET, heard);
    const message = draft(1, { idempotency: { key: "k", principal: "p" } });
    await expect(engine.logs.append(BUSY, message, KEEP_ALL)).rejects.toMatchObject({
      code: "too_many_channels",
    });
    engine.logs.unlisten(QUIET, heard);
    expect(await engine.logs.append(BUSY, message, KEEP_ALL)).toMatchObject({ offset: 1, repeated: false });
  });
});

describe("the bounds of what is remembered", () => {
  test("let the stub go that was not used for the longest", async () => {
    const { engine, clock } = make({ maxStubs: 2 });
    for (const channel of [BUSY, OTHER]) await appendAll(engine, channel, [1]);
    clock.advance(HOUR_MS + 1000);
    await engine.logs.read(BUSY, null, NO_LIMIT);
    await appendAll(engine, QUIET, [1]);
    clock.advance(HOUR_MS + 1000);
    expect(engine.stats().stubs).toBe(2);
    const heads = await engine.logs.heads([BUSY, OTHER, QUIET]);
    expect(heads.map(({ offset }) => offset)).toEqual([1, 0, 1]);
  });

  test("let the oldest idempotency key go", async () => {
    const { engine } = make({ maxIdempotencyKeys: 2 });
    const append = (key: string) =>
      engine.logs.append(BUSY, draft(key, { idempotency: { key, principal: "p" } }), KEEP_ALL);
    for (const key of ["a", "b", "c"]) await append(key);
    expect(engine.stats().idempotencyKeys).toBe(2);
    expect(await append("b")).toMatchObject({ offset: 2, repeated: true });
    expect(await append("c")).toMatchObject({ offset: 3, repeated: true });
    expect(await append("a")).toMatchObject({ offset: 4, repeated: false });
  });

  test("let the session go that would end first", async () => {
    const { engine } = make({ maxSessions: 2 });
    await engine.sessions.put("long", "1", 60_000);
    await engine.sessions.put("short", "2", 10_000);
    await engine.sessions.put("middle", "3", 30_000);
    expect(engine.stats().sessions).toBe(2);
    expect(await engine.sessions.take("short")).toBeNull();
    expect(await engine.sessions.take("long")).toBe("1");
    expect(await engine.sessions.take("middle")).toBe("3");
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
    expect((await next.logs.read(QUIET, after, NO_LIMIT)).lost).toBe("restarted");
  });
});
