import { statSync } from "node:fs";
import { join } from "node:path";
import { type ChannelName, parseChannelName } from "@fanfare/protocol";
import { describe, expect, onTestFinished, test } from "vitest";
import { aFolder } from "../../testing/a-folder.js";
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
  valuesOf,
} from "../contract/harness.contract.js";
import { engineContract } from "../engine.contract.js";
import { DiskEngine } from "./disk-engine.js";
import type { DiskEngineOptions } from "./disk-options.js";

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
    expect(engine).toMatchObject({ durable: true, lossy: false, isFull: false });
  });

  test("goes on where it stood, in the same epoch, with every message as it was", async () => {
    const { engine, reopen } = await open();
    const whole = { event: "Ändern", json: '{"é":"😀"}', user: "ann", except: "c1" };
    await engine.append(BUSY, { ...whole, idempotency: { key: "k", principal: "p" } }, KEEP_ALL);
    const position = await appendAll(engine, BUSY, [2, 3]);
    const before = await engine.read(BUSY, null, NO_LIMIT);

    const again = await reopen();
    expect(await headOf(again, BUSY)).toStrictEqual(position);
    expect(await again.read(BUSY, null, NO_LIMIT)).toStrictEqual(before);
    expect(await again.list(null, 10)).toMatchObject([{ channel: BUSY, first: 1, head: 3 }]);
    expect(await appendAll(again, BUSY, [4])).toStrictEqual({ epoch: position.epoch, offset: 4 });
    const page = await again.read(BUSY, { ...position, offset: 2 }, NO_LIMIT);
    expect(page.lost).toBeUndefined();
    expect(valuesOf(page.messages)).toEqual([3, 4]);
  });

  test("knows that nothing was forgotten: a position of an empty channel stays good", async () => {
    const { engine, reopen } = await open();
    const born = await headOf(engine, QUIET);
    const again = await reopen();
    expect(await headOf(again, QUIET)).toStrictEqual(born);
    await appendAll(again, QUIET, [1]);
    expect(valuesOf((await again.read(QUIET, born, NO_LIMIT)).messages)).toEqual([1]);
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
    expect(await again.read(QUIET, born, NO_LIMIT)).toMatchObject({ lost: "forgotten" });
  });

  test("remembers stubs, idempotency keys and sessions", async () => {
    const { engine, clock, reopen } = await open({ forgetHeldAfterMs: HOUR_MS });
    const stub = await appendAll(engine, OTHER, [1, 2]);
    clock.advance(HOUR_MS + 2000);
    await engine.sweep();
    await engine.sweep();
    const idempotency = { key: "order-1", principal: "shop" };
    const first = await engine.append(BUSY, draft("paid", { idempotency }), KEEP_ALL);
    await engine.putSession("h", "s", 60_000);

    const again = await reopen();
    expect(again.stats()).toMatchObject({ channels: 1, stubs: 1, idempotencyKeys: 1, sessions: 1 });
    expect(await headOf(again, OTHER)).toStrictEqual(stub);
    const repeated = await again.append(BUSY, draft("paid", { idempotency }), KEEP_ALL);
    expect(repeated).toStrictEqual({ ...first, repeated: true });
    const otherwise = again.append(BUSY, draft("sent", { idempotency }), KEEP_ALL);
    await expect(otherwise).rejects.toMatchObject({ code: "key_reused" });
    expect(await again.takeSession("h")).toBe("s");
    expect(await (await reopen()).takeSession("h")).toBeNull();
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

  test("lets nothing grow old, or young, because the time of day was set back while it was closed", async () => {
    const dataDir = aFolder();
    const late = await DiskEngine.open({ dataDir, clock: new FakeClock(Date.UTC(2026, 5, 1)) });
    const retention = { messages: 10, ageMs: 60_000 };
    await appendAll(late, BUSY, [1], retention);
    await late.close();
    const clock = new FakeClock(Date.UTC(2026, 0, 1));
    const early = await DiskEngine.open({ dataDir, clock });
    onTestFinished(() => early.close());
    expect(offsetsOf((await early.read(BUSY, null, NO_LIMIT)).messages)).toEqual([1]);
    clock.advance(61_000);
    expect((await early.read(BUSY, null, NO_LIMIT)).messages).toEqual([]);
    await appendAll(early, BUSY, [2], retention);
    expect((await early.read(BUSY, null, NO_LIMIT)).messages[0]?.time).toBe(Date.UTC(2026, 5, 1));
  });
});

describe("a message on its way to the disk", () => {
  test("is shown to nobody before it is there, then to all, in order", async () => {
    const { engine } = await open();
    const heard = new Heard();
    const born = await engine.listen(BUSY, heard);
    const appending = numbersTo(5).map((n) => engine.append(BUSY, draft(n), KEEP_ALL));
    expect(await headOf(engine, BUSY)).toStrictEqual(born);
    expect(await engine.read(BUSY, null, NO_LIMIT)).toMatchObject({ head: 0, messages: [] });
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
    await Promise.all(numbersTo(500).map((n) => engine.append(BUSY, draft(n), KEEP_ALL)));
    expect(commits() - before).toBe(1);
  });

  test("makes whoever repeats it wait, too", async () => {
    const { engine } = await open();
    const order: string[] = [];
    const idempotency = { key: "k", principal: "p" };
    const append = (name: string) =>
      engine.append(BUSY, draft(1, { idempotency }), KEEP_ALL).then(() => order.push(name));
    await Promise.all([append("first"), append("repeated")]);
    expect(order).toEqual(["first", "repeated"]);
  });
});

