/** Reading: pages and their limits, positions of this log and of others, what was evicted, and heads. */
import { describe, expect, test } from "vitest";
import {
  appendAll,
  BUSY,
  draft,
  FOREIGN,
  Heard,
  headOf,
  KEEP_ALL,
  NO_LIMIT,
  numbersTo,
  type Open,
  OTHER,
  offsetsOf,
  QUIET,
  valuesOf,
} from "./harness.contract.js";

export function readContract(open: Open): void {
  describe("read", () => {
    test("gives everything from the beginning when no position is given", async () => {
      const { engine, peer } = await open();
      const { epoch } = await appendAll(engine, BUSY, ["a", "b", "c"]);
      const page = await peer.logs.read(BUSY, null, NO_LIMIT);
      expect(page).toMatchObject({ epoch, first: 1, head: 3 });
      expect(page.lost).toBeUndefined();
      expect(offsetsOf(page.messages)).toEqual([1, 2, 3]);
      expect(valuesOf(page.messages)).toEqual(["a", "b", "c"]);
      expect(page.messages.every((message) => message.epoch === epoch && message.channel === BUSY)).toBe(
        true,
      );
    });

    test("gives what came after a position of the same log", async () => {
      const { engine } = await open();
      const { epoch } = await appendAll(engine, BUSY, numbersTo(5));
      for (const offset of [0, 1, 4, 5]) {
        const page = await engine.logs.read(BUSY, { epoch, offset }, NO_LIMIT);
        expect(page).toMatchObject({ epoch, first: 1, head: 5 });
        expect(page.lost).toBeUndefined();
        expect(offsetsOf(page.messages)).toEqual(numbersTo(5).slice(offset));
      }
    });

    test("gives nothing after a position beyond the head", async () => {
      const { engine } = await open();
      const { epoch } = await appendAll(engine, BUSY, [1, 2]);
      const page = await engine.logs.read(BUSY, { epoch, offset: 7 }, NO_LIMIT);
      expect(page).toStrictEqual({ epoch, first: 1, head: 2, messages: [] });
    });

    test("begins with the oldest held after a position of another engine's life, and says why", async () => {
      const { engine } = await open();
      const { epoch } = await appendAll(engine, BUSY, [1, 2]);
      const page = await engine.logs.read(BUSY, { epoch: FOREIGN, offset: 1 }, NO_LIMIT);
      expect(page).toMatchObject({ epoch, first: 1, head: 2, lost: "restarted" });
      expect(offsetsOf(page.messages)).toEqual([1, 2]);
      const empty = await engine.logs.read(QUIET, { epoch: FOREIGN, offset: 1 }, NO_LIMIT);
      expect(empty).toMatchObject({ first: 1, head: 0, messages: [], lost: "restarted" });
    });

    test("stops at the limit of messages, so that pages join without a hole", async () => {
      const { engine } = await open();
      const { epoch } = await appendAll(engine, BUSY, numbersTo(10));
      const offsets: number[] = [];
      for (;;) {
        const after = { epoch, offset: offsets.at(-1) ?? 0 };
        const page = await engine.logs.read(BUSY, after, { messages: 3, bytes: 1_000_000 });
        expect(page).toMatchObject({ first: 1, head: 10 });
        expect(page.messages.length).toBeLessThanOrEqual(3);
        offsets.push(...offsetsOf(page.messages));
        if (offsets.length >= page.head) break;
      }
      expect(offsets).toEqual(numbersTo(10));
    });

    test("stops at the limit of bytes, but gives one message though it be larger", async () => {
      const { engine } = await open();
      const text = "x".repeat(98);
      const { epoch } = await appendAll(engine, BUSY, [text, text, text, "y".repeat(998), text]);
      const read = async (offset: number, bytes: number) =>
        offsetsOf((await engine.logs.read(BUSY, { epoch, offset }, { messages: 100, bytes })).messages);
      expect(await read(0, 250)).toEqual([1, 2]);
      expect(await read(2, 250)).toEqual([3]);
      expect(await read(3, 250)).toEqual([4]);
      expect(await read(4, 1)).toEqual([5]);
    });

    test("says of a channel never heard of that it stands at its birth, and makes nothing of it", async () => {
      const { engine, ignores = [] } = await open({ maxChannels: 1 });
      const page = await engine.logs.read(QUIET, null, NO_LIMIT);
      expect(page).toStrictEqual({ epoch: page.epoch, first: 1, head: 0, messages: [] });
      const born = { epoch: page.epoch, offset: 0 };
      expect(await engine.logs.read(QUIET, born, NO_LIMIT)).toStrictEqual(page);
      expect(await headOf(engine, QUIET)).toStrictEqual(born);
      if (!ignores.includes("maxChannels")) expect((await appendAll(engine, BUSY, [1])).offset).toBe(1);
    });

    test("gives messages that do not change when more is appended", async () => {
      const { engine } = await open();
      const { epoch } = await appendAll(engine, BUSY, [1, 2]);
      const page = await engine.logs.read(BUSY, { epoch, offset: 0 }, NO_LIMIT);
      await appendAll(engine, BUSY, numbersTo(5), { messages: 1, ageMs: 1000 });
      expect(page.head).toBe(2);
      expect(valuesOf(page.messages)).toEqual([1, 2]);
    });
  });

  describe("what a log holds", () => {
    test("is the newest messages, as many as retention says", async () => {
      const { engine } = await open();
      const { epoch } = await appendAll(engine, BUSY, numbersTo(50), { messages: 3, ageMs: 60_000 });
      for (const after of [null, { epoch, offset: 0 }, { epoch, offset: 30 }]) {
        const page = await engine.logs.read(BUSY, after, NO_LIMIT);
        expect(page).toMatchObject({ epoch, first: 48, head: 50 });
        expect(page.lost).toBeUndefined();
        expect(valuesOf(page.messages)).toEqual([48, 49, 50]);
      }
      const tail = await engine.logs.read(BUSY, { epoch, offset: 49 }, NO_LIMIT);
      expect(offsetsOf(tail.messages)).toEqual([50]);
    });

    test("is nothing when retention keeps none, and offsets count on", async () => {
      const { engine } = await open();
      const { epoch } = await appendAll(engine, BUSY, [1, 2], { messages: 0, ageMs: 60_000 });
      const page = await engine.logs.read(BUSY, null, NO_LIMIT);
      expect(page).toStrictEqual({ epoch, first: 3, head: 2, messages: [] });
    });

    test("shrinks and grows with the retention given last", async () => {
      const { engine } = await open();
      await appendAll(engine, BUSY, numbersTo(5), { messages: 5, ageMs: 60_000 });
      await appendAll(engine, BUSY, [6], { messages: 2, ageMs: 60_000 });
      expect((await engine.logs.read(BUSY, null, NO_LIMIT)).first).toBe(5);
      await appendAll(engine, BUSY, [7, 8], { messages: 5, ageMs: 60_000 });
      const page = await engine.logs.read(BUSY, null, NO_LIMIT);
      expect(offsetsOf(page.messages)).toEqual([5, 6, 7, 8]);
    });

    test("is never older than retention says", async ({ skip }) => {
      const { engine, passTime = skip("the engine's time is not ours") } = await open();
      const retention = { messages: 100, ageMs: 60_000 };
      const { epoch } = await appendAll(engine, BUSY, [1, 2], retention);
      await passTime(40_000);
      await appendAll(engine, BUSY, [3], retention);
      expect((await engine.logs.read(BUSY, null, NO_LIMIT)).first).toBe(1);
      await passTime(20_001);
      const page = await engine.logs.read(BUSY, { epoch, offset: 0 }, NO_LIMIT);
      expect(page).toMatchObject({ epoch, first: 3, head: 3 });
      expect(offsetsOf(page.messages)).toEqual([3]);
      await passTime(60_001);
      expect(await engine.logs.read(BUSY, null, NO_LIMIT)).toStrictEqual({
        epoch,
        first: 4,
        head: 3,
        messages: [],
      });
      expect((await appendAll(engine, BUSY, [4], retention)).offset).toBe(4);
    });
  });

  describe("a log that went on in another epoch", () => {
    const CANNOT = "logs do not go on in another epoch";

    test("gives the rest of the earlier epoch, and says where it goes on", async ({ skip }) => {
      const { engine, peer, goOn = skip(CANNOT) } = await open();
      const { epoch } = await appendAll(engine, BUSY, numbersTo(20));
      await goOn(BUSY);
      const later = await appendAll(peer, BUSY, ["a", "b"]);
      expect(later).toEqual({ epoch: expect.any(String), offset: 2 });
      expect(later.epoch).not.toBe(epoch);
      const next = {
        epoch: later.epoch,
        reason: expect.stringMatching(/^(restarted|epoch_changed|forgotten)$/),
      };

      const rest = await peer.logs.read(BUSY, { epoch, offset: 0 }, NO_LIMIT);
      const { head } = rest;
      expect(rest).toMatchObject({ epoch, first: 1, next });
      expect(rest.lost).toBeUndefined();
      expect(head).toBeLessThanOrEqual(20);
      expect(valuesOf(rest.messages)).toEqual(numbersTo(head));
      const some = await engine.logs.read(BUSY, { epoch, offset: 0 }, { messages: 1, bytes: 1 });
      expect(some).toMatchObject({ epoch, head, next });
      expect(offsetsOf(some.messages)).toEqual(head > 0 ? [1] : []);
      const none = await engine.logs.read(BUSY, { epoch, offset: head }, NO_LIMIT);
      expect(none).toMatchObject({ epoch, first: 1, head, messages: [], next });
      expect(await peer.logs.read(BUSY, { epoch, offset: 20 }, NO_LIMIT)).toMatchObject({
        messages: [],
        next,
      });
    });

    test("is the next epoch to all else", async ({ skip }) => {
      const { engine, peer, goOn = skip(CANNOT) } = await open();
      const { epoch } = await appendAll(engine, BUSY, numbersTo(5));
      const heard = new Heard();
      await peer.logs.listen(BUSY, heard);
      await goOn(BUSY);
      const later = await appendAll(peer, BUSY, ["a", "b"]);
      expect(later.epoch).not.toBe(epoch);
      expect(await headOf(engine, BUSY)).toEqual(later);
      for (const after of [null, { epoch: later.epoch, offset: 0 }]) {
        const page = await engine.logs.read(BUSY, after, NO_LIMIT);
        expect(page).toMatchObject({ epoch: later.epoch, first: 1, head: 2 });
        expect(page).not.toHaveProperty("lost");
        expect(page).not.toHaveProperty("next");
        expect(valuesOf(page.messages)).toEqual(["a", "b"]);
      }
      expect(await engine.logs.state(BUSY)).toMatchObject({ epoch: later.epoch });
      await heard.until("a reset, or a message of the next epoch", () =>
        [...heard.resets.map(({ position }) => position), ...heard.messages].some(
          (each) => each.epoch === later.epoch,
        ),
      );
    });
  });

  describe("heads", () => {
    test("are answered in the order asked, with offset 0 where there is no log", async () => {
      const { engine, peer } = await open();
      const busy = await appendAll(engine, BUSY, [1, 2, 3]);
      const other = await appendAll(engine, OTHER, [1], { messages: 0, ageMs: 1000 });
      const heads = await peer.logs.heads([QUIET, OTHER, BUSY, OTHER]);
      expect(heads).toStrictEqual([{ epoch: expect.any(String), offset: 0 }, other, busy, other]);
      expect(await engine.logs.heads([])).toEqual([]);
    });

    test("count what was appended, not what is still held", async () => {
      const { engine } = await open();
      await appendAll(engine, BUSY, numbersTo(5), { messages: 1, ageMs: 1000 });
      await engine.logs.append(BUSY, draft(6), KEEP_ALL);
      expect((await headOf(engine, BUSY)).offset).toBe(6);
    });
  });
}
