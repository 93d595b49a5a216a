import { statSync } from "node:fs";
import { join } from "node:path";
import { type ChannelName, parseChannelName } from "@fanfare/protocol";
import { describe, expect, onTestFinished, test } from "vitest";
import { aFolder } from "../../testing/a-folder.js";
import { FakeClock, turns } from "../../testing/fake-clock.js";
import { Lines } from "../../testing/lines.js";
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
  setState,
  valuesOf,
} from "../contract/harness.contract.js";
import { engineContract } from "../engine.contract.js";
import { DiskEngine } from "./disk-engine.js";
import type { DiskEngineOptions } from "./disk-options.js";
import { openFile, TABLES } from "./store/store.js";

engineContract("DiskEngine", async ({ clock, limits }) => {
  const engine = await DiskEngine.open({
    dataDir: aFolder(),
    clock,
    ...limits,
    forgetHeldAfterMs: limits.forgetAfterMs,
  });
  return {
    engine,
    async passTime(ms) {
      clock.advance(ms);
      // The first may have begun before the time had passed.
      await engine.sweep();
      await engine.sweep();
    },
    startOver: (channel) => engine.startOver(channel),
  };
});

const HOUR_MS = 3_600_000;
const MiB = 2 ** 20;

/** An engine that can be closed and opened again on the same folder. */
async function open(options: DiskEngineOptions = {}) {
  const dataDir = aFolder();
  const clock = new FakeClock();
  let engine = await DiskEngine.open({ dataDir, clock, ...options });
  onTestFinished(() => engine.close());
  return {
    dataDir,
    clock,
    engine,
    async reopen(): Promise<DiskEngine> {
      await engine.close();
      engine = await DiskEngine.open({ dataDir, clock, ...options });
      return engine;
    },
  };
}

/** As JSON, so many characters. */
function text(length: number): string {
  return "x".repeat(length - 2);
}