describe("the room that all logs take", () => {
  test("is bounded: the largest log loses its oldest messages first", async () => {
    const { engine } = await open({ maxBytes: 100_000 });
    await appendAll(engine, OTHER, [text(900)]);
    await appendAll(
      engine,
      BUSY,
      numbersTo(300).map(() => text(900)),
    );
    expect(engine.stats().bytes).toBeLessThanOrEqual(100_000);
    expect(offsetsOf((await engine.read(OTHER, null, NO_LIMIT)).messages)).toEqual([1]);
    const { first, head } = await engine.read(BUSY, null, NO_LIMIT);
    expect(head).toBe(300);
    expect(first).toBeGreaterThan(150);
  });

  test("is used again: the file does not grow with what was published, only with what is held", async () => {
    const { engine, dataDir } = await open({ maxBytes: 2 * MiB });
    const fill = async () => {
      for (let round = 0; round < 20; round++) {
        await Promise.all(
          numbersTo(500).map((n) => engine.append(channelOf(n % 50), draft(text(1000)), KEEP_ALL)),
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
    await appendAll(engine, BUSY, numbersTo(600), retention);
    await appendAll(engine, OTHER, numbersTo(20), retention);
    await engine.startOver(OTHER);
    clock.advance(61_000);
    for (let sweep = 0; sweep < 4; sweep++) await engine.sweep();
    expect(engine.stats()).toMatchObject({ messages: 0, bytes: 0, channels: 2 });
    expect(await headOf(engine, BUSY)).toMatchObject({ offset: 600 });
  });

  test("is not given back by an idle channel before its messages have grown old", async () => {
    const { engine, clock } = await open();
    await appendAll(engine, BUSY, [1], { messages: 10, ageMs: 3 * HOUR_MS });
    clock.advance(2 * HOUR_MS);
    await engine.sweep();
    await engine.sweep();
    expect(offsetsOf((await engine.read(BUSY, null, NO_LIMIT)).messages)).toEqual([1]);
    expect(engine.stats()).toMatchObject({ channels: 1, stubs: 0 });
  });

  test("has a bound for idempotency keys and sessions, and those go first that would end first", async () => {
    const { engine } = await open({ maxIdempotencyKeys: 10, maxSessions: 2 });
    for (const n of numbersTo(30)) {
      const idempotency = { key: `k${n}`, principal: "p" };
      await engine.append(BUSY, draft(n, { idempotency }), KEEP_ALL);
    }
    await engine.putSession("a", "1", 60_000);
    await engine.putSession("b", "2", 30_000);
    await engine.putSession("c", "3", 90_000);
    await engine.sweep();
    expect(engine.stats()).toMatchObject({ idempotencyKeys: 10, sessions: 2 });
    expect(await engine.takeSession("b")).toBeNull();
    expect(await engine.takeSession("a")).toBe("1");
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
    const { engine, dataDir } = await open({ askFree });
    const position = await appendAll(engine, BUSY, [1]);
    disk.free = 60 * MiB;
    await engine.sweep();
    expect(engine.isFull).toBe(true);
    const refused = engine.append(BUSY, draft(2), KEEP_ALL);
    await expect(refused).rejects.toMatchObject({ code: "insufficient_storage", status: 507 });
    await expect(refused).rejects.toThrow(
      `60.0 MiB are free on the disk of ${dataDir}, and 64.0 MiB are kept`,
    );

    // Everything else goes on.
    expect(await engine.read(BUSY, null, NO_LIMIT)).toMatchObject({ head: 1 });
    await engine.putSession("h", "s", 1000);
    expect(await engine.takeSession("h")).toBe("s");

    disk.free = ENOUGH;
    await engine.sweep();
    expect(await appendAll(engine, BUSY, [2])).toStrictEqual({ ...position, offset: 2 });
    expect(engine.isFull).toBe(false);
  });

  test("refuses to write at all where even the reserve is used up, and uses no offset for it", async () => {
    const { disk, askFree } = aDisk();
    const { engine, reopen } = await open({ askFree, reserveBytes: 300 * MiB });
    const heard = new Heard();
    const born = await engine.listen(BUSY, heard);
    await appendAll(engine, BUSY, [1]);
    // Nobody has looked since.
    disk.free = MiB;
    const idempotency = { key: "k", principal: "p" };
    const lost = await Promise.allSettled(
      [2, 3].map((n) => engine.append(BUSY, draft(n, { idempotency }), KEEP_ALL)),
    );
    const refused = { status: "rejected", reason: { code: "insufficient_storage" } };
    expect(lost).toMatchObject([refused, refused]);
    await expect(engine.putSession("h", "s", 1000)).rejects.toMatchObject({ code: "insufficient_storage" });

    disk.free = ENOUGH;
    await engine.sweep();
    const retried = await engine.append(BUSY, draft(4, { idempotency }), KEEP_ALL);
    expect(retried).toStrictEqual({ epoch: born.epoch, offset: 2, repeated: false });
    await heard.untilOffset(2);
    expect(valuesOf(heard.messages)).toEqual([1, 4]);
    const again = await reopen();
    expect(valuesOf((await again.read(BUSY, born, NO_LIMIT)).messages)).toEqual([1, 4]);
    expect(await again.takeSession("h")).toBeNull();
  });

  test("does not let a burst promise more than fits", async () => {
    const { disk, askFree } = aDisk();
    disk.free = 65 * MiB;
    const { engine } = await open({ askFree });
    const answers = await Promise.allSettled(
      numbersTo(2000).map((n) => engine.append(BUSY, draft(n), KEEP_ALL)),
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
