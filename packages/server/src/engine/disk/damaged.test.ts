import { join } from "node:path";
import type { Position } from "@fanfare/protocol";
import { describe, expect, onTestFinished, test } from "vitest";
import { readAround } from "../../hub/log/read-around.js";
import { aFolder } from "../../testing/a-folder.js";
import { damage } from "../../testing/damage.js";
import { FakeClock } from "../../testing/fake-clock.js";
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
  setState,
  valuesOf,
} from "../contract/harness.contract.js";
import { keyUse } from "../idempotency.js";
import { DiskEngine } from "./disk-engine.js";

const DAMAGED = {
  name: "FanfareError",
  code: "internal",
  status: 500,
  remedy: expect.stringContaining("backup"),
};

/** An engine that is opened again after the disk has changed some bytes of the file. */
async function damagedEngine(fill: (engine: DiskEngine) => Promise<readonly (string | Buffer)[]>) {
  const dataDir = aFolder();
  const clock = new FakeClock();
  const first = await DiskEngine.open({ dataDir, clock });
  const wanted = await fill(first);
  await first.close();
  for (const bytes of wanted) damage(join(dataDir, "data.mdb"), bytes);
  const logger = new Lines();
  const engine = await DiskEngine.open({ dataDir, clock, logger });
  onTestFinished(() => engine.close());
  return { engine, clock, logger };
}

describe("a message that the disk has changed", () => {
  const around = () =>
    damagedEngine(async (engine) => {
      await appendAll(engine, BUSY, ["one", "two", "needle", "four"]);
      await appendAll(engine, OTHER, ["other"]);
      return ['"needle"'];
    });

  test("is never shown: whoever reads it is told what is damaged and what to do, and the log says it once", async () => {
    const { engine, logger } = await around();
    const reading = engine.logs.read(BUSY, null, NO_LIMIT);
    await expect(reading).rejects.toMatchObject(DAMAGED);
    await expect(reading).rejects.toThrow("the message 3 of busy:1 is damaged in the store");
    await expect(engine.logs.read(BUSY, null, NO_LIMIT)).rejects.toMatchObject(DAMAGED);
    expect(logger.lines).toMatchObject([
      {
        level: "error",
        message: expect.stringContaining("is damaged"),
        remedy: expect.stringContaining("backup"),
      },
    ]);
  });

  test("takes nothing else with it: messages around it are read, other channels too, and publishing goes on", async () => {
    const { engine } = await around();
    const { epoch } = await headOf(engine, BUSY);
    expect(valuesOf((await engine.logs.read(BUSY, null, { messages: 2, bytes: 1000 })).messages)).toEqual([
      "one",
      "two",
    ]);
    expect(valuesOf((await engine.logs.read(BUSY, { epoch, offset: 3 }, NO_LIMIT)).messages)).toEqual([
      "four",
    ]);
    expect(valuesOf((await engine.logs.read(OTHER, null, NO_LIMIT)).messages)).toEqual(["other"]);
    expect(await appendAll(engine, BUSY, ["five"])).toStrictEqual({ epoch, offset: 5 });
  });

  test("is a gap for those who follow the log", async () => {
    const { engine } = await around();
    const { epoch } = await headOf(engine, BUSY);
    const heard: unknown[] = [];
    let at: Position = { epoch, offset: 0 };
    while (at.offset < 4) {
      const { first, messages } = await readAround(engine, BUSY, at, NO_LIMIT);
      if (first > at.offset + 1) heard.push(`gap to ${first - 1}`);
      heard.push(...valuesOf(messages));
      at = { epoch, offset: messages.at(-1)?.offset ?? first - 1 };
    }
    expect(heard).toEqual(["one", "two", "gap to 3", "four"]);
    const foreign = { epoch: "00000000deadbeef" as typeof epoch, offset: 7 };
    expect(await readAround(engine, BUSY, foreign, NO_LIMIT)).toMatchObject({ first: 1, lost: "restarted" });
  });

  test("is a gap up to the head where nothing follows it, and however many there are", async () => {
    const { engine } = await damagedEngine(async (first) => {
      await appendAll(
        first,
        BUSY,
        numbersTo(5).map((n) => `needle ${n}`),
      );
      return numbersTo(5).map((n) => `"needle ${n}"`);
    });
    const { epoch } = await headOf(engine, BUSY);
    const page = await readAround(engine, BUSY, { epoch, offset: 1 }, NO_LIMIT);
    expect(page).toMatchObject({ epoch, first: 6, head: 5, messages: [] });
    const foreign = { epoch: "00000000deadbeef" as typeof epoch, offset: 7 };
    expect(await readAround(engine, BUSY, foreign, NO_LIMIT)).toMatchObject({ first: 6, lost: "restarted" });
  });

  test("grows old and is removed like any other", async () => {
    const retention = { messages: 100, ageMs: 60_000 };
    const { engine, clock } = await damagedEngine(async (first) => {
      await appendAll(
        first,
        BUSY,
        numbersTo(9).map((n) => `needle ${n}`),
        retention,
      );
      return ['"needle 1"', '"needle 5"'];
    });
    clock.advance(30_000);
    await appendAll(engine, BUSY, ["ten"], retention);
    clock.advance(31_000);
    for (let sweeps = 0; sweeps < 3; sweeps++) await engine.sweep();
    expect(offsetsOf((await engine.logs.read(BUSY, null, NO_LIMIT)).messages)).toEqual([10]);
    expect(engine.stats()).toMatchObject({ messages: 1 });
    clock.advance(61_000);
    for (let sweeps = 0; sweeps < 3; sweeps++) await engine.sweep();
    expect(engine.stats()).toMatchObject({ messages: 0, bytes: 0 });
  });
});

