/** Forgetting: what is left of a channel that nobody used for long, and that no position is ever honoured falsely. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  appendAll,
  BUSY,
  Heard,
  headOf,
  NO_LIMIT,
  type Open,
  OTHER,
  QUIET,
  valuesOf,
} from "./harness.contract.js";
import { anyStep, FORGET_AFTER_MS, Story } from "./story.contract.js";

const HOUR_MS = 3_600_000;
const NOT_OURS = "the engine's time is not ours";

export function forgettingContract(open: Open): void {
  describe("forgetting", () => {
    test("leaves epoch and head of a channel that was idle for an hour, so that it goes on", async ({
      skip,
    }) => {
      const { engine, passTime = skip(NOT_OURS) } = await open();
      const old = await appendAll(engine, BUSY, [1, 2, 3]);
      await passTime(HOUR_MS + 2000);
      expect(await headOf(engine, BUSY)).toStrictEqual(old);
      const page = await engine.logs.read(BUSY, { ...old, offset: 1 }, NO_LIMIT);
      expect(page).toStrictEqual({ epoch: old.epoch, first: 4, head: 3, messages: [] });
      expect(await appendAll(engine, BUSY, [4])).toStrictEqual({ epoch: old.epoch, offset: 4 });
      const later = await engine.logs.read(BUSY, old, NO_LIMIT);
      expect(later).toMatchObject({ epoch: old.epoch, first: 4, head: 4 });
      expect(valuesOf(later.messages)).toEqual([4]);
    });

    test("does not let time decrease when the channel goes on", async ({ skip }) => {
      const { engine, clock, passTime = skip(NOT_OURS) } = await open();
      const time = clock.now();
      await appendAll(engine, BUSY, [1]);
      await passTime(HOUR_MS + 2000);
      clock.turnBack(2 * HOUR_MS);
      await appendAll(engine, BUSY, [2]);
      const { messages } = await engine.logs.read(BUSY, null, NO_LIMIT);
      expect(messages[0]?.time).toBe(time);
    });

    test("spares a channel that is used, and one that is listened to", async ({ skip }) => {
      const { engine, passTime = skip(NOT_OURS) } = await open();
      await appendAll(engine, BUSY, [1]);
      await engine.logs.listen(OTHER, new Heard());
      await appendAll(engine, OTHER, [1]);
      await passTime(HOUR_MS - 10_000);
      await appendAll(engine, BUSY, [2]);
      await passTime(HOUR_MS - 10_000);
      expect(await engine.logs.read(BUSY, null, NO_LIMIT)).toMatchObject({ first: 1, head: 2 });
      expect(await engine.logs.read(OTHER, null, NO_LIMIT)).toMatchObject({ first: 1, head: 1 });
    });

    test("changes the birth epoch when it leaves no stub, and not before", async ({ skip }) => {
      const { engine, passTime = skip(NOT_OURS), ignores = [] } = await open({ maxStubs: 1 });
      skip(ignores.includes("maxStubs"), "the engine does not count stubs");
      const born = await headOf(engine, QUIET);
      const busy = await appendAll(engine, BUSY, [1, 2]);
      await passTime(HOUR_MS + 2000);
      expect(await headOf(engine, QUIET)).toStrictEqual(born);
      expect((await engine.logs.read(QUIET, born, NO_LIMIT)).lost).toBeUndefined();

      await appendAll(engine, OTHER, [1]);
      await passTime(HOUR_MS + 2000);
      const reborn = await headOf(engine, QUIET);
      expect(reborn.offset).toBe(0);
      expect(reborn.epoch).not.toBe(born.epoch);
      expect(await engine.logs.read(QUIET, born, NO_LIMIT)).toMatchObject({ head: 0, lost: "forgotten" });
      expect(await headOf(engine, BUSY)).toStrictEqual(reborn);
      expect(await engine.logs.read(BUSY, busy, NO_LIMIT)).toMatchObject({ head: 0, lost: "forgotten" });

      const other = await headOf(engine, OTHER);
      expect(other).toStrictEqual({ epoch: born.epoch, offset: 1 });
      expect(await appendAll(engine, OTHER, [2])).toStrictEqual({ epoch: born.epoch, offset: 2 });
      const page = await engine.logs.read(OTHER, other, NO_LIMIT);
      expect(page.lost).toBeUndefined();
      expect(valuesOf(page.messages)).toEqual([2]);
    });

    test("leaves the birth epoch alone when the channel with the only stub comes back", async ({ skip }) => {
      const { engine, passTime = skip(NOT_OURS), ignores = [] } = await open({ maxStubs: 1 });
      skip(ignores.includes("maxStubs"), "the engine does not count stubs");
      const born = await headOf(engine, QUIET);
      await appendAll(engine, BUSY, [1]);
      await passTime(HOUR_MS + 2000);
      await engine.logs.listen(BUSY, new Heard());
      await appendAll(engine, OTHER, [1]);
      await passTime(HOUR_MS + 2000);
      expect(await headOf(engine, QUIET)).toStrictEqual(born);
      expect((await headOf(engine, BUSY)).offset).toBe(1);
      expect((await headOf(engine, OTHER)).offset).toBe(1);
    });

    test("does not move a channel that is listened to, though it has no log yet", async ({ skip }) => {
      const { engine, passTime = skip(NOT_OURS), ignores = [] } = await open({ maxStubs: 0 });
      skip(ignores.includes("maxStubs"), "the engine does not count stubs");
      const heard = new Heard();
      const born = await engine.logs.listen(QUIET, heard);
      await appendAll(engine, BUSY, [1]);
      await passTime(HOUR_MS + 2000);
      expect((await headOf(engine, BUSY)).epoch).not.toBe(born.epoch);
      expect(await headOf(engine, QUIET)).toStrictEqual(born);
      expect(await engine.logs.listen(QUIET, new Heard())).toStrictEqual(born);
      expect(await appendAll(engine, QUIET, [1])).toStrictEqual({ epoch: born.epoch, offset: 1 });
      await heard.untilOffset(1);
      const page = await engine.logs.read(QUIET, born, NO_LIMIT);
      expect(page.lost).toBeUndefined();
      expect(valuesOf(page.messages)).toEqual([1]);
    });

    test("keeps an emptied log apart from the one before it, even after its listener has left", async ({
      skip,
    }) => {
      const opened = await open();
      const { engine, startOver = skip("logs cannot be started over"), passTime = skip(NOT_OURS) } = opened;
      const old = await appendAll(engine, BUSY, [1, 2]);
      const heard = new Heard();
      await engine.logs.listen(BUSY, heard);
      await startOver(BUSY);
      engine.logs.unlisten(BUSY, heard);
      const lost = { first: 1, head: 0, messages: [], lost: "epoch_changed" };
      expect(await engine.logs.read(BUSY, old, NO_LIMIT)).toMatchObject(lost);
      await passTime(HOUR_MS + 2000);
      expect(await engine.logs.read(BUSY, old, NO_LIMIT)).toMatchObject(lost);
    });

    test("never makes a position recoverable that is not, whatever happens", async ({ skip }) => {
      const probe = await open();
      if (!probe.passTime) skip(NOT_OURS);
      await fc.assert(
        fc.asyncProperty(fc.array(anyStep, { maxLength: 60 }), fc.nat(2), async (steps, maxStubs) => {
          const story = new Story(await open({ maxStubs, forgetAfterMs: FORGET_AFTER_MS }));
          for (const step of steps) await story.take(step);
          await story.check(false);
          await story.opened.close();
        }),
        { numRuns: 100 },
      );
    });

    test("keeps every position recoverable as long as no stub has to go", async ({ skip }) => {
      const probe = await open();
      if (!probe.passTime) skip(NOT_OURS);
      const step = anyStep.filter(({ does }) => does !== "start over");
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
          const story = new Story(await open({ maxStubs: 100, forgetAfterMs: FORGET_AFTER_MS }));
          for (const step of steps) await story.take(step);
          await story.check(true);
          await story.opened.close();
        }),
        { numRuns: 50 },
      );
    });
  });
}