describe("a disk engine that is opened again", () => {
  test("says that it keeps everything, and that announcements cannot get lost", async () => {
    const { engine } = await open();
    expect(engine).toMatchObject({ durable: true, lossy: false, trouble: null });
  });

  test("goes on where it stood, in the same epoch, with every message as it was", async () => {
    const { engine, reopen } = await open();
    const whole = { event: "Ändern", json: '{"é":"😀"}', user: "ann", except: "c1" };
    await engine.logs.append(BUSY, { ...whole, idempotency: { key: "k", principal: "p" } }, KEEP_ALL);
    const position = await appendAll(engine, BUSY, [2, 3]);
    const before = await engine.logs.read(BUSY, null, NO_LIMIT);

    const again = await reopen();
    expect(await headOf(again, BUSY)).toStrictEqual(position);
    expect(await again.logs.read(BUSY, null, NO_LIMIT)).toStrictEqual(before);
    expect(await again.logs.list(null, 10)).toMatchObject([{ channel: BUSY, first: 1, head: 3 }]);
    expect(await appendAll(again, BUSY, [4])).toStrictEqual({ epoch: position.epoch, offset: 4 });
    const page = await again.logs.read(BUSY, { ...position, offset: 2 }, NO_LIMIT);
    expect(page.lost).toBeUndefined();
    expect(valuesOf(page.messages)).toEqual([3, 4]);
  });

  test("knows that nothing was forgotten: a position of an empty channel stays good", async () => {
    const { engine, reopen } = await open();
    const born = await headOf(engine, QUIET);
    const again = await reopen();
    expect(await headOf(again, QUIET)).toStrictEqual(born);
    await appendAll(again, QUIET, [1]);
    expect(valuesOf((await again.logs.read(QUIET, born, NO_LIMIT)).messages)).toEqual([1]);
  });

  test("knows that something was forgotten, too", async () => {
    const { engine, clock, reopen } = await open({ maxStubs: 0, forgetHeldAfterMs: HOUR_MS });
    const born = await headOf(engine, QUIET);
    await appendAll(engine, BUSY, [1]);
    clock.advance(HOUR_MS + 2000);
    await engine.sweep();
    await engine.sweep();
    const reborn = await headOf(engine, QUIET);
    expect(reborn.epoch).not.toBe(born.epoch);
    const again = await reopen();
    expect(await headOf(again, QUIET)).toStrictEqual(reborn);
    expect(await again.logs.read(QUIET, born, NO_LIMIT)).toMatchObject({ lost: "forgotten" });
  });

  test("remembers stubs, idempotency keys and sessions", async () => {
    const { engine, clock, reopen } = await open({ forgetHeldAfterMs: HOUR_MS });
    const stub = await appendAll(engine, OTHER, [1, 2]);
    clock.advance(HOUR_MS + 2000);
    await engine.sweep();
    await engine.sweep();
    const idempotency = { key: "order-1", principal: "shop" };
    const first = await engine.logs.append(BUSY, draft("paid", { idempotency }), KEEP_ALL);
    await engine.sessions.put("h", "s", 60_000);

    const again = await reopen();
    expect(again.stats()).toMatchObject({ channels: 1, stubs: 1, idempotencyKeys: 1, sessions: 1 });
    expect(await headOf(again, OTHER)).toStrictEqual(stub);
    const repeated = await again.logs.append(BUSY, draft("paid", { idempotency }), KEEP_ALL);
    expect(repeated).toStrictEqual({ ...first, repeated: true });
    const otherwise = again.logs.append(BUSY, draft("sent", { idempotency }), KEEP_ALL);
    await expect(otherwise).rejects.toMatchObject({ code: "id_reused" });
    expect(await again.sessions.take("h")).toBe("s");
    expect(await (await reopen()).sessions.take("h")).toBeNull();
  });

  test("makes no epoch twice, though those that were made last did not reach the disk", async () => {
    const { engine, reopen } = await open();
    const epochs = new Set([(await headOf(engine, BUSY)).epoch]);
    let opened = engine;
    for (let round = 1; round <= 3; round++) {
      epochs.add((await opened.startOver(BUSY)).epoch);
      opened = await reopen();
      epochs.add((await opened.startOver(OTHER)).epoch);
      expect(epochs.size).toBe(1 + 2 * round);
    }
  });

  test("lets what it keeps grow old while it is closed", async () => {
    const dataDir = aFolder();
    const began = Date.UTC(2026, 0, 1);
    const first = await DiskEngine.open({ dataDir, clock: new FakeClock(began) });
    await appendAll(first, BUSY, [1], { messages: 10, ageMs: 60_000 });
    await appendAll(first, OTHER, [1], { messages: 10, ageMs: 120_000 });
    for (const [hash, ttlMs] of [
      ["h", 60_000],
      ["i", 120_000],
    ] as const)
      await first.sessions.put(hash, "s", ttlMs);
    await first.close();
    const second = await DiskEngine.open({ dataDir, clock: new FakeClock(began + 61_000) });
    onTestFinished(() => second.close());
    const left = async (channel: ChannelName) =>
      (await second.logs.read(channel, null, NO_LIMIT)).messages.length;
    expect([await left(BUSY), await left(OTHER)]).toEqual([0, 1]);
    expect([await second.sessions.take("h"), await second.sessions.take("i")]).toEqual([null, "s"]);
  });

  test("lets nothing grow old, or young, because the time of day was set back while it was closed", async () => {
    const dataDir = aFolder();
    const late = await DiskEngine.open({ dataDir, clock: new FakeClock(Date.UTC(2026, 5, 1)) });
    const retention = { messages: 10, ageMs: 60_000 };
    await appendAll(late, BUSY, [1], retention);
    await late.close();
    const clock = new FakeClock(Date.UTC(2026, 0, 1));
    const early = await DiskEngine.open({ dataDir, clock });
    onTestFinished(() => early.close());
    expect(offsetsOf((await early.logs.read(BUSY, null, NO_LIMIT)).messages)).toEqual([1]);
    clock.advance(61_000);
    expect((await early.logs.read(BUSY, null, NO_LIMIT)).messages).toEqual([]);
    await appendAll(early, BUSY, [2], retention);
    expect((await early.logs.read(BUSY, null, NO_LIMIT)).messages[0]?.time).toBe(Date.UTC(2026, 5, 1));
  });
});