test("a state that the disk has changed is never shown, and can be thrown away", async () => {
  const { engine } = await damagedEngine(async (first) => {
    await setState(first, BUSY, { status: "needle" });
    return ['{"status":"needle"}'];
  });
  await expect(engine.logs.state(BUSY)).rejects.toMatchObject(DAMAGED);
  await expect(engine.logs.listen(BUSY, new Heard())).rejects.toMatchObject(DAMAGED);
  await engine.sweep();
  await engine.startOver(BUSY);
  expect(await engine.logs.state(BUSY)).toMatchObject({ json: null });
});

test("a damaged record of a channel takes the channel, and nothing else; it can be removed", async () => {
  const { engine, logger } = await damagedEngine(async (first) => {
    const { epoch } = await appendAll(first, BUSY, [1]);
    await appendAll(first, OTHER, [1]);
    return [Buffer.concat([Buffer.from(BUSY), Buffer.from(epoch.slice(-8), "hex")])];
  });
  for (const call of [
    engine.logs.read(BUSY, null, NO_LIMIT),
    engine.logs.append(BUSY, draft(2), KEEP_ALL),
    engine.logs.heads([BUSY]),
    engine.logs.state(BUSY),
    engine.logs.listen(BUSY, new Heard()),
  ]) {
    await expect(call).rejects.toMatchObject(DAMAGED);
  }
  await engine.sweep();
  await engine.sweep();
  expect((await engine.logs.list(null, 10)).map(({ channel }) => channel)).toEqual([OTHER]);
  expect(logger.lines).toHaveLength(1);
  expect(await engine.logs.remove(BUSY)).toBe(true);
  expect(await appendAll(engine, BUSY, [1])).toMatchObject({ offset: 1 });
});

test("damaged keys and sessions: a key may have been used, and a session has ended", async () => {
  const idempotency = { key: "k", principal: "p" };
  const paid = draft("paid", { idempotency });
  const { engine, clock } = await damagedEngine(async (first) => {
    await first.logs.append(BUSY, paid, KEEP_ALL);
    await first.sessions.put("h", "needle", 60_000);
    await first.sessions.put("i", "intact", 60_000);
    return ["needle", Buffer.from(keyUse(BUSY, idempotency, paid).digest, "base64")];
  });
  await expect(engine.logs.append(BUSY, paid, KEEP_ALL)).rejects.toMatchObject(DAMAGED);
  expect(await engine.sessions.renew("h", 60_000)).toBe(false);
  expect(await engine.sessions.take("h")).toBeNull();
  // Set again, it is not thrown away when the damaged one would have ended.
  clock.advance(30_000);
  await engine.sessions.put("h", "new", 60_000);
  clock.advance(40_000);
  await engine.sweep();
  expect(await engine.sessions.take("h")).toBe("new");
  expect(await engine.sessions.take("i")).toBeNull();
  clock.advance(10 * 60_000);
  await engine.sweep();
  expect(engine.stats()).toMatchObject({ idempotencyKeys: 0, sessions: 0 });
});