describe("a message on its way to the disk", () => {
  test("is shown to nobody before it is there, then to all, in order", async () => {
    const { engine } = await open();
    const heard = new Heard();
    const born = await engine.logs.listen(BUSY, heard);
    const appending = numbersTo(5).map((n) => engine.logs.append(BUSY, draft(n), KEEP_ALL));
    expect(await headOf(engine, BUSY)).toStrictEqual(born);
    expect(await engine.logs.read(BUSY, null, NO_LIMIT)).toMatchObject({ head: 0, messages: [] });
    expect(heard.offsets).toEqual([]);
    await appending[0];
    expect(heard.messages.map(({ offset }) => offset).slice(0, 1)).toEqual([1]);
    await Promise.all(appending);
    expect(heard.messages.map(({ offset }) => offset)).toEqual(numbersTo(5));
    expect(await headOf(engine, BUSY)).toStrictEqual({ epoch: born.epoch, offset: 5 });
  });

  test("shares its commit with all that were published in the same turn", async () => {
    const { engine } = await open();
    const commits = () => engine.stats().commits?.counts.reduce((sum, count) => sum + count, 0) ?? 0;
    const before = commits();
    await Promise.all(numbersTo(500).map((n) => engine.logs.append(BUSY, draft(n), KEEP_ALL)));
    expect(commits() - before).toBe(1);
  });

  test("makes whoever repeats it wait, too", async () => {
    const { engine } = await open();
    const order: string[] = [];
    const idempotency = { key: "k", principal: "p" };
    const append = (name: string) =>
      engine.logs.append(BUSY, draft(1, { idempotency }), KEEP_ALL).then(() => order.push(name));
    await Promise.all([append("first"), append("repeated")]);
    expect(order).toEqual(["first", "repeated"]);
  });
});

describe("a session on its way to the disk", () => {
  test("is answered for only when it is there: put, renewed and taken", async () => {
    let hold: Promise<void> | null = null;
    const { engine } = await open({
      // So large that the disk is asked before each commit.
      reserveBytes: 300 * MiB,
      async askFree() {
        await hold;
        return 1000 * MiB;
      },
    });
    const calls = [
      () => engine.sessions.put("h", "s", 60_000),
      () => engine.sessions.renew("h", 60_000),
      () => engine.sessions.take("h"),
      () => engine.space("locks").compareAndSet("a", null, "1"),
    ];
    const answers: unknown[] = [];
    for (const call of calls) {
      let release = () => {};
      hold = new Promise<void>((done) => {
        release = done;
      });
      let answered = false;
      const calling = call().then((answer) => {
        answered = true;
        answers.push(answer);
      });
      for (let turn = 0; turn < 20; turn++) await new Promise((next) => setImmediate(next));
      expect(answered).toBe(false);
      release();
      await calling;
    }
    expect(answers).toEqual([undefined, true, "s", true]);
  });
});

describe("the room that all logs take", () => {
  test("is given back whole: when all have gone, no table has anything but what the store knows of itself", async () => {
    const { engine, clock, dataDir } = await open({ maxStubs: 0, forgetHeldAfterMs: HOUR_MS });
    const retention = { messages: 3, ageMs: 60_000 };
    for (const n of numbersTo(300)) {
      const idempotency = { key: `k${n}`, principal: "p" };
      await engine.logs.append(channelOf(n % 60), draft(text(500), { idempotency, owner: "ann" }), retention);
    }
    for (const n of numbersTo(5)) await setState(engine, channelOf(n), { n });
    for (const n of numbersTo(5)) await setState(engine, channelOf(n), null, retention);
    await engine.sessions.put("h", "s", 60_000, "ann");
    await engine.startOver(channelOf(7));
    await engine.logs.remove(channelOf(8));
    for (let hours = 0; hours < 6; hours++) {
      clock.advance(HOUR_MS);
      await engine.sweep();
    }
    await engine.close();
    const env = await openFile(join(dataDir, "data.mdb"), { readOnly: true });
    onTestFinished(() => env.close());
    const sizes = TABLES.map((name) => {
      const table = env.openDB({ name, encoding: "binary", keyEncoding: "binary" });
      return [name, table.getKeysCount()];
    });
    expect(sizes.filter(([, size]) => size !== 0)).toEqual([["ledger", 1]]);
  });

  test("is bounded: the largest log loses its oldest messages first", async () => {
    const { engine } = await open({ maxBytes: 100_000 });
    await appendAll(engine, OTHER, [text(900)]);
    await appendAll(
      engine,
      BUSY,
      numbersTo(300).map(() => text(900)),
    );
    expect(engine.stats().bytes).toBeLessThanOrEqual(100_000);
    expect(offsetsOf((await engine.logs.read(OTHER, null, NO_LIMIT)).messages)).toEqual([1]);
    const { first, head } = await engine.logs.read(BUSY, null, NO_LIMIT);
    expect(head).toBe(300);
    expect(first).toBeGreaterThan(150);
  });

  test("is bounded to the byte: each commit lets go of as many messages as it has to, of all logs together, and of none more", async () => {
    const probe = await open();
    await appendAll(probe.engine, channelOf(10), [text(500)]);
    const each = probe.engine.stats().bytes ?? 0;
    const most = 40;
    const { engine, reopen } = await open({ maxBytes: most * each });
    let sent = 0;
    const heads = new Map<ChannelName, number>();
    for (const [count, channels] of [
      [39, 3],
      [1, 1],
      [1, 1],
      [2, 2],
      [30, 30],
      [60, 7],
      [45, 1],
      [90, 3],
    ] as const) {
      const names = numbersTo(count).map((n) => channelOf(10 + (n % channels)));
      await Promise.all(names.map((name) => engine.logs.append(name, draft(text(500)), KEEP_ALL)));
      sent += count;
      for (const name of names) heads.set(name, (heads.get(name) ?? 0) + 1);
      expect(engine.stats()).toMatchObject({
        messages: Math.min(sent, most),
        bytes: each * Math.min(sent, most),
      });
    }
    // What is told to be held is held, and what was let go of is not told.
    for (const next of [async () => engine, reopen]) {
      const opened = await next();
      const held: number[] = [];
      for (const { channel, first = 0, head } of await opened.logs.list(null, 100)) {
        expect(head).toBe(heads.get(channel));
        const page = await opened.logs.read(channel, null, NO_LIMIT);
        expect(page.first).toBe(first);
        expect(offsetsOf(page.messages)).toEqual(numbersTo(head - first + 1).map((n) => first + n - 1));
        held.push(page.messages.length);
      }
      expect(held.reduce((sum, each) => sum + each, 0)).toBe(most);
      // Those that were cut last were as large as each other, and nearly are so still.
      const three = held.filter((each) => each > 0);
      expect(2 * Math.min(...three) + 1).toBeGreaterThanOrEqual(Math.max(...three));
    }
  });

  test("is used again: the file does not grow with what was published, only with what is held", async () => {
    const { engine, dataDir } = await open({ maxBytes: 2 * MiB });
    const fill = async () => {
      for (let round = 0; round < 20; round++) {
        await Promise.all(
          numbersTo(500).map((n) => engine.logs.append(channelOf(n % 50), draft(text(1000)), KEEP_ALL)),
        );
      }
    };
    const bytes = () => statSync(join(dataDir, "data.mdb")).size;
    await fill();
    const once = bytes();
    for (let time = 0; time < 3; time++) await fill();
    expect(bytes()).toBeLessThan(1.5 * once);
    expect(once).toBeLessThan(20 * MiB);
  });

  test("is given back by what has grown old, and by logs that were started over", async () => {
    const { engine, clock } = await open();
    const retention = { messages: 1000, ageMs: 60_000 };
    await Promise.all(
      numbersTo(1600).map((n) => engine.logs.append(BUSY, draft(n), { ...retention, messages: 2000 })),
    );
    await appendAll(engine, OTHER, numbersTo(20), retention);
    await engine.startOver(OTHER);
    clock.advance(61_000);
    for (let sweep = 0; sweep < 5; sweep++) await engine.sweep();
    expect(engine.stats()).toMatchObject({ messages: 0, bytes: 0, channels: 2 });
    expect(await headOf(engine, BUSY)).toMatchObject({ offset: 1600 });
  });

  test("is given back bit by bit: one sweep does not do it all", async () => {
    const { engine, clock } = await open();
    const retention = { messages: 1000, ageMs: 60_000 };
    const all = 12 * 600;
    await Promise.all(numbersTo(all).map((n) => engine.logs.append(channelOf(n % 12), draft(n), retention)));
    clock.advance(61_000);
    await engine.sweep();
    const { messages = 0 } = engine.stats();
    expect(messages).toBeGreaterThan(all - 6000);
    expect(messages).toBeLessThan(all - 4000);
    for (let sweep = 0; sweep < 3; sweep++) await engine.sweep();
    expect(engine.stats()).toMatchObject({ messages: 0, bytes: 0 });
  });

  test("is given back without keeping others waiting: 500 messages at most, or 200 channels, in one turn", async () => {
    const clock = new FakeClock();
    let turned = () => {};
    const endOfTurn = clock.endOfTurn.bind(clock);
    clock.endOfTurn = (call) =>
      endOfTurn(() => {
        turned();
        call();
      });
    const { engine } = await open({ clock });
    let size = 1;
    /** How many messages each turn removes. */
    async function sweep(): Promise<number[]> {
      const removed: number[] = [];
      let before = engine.stats().bytes ?? 0;
      turned = () => {
        const { bytes = 0 } = engine.stats();
        removed.push((before - bytes) / size);
        before = bytes;
      };
      await engine.sweep();
      turned();
      return removed;
    }
    const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
    const { length: turnsWithoutWork } = await sweep();

    const channels = numbersTo(450).map(channelOf);
    const old = { messages: 10_000, ageMs: 60_000 };
    await Promise.all([
      ...[BUSY, OTHER].flatMap((name) =>
        numbersTo(1200).map(() => engine.logs.append(name, draft("x"), old)),
      ),
      ...channels.map((name) => engine.logs.append(name, draft("x"), KEEP_ALL)),
    ]);
    size = (engine.stats().bytes ?? 0) / (2400 + channels.length);
    clock.advance(61_000);
    const removed = await sweep();
    // What was cut short is looked at again by a later sweep.
    expect(sum(removed)).toBeCloseTo(1000);
    expect(Math.max(...removed)).toBeCloseTo(500);
    for (let sweeps = 0; sweeps < 3; sweeps++) await sweep();
    expect(engine.stats()).toMatchObject({ messages: channels.length });
    // Of 452 channels, 200 are looked at before others come in, and then 200 more.
    expect(await sweep()).toHaveLength(turnsWithoutWork + 2);

    // What was thrown away as a whole goes 2,000 messages at a time.
    await Promise.all(numbersTo(2500).map(() => engine.logs.append(BUSY, draft("x"), old)));
    await engine.startOver(BUSY);
    expect(sum(await sweep())).toBeCloseTo(2000);
    await sweep();
    expect(engine.stats()).toMatchObject({ messages: channels.length });
  });

  test("is not looked at by writing: where nothing has changed, sweeps commit nothing", async () => {
    const { engine } = await open();
    await appendAll(engine, BUSY, [1, 2, 3]);
    await engine.sweep();
    const commits = () => [...(engine.stats().commits?.counts ?? [])];
    const before = commits();
    for (let sweep = 0; sweep < 3; sweep++) await engine.sweep();
    expect(before.some((count) => count > 0)).toBe(true);
    expect(commits()).toEqual(before);
  });

  test("is not used for messages that a rule has let go of already, when a log is cut for others", async () => {
    const { engine } = await open({ maxBytes: 100_000 });
    await Promise.all(numbersTo(100).map(() => engine.logs.append(BUSY, draft(text(800)), KEEP_ALL)));
    await engine.logs.append(BUSY, draft(text(800)), { ...KEEP_ALL, messages: 3 });
    await Promise.all(numbersTo(40).map(() => engine.logs.append(OTHER, draft(text(800)), KEEP_ALL)));
    const { first, messages } = await engine.logs.read(BUSY, null, NO_LIMIT);
    expect(first).toBe(99);
    expect(offsetsOf(messages)).toEqual([99, 100, 101]);
  });

  test("is counted in whole pages where a message is larger than fits into one", async () => {
    const { engine } = await open();
    const added = async (length: number) => {
      const before = engine.stats().bytes ?? 0;
      await appendAll(engine, BUSY, [text(length)]);
      return (engine.stats().bytes ?? 0) - before;
    };
    expect(await added(1000)).toBeGreaterThan(1000);
    expect(await added(1000)).toBeLessThan(1100);
    for (const length of [5000, 8000]) {
      expect(await added(length)).toBeGreaterThanOrEqual(2 * 4096);
      expect(await added(length)).toBeLessThan(2 * 4096 + 100);
    }
  });

  test("is bounded only by the others where a rule keeps messages without end", async () => {
    const { engine, clock, reopen } = await open();
    const forever = { messages: Number.POSITIVE_INFINITY, ageMs: Number.POSITIVE_INFINITY };
    await appendAll(engine, BUSY, [1, 2], forever);
    clock.advance(10 * HOUR_MS);
    await engine.sweep();
    const again = await reopen();
    await appendAll(again, BUSY, [3], forever);
    expect(valuesOf((await again.logs.read(BUSY, null, NO_LIMIT)).messages)).toEqual([1, 2, 3]);
  });

  test("is given back by the last of many channels, though those before it keep all they have", async () => {
    const { engine, clock } = await open();
    const many = numbersTo(2100);
    await Promise.all(many.map((n) => engine.logs.append(channelOf(n), draft(n), KEEP_ALL)));
    const last = parseChannelName("z");
    await appendAll(engine, last, [1, 2, 3], { messages: 10, ageMs: 60_000 });
    clock.advance(61_000);
    // One looks at 2,000 channels, and at no more.
    await engine.sweep();
    expect(engine.stats()).toMatchObject({ messages: many.length + 3 });
    await engine.sweep();
    expect(engine.stats()).toMatchObject({ messages: many.length, channels: many.length + 1 });
  });

  test("is not given back by an idle channel before its messages have grown old", async () => {
    const { engine, clock } = await open();
    await appendAll(engine, BUSY, [1], { messages: 10, ageMs: 3 * HOUR_MS });
    clock.advance(2 * HOUR_MS);
    await engine.sweep();
    await engine.sweep();
    expect(offsetsOf((await engine.logs.read(BUSY, null, NO_LIMIT)).messages)).toEqual([1]);
    expect(engine.stats()).toMatchObject({ channels: 1, stubs: 0 });
  });

  test("has a bound for idempotency keys and sessions, and those go first that would end first", async () => {
    const { engine } = await open({ maxIdempotencyKeys: 10, maxSessions: 2 });
    for (const n of numbersTo(30)) {
      const idempotency = { key: `k${n}`, principal: "p" };
      await engine.logs.append(BUSY, draft(n, { idempotency }), KEEP_ALL);
    }
    await engine.sessions.put("a", "1", 60_000);
    await engine.sessions.put("b", "2", 30_000);
    await engine.sessions.put("c", "3", 90_000);
    await engine.sweep();
    expect(engine.stats()).toMatchObject({ idempotencyKeys: 10, sessions: 2 });
    expect(await engine.sessions.take("b")).toBeNull();
    expect(await engine.sessions.take("a")).toBe("1");
  });
});

describe("a disk engine that is closed", () => {
  test("ends what it does by itself first, and has nothing to complain of", async () => {
    const logger = new Lines();
    const { engine, clock } = await open({ logger });
    const retention = { messages: 3, ageMs: 60_000 };
    await Promise.all(numbersTo(1000).map((n) => engine.logs.append(channelOf(n), draft(n), retention)));
    clock.advance(61_000);
    const sweeping = engine.sweep();
    await turns(2);
    await engine.close();
    await sweeping;
    expect(logger.lines).toEqual([]);
  });
});

describe("a disk with little room", () => {
  const ENOUGH = 1000 * MiB;

  function aDisk() {
    const disk = { free: ENOUGH };
    return { disk, askFree: async () => disk.free };
  }

  test("refuses publishers, says why and what to do, and goes on when there is room", async () => {
    const { disk, askFree } = aDisk();
    const { engine } = await open({ askFree });
    const position = await appendAll(engine, BUSY, [1]);
    disk.free = 60 * MiB;
    await engine.sweep();
    expect(engine.trouble).toBe("full");
    const refused = engine.logs.append(BUSY, draft(2), KEEP_ALL);
    await expect(refused).rejects.toMatchObject({ code: "insufficient_storage", status: 507 });
    await expect(refused).rejects.toThrow(
      `60.0 MiB are free on the disk of the server and 0.0 MiB in its file, and 64.0 MiB are kept in reserve`,
    );

    // Everything else goes on.
    expect(await engine.logs.read(BUSY, null, NO_LIMIT)).toMatchObject({ head: 1 });
    await engine.sessions.put("h", "s", 1000);
    expect(await engine.sessions.take("h")).toBe("s");

    disk.free = ENOUGH;
    await engine.sweep();
    expect(await appendAll(engine, BUSY, [2])).toStrictEqual({ ...position, offset: 2 });
    expect(engine.trouble).toBeNull();
  });

  test("refuses to write at all where even the reserve is used up, and uses no offset for it", async () => {
    const { disk, askFree } = aDisk();
    const { engine, reopen } = await open({ askFree, reserveBytes: 300 * MiB });
    const heard = new Heard();
    const born = await engine.logs.listen(BUSY, heard);
    await appendAll(engine, BUSY, [1]);
    const { bytes, messages } = engine.stats();
    // Nobody has looked since.
    disk.free = MiB;
    const idempotency = { key: "k", principal: "p" };
    const lost = await Promise.allSettled(
      [2, 3].map((n) => engine.logs.append(BUSY, draft(n, { idempotency }), KEEP_ALL)),
    );
    const refused = { status: "rejected", reason: { code: "insufficient_storage" } };
    expect(lost).toMatchObject([refused, refused]);
    expect(engine.stats()).toMatchObject({ bytes, messages });
    await expect(engine.sessions.put("h", "s", 1000)).rejects.toMatchObject({ code: "insufficient_storage" });

    disk.free = ENOUGH;
    await engine.sweep();
    const retried = await engine.logs.append(BUSY, draft(4, { idempotency }), KEEP_ALL);
    expect(retried).toMatchObject({ epoch: born.epoch, offset: 2, repeated: false });
    await heard.untilOffset(2);
    expect(valuesOf(heard.messages)).toEqual([1, 4]);
    const again = await reopen();
    expect(valuesOf((await again.logs.read(BUSY, born, NO_LIMIT)).messages)).toEqual([1, 4]);
    expect(await again.sessions.take("h")).toBeNull();
  });

  test("is written to again when there is room in the file, though the disk has none", async () => {
    const { disk, askFree } = aDisk();
    const { engine, clock, dataDir } = await open({ askFree, reserveBytes: 4 * MiB });
    const retention = { messages: 1000, ageMs: 60_000 };
    const fill = () =>
      Promise.all(numbersTo(800).map(() => engine.logs.append(BUSY, draft(text(10_000)), retention)));
    await fill();
    disk.free = 3 * MiB;
    await engine.sweep();
    expect(engine.trouble).toBe("full");
    await expect(engine.logs.append(OTHER, draft(1), retention)).rejects.toMatchObject({
      code: "insufficient_storage",
    });

    clock.advance(61_000);
    for (let sweeps = 0; sweeps < 10; sweeps++) await engine.sweep();
    expect(engine.trouble).toBeNull();
    const size = () => statSync(join(dataDir, "data.mdb")).size;
    const before = size();
    for (let n = 0; n < 300; n++) await engine.logs.append(OTHER, draft(text(10_000)), retention);
    expect(size()).toBe(before);
    expect(engine.stats()).toMatchObject({ diskFreeBytes: 3 * MiB });
  });

  test("does not take for room what the next commits cannot use yet", async () => {
    const { disk, askFree } = aDisk();
    const { engine } = await open({ askFree, reserveBytes: 4 * MiB });
    for (const n of numbersTo(10)) await engine.logs.append(channelOf(n), draft(text(900_000)), KEEP_ALL);
    disk.free = 3 * MiB;
    for (const n of numbersTo(10)) await engine.startOver(channelOf(n));
    await engine.sweep();
    // Nothing but the room of two commits before the last counts.
    expect(engine.trouble).toBe("full");
    for (let sweeps = 0; sweeps < 3; sweeps++) await engine.sweep();
    expect(engine.trouble).toBeNull();
  });

  test("can be opened and read when nothing can be written, in the same epochs, and goes on when there is room", async () => {
    const { disk, askFree } = aDisk();
    const logger = new Lines();
    const { engine, reopen } = await open({ askFree, logger });
    const position = await appendAll(engine, BUSY, [1, 2]);
    disk.free = 0;
    const again = await reopen();
    expect(again.trouble).toBe("full");
    expect(logger.lines.filter(({ level }) => level === "error")).toMatchObject([
      { message: expect.stringContaining("can be read, but not written"), remedy: expect.any(String) },
    ]);
    expect(valuesOf((await again.logs.read(BUSY, null, NO_LIMIT)).messages)).toEqual([1, 2]);
    await again.sweep();
    await expect(again.logs.append(BUSY, draft(3), KEEP_ALL)).rejects.toMatchObject({
      code: "insufficient_storage",
    });
    disk.free = ENOUGH;
    await again.sweep();
    expect(again.trouble).toBeNull();
    expect(await appendAll(again, BUSY, [3])).toStrictEqual({ ...position, offset: 3 });
    expect(logger.lines.at(-1)?.message).toBe("messages are taken again");
  });

  test("lets an operator make room where publishers and sessions are refused", async () => {
    const { disk, askFree } = aDisk();
    const { engine } = await open({ askFree });
    await appendAll(engine, BUSY, [1]);
    await engine.sessions.put("h", "s", 60_000);
    disk.free = 5 * MiB;
    await engine.sweep();
    await expect(engine.sessions.put("i", "s", 60_000)).rejects.toMatchObject({
      code: "insufficient_storage",
    });
    expect(await engine.startOver(BUSY)).toMatchObject({ offset: 0 });
    expect(await engine.sessions.take("h")).toBe("s");
    disk.free = MiB / 2;
    await engine.sweep();
    await expect(engine.startOver(BUSY)).rejects.toMatchObject({ code: "insufficient_storage" });
  });

  test("keeps what belongs together in one commit: what comes while the disk is asked waits for the next", async () => {
    const { disk, askFree } = aDisk();
    let asked = async () => {};
    const { engine } = await open({
      async askFree() {
        await asked();
        return await askFree();
      },
      reserveBytes: 300 * MiB,
    });
    const other: Promise<unknown>[] = [];
    asked = async () => {
      asked = async () => {
        disk.free = MiB;
      };
      other.push(engine.logs.append(OTHER, draft(2), KEEP_ALL));
    };
    await engine.logs.append(BUSY, draft(1), KEEP_ALL);
    await engine.settled();
    const [outcome] = await Promise.allSettled(other);
    const isThere = outcome?.status === "fulfilled" ? 1 : 0;
    asked = async () => {};
    disk.free = ENOUGH;
    await engine.sweep();
    expect(engine.stats()).toMatchObject({ messages: 1 + isThere });
    expect(await headOf(engine, OTHER)).toMatchObject({ offset: isThere });
    for (const channel of [BUSY, OTHER]) await engine.startOver(channel);
    await engine.sweep();
    expect(engine.stats()).toMatchObject({ messages: 0, bytes: 0 });
  });

  test("does not let a burst promise more than fits", async () => {
    const { disk, askFree } = aDisk();
    disk.free = 65 * MiB;
    const { engine } = await open({ askFree });
    const answers = await Promise.allSettled(
      numbersTo(2000).map((n) => engine.logs.append(BUSY, draft(n), KEEP_ALL)),
    );
    const kept = answers.filter(({ status }) => status === "fulfilled").length;
    expect(kept).toBeGreaterThan(0);
    expect(kept).toBeLessThan(300);
    expect((await headOf(engine, BUSY)).offset).toBe(kept);
  });
});

function channelOf(number: number): ChannelName {
  return parseChannelName(`c:${number}`);
}

test("a listener that throws fails the call that it heard of, and no commit after it", async () => {
  const { engine } = await open();
  let broken = true;
  const listener = new Heard();
  const hear = listener.message.bind(listener);
  listener.message = (entry) => {
    if (broken) throw new Error("the listener is broken");
    hear(entry);
  };
  await engine.logs.listen(BUSY, listener);
  const failing = engine.logs.append(BUSY, draft(1), KEEP_ALL);
  const other = engine.logs.append(OTHER, draft(1), KEEP_ALL);
  await expect(failing).rejects.toThrow("the listener is broken");
  expect((await other).offset).toBe(1);
  broken = false;
  expect((await engine.logs.append(BUSY, draft(2), KEEP_ALL)).offset).toBe(2);
});
