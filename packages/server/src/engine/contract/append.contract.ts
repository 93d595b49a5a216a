/** Appending: offsets, times, what a message keeps, and idempotency keys. */
import { describe, expect, test } from "vitest";
import {
  appendAll,
  BUSY,
  draft,
  headOf,
  KEEP_ALL,
  NO_LIMIT,
  numbersTo,
  type Open,
  OTHER,
  offsetsOf,
  valuesOf,
} from "./harness.contract.js";

export function appendContract(open: Open): void {
  describe("append", () => {
    test("counts offsets from 1, without a hole, in the epoch that the channel was born with", async () => {
      const { engine } = await open();
      const born = await headOf(engine, BUSY);
      expect(born.offset).toBe(0);
      for (const offset of [1, 2, 3]) {
        expect(await engine.logs.append(BUSY, draft(offset), KEEP_ALL)).toStrictEqual({
          epoch: born.epoch,
          offset,
          repeated: false,
          time: expect.any(Number),
        });
      }
    });

    test("counts each channel by itself", async () => {
      const { engine } = await open();
      await appendAll(engine, BUSY, [1, 2, 3]);
      expect((await appendAll(engine, OTHER, ["a"])).offset).toBe(1);
    });

    test("never gives one offset twice, however many append at once, on whatever node", async () => {
      const { engine, peer } = await open();
      const answers = await Promise.all(
        numbersTo(200).map((n) => (n % 2 ? engine : peer).logs.append(BUSY, draft(n), KEEP_ALL)),
      );
      expect(answers.map(({ offset }) => offset).sort((a, b) => a - b)).toEqual(numbersTo(200));
      expect(new Set(answers.map(({ epoch }) => epoch)).size).toBe(1);

      const { messages } = await peer.logs.read(BUSY, null, NO_LIMIT);
      expect(offsetsOf(messages)).toEqual(numbersTo(200));
      for (const [index, answer] of answers.entries()) {
        expect(messages[answer.offset - 1]?.json).toBe(String(index + 1));
      }
    });

    test("keeps the order of calls that do not wait for each other", async () => {
      const { engine } = await open();
      await Promise.all(
        numbersTo(200).map((n) => engine.logs.append(n % 3 ? BUSY : OTHER, draft(n), KEEP_ALL)),
      );
      for (const channel of [BUSY, OTHER]) {
        const { messages } = await engine.logs.read(channel, null, NO_LIMIT);
        expect(valuesOf(messages)).toEqual(numbersTo(200).filter((n) => (n % 3 ? BUSY : OTHER) === channel));
      }
    });

    test("keeps event, data, user, key and exception as they were given, and adds nothing", async () => {
      const { engine } = await open();
      const json = '{"__proto__":{"é":"\\u0000😀"},"n":1.50,"list":[null,true]}';
      const idempotency = { key: "k 1", principal: "p" };
      const whole = { event: "Ändern", json, user: "ann", except: "c1", idempotency };
      const { epoch } = await engine.logs.append(BUSY, whole, KEEP_ALL);
      await engine.logs.append(BUSY, { event: "message", json: "null" }, KEEP_ALL);
      const { messages } = await engine.logs.read(BUSY, null, NO_LIMIT);
      const time = expect.any(Number);
      expect(messages).toStrictEqual([
        {
          channel: BUSY,
          epoch,
          offset: 1,
          time,
          event: "Ändern",
          json,
          user: "ann",
          id: "k 1",
          except: "c1",
        },
        { channel: BUSY, epoch, offset: 2, time, event: "message", json: "null" },
      ]);
    });

    test("stamps messages with the time of day", async ({ skip }) => {
      const { engine, clock, passTime = skip("the engine's time is not ours") } = await open();
      await engine.logs.append(BUSY, draft(1), KEEP_ALL);
      const before = clock.now();
      await passTime(5000);
      const after = clock.now();
      await engine.logs.append(BUSY, draft(2), KEEP_ALL);
      const { messages } = await engine.logs.read(BUSY, null, NO_LIMIT);
      expect(messages.map(({ time }) => time)).toEqual([before, after]);
    });

    test("never lets time decrease within a channel, even when the clock is set back", async ({ skip }) => {
      const { engine, clock, passTime = skip("the engine's time is not ours") } = await open();
      const early = clock.now();
      await engine.logs.append(BUSY, draft(1), KEEP_ALL);
      clock.turnBack(60_000);
      await engine.logs.append(BUSY, draft(2), KEEP_ALL);
      await passTime(10_000);
      await engine.logs.append(BUSY, draft(3), KEEP_ALL);
      await engine.logs.append(OTHER, draft(1), KEEP_ALL);
      const busy = await engine.logs.read(BUSY, null, NO_LIMIT);
      expect(busy.messages.map(({ time }) => time)).toEqual([early, early, early]);
      const other = await engine.logs.read(OTHER, null, NO_LIMIT);
      expect(other.messages.map(({ time }) => time)).toEqual([early - 50_000]);
    });

    test("refuses one channel more than there may be, naming it, and goes on with those there are", async ({
      skip,
    }) => {
      const { engine, ignores = [] } = await open({ maxChannels: 1 });
      skip(ignores.includes("maxChannels"), "the engine does not count channels");
      await engine.logs.append(BUSY, draft(1), KEEP_ALL);
      const refused = engine.logs.append(OTHER, draft(1), KEEP_ALL);
      await expect(refused).rejects.toMatchObject({ code: "too_many_channels", status: 503 });
      await expect(refused).rejects.toThrow(/other:2.*\b1\b/);
      expect((await headOf(engine, OTHER)).offset).toBe(0);
      expect((await appendAll(engine, BUSY, [2])).offset).toBe(2);
    });
  });

  describe("an idempotency key", () => {
    const idempotency = { key: "order-1", principal: "shop" };

    test("answers a repeated message with its first position, and appends nothing", async () => {
      const { engine, peer } = await open();
      await appendAll(engine, BUSY, ["before"]);
      const first = await engine.logs.append(BUSY, draft("paid", { idempotency }), KEEP_ALL);
      await appendAll(engine, BUSY, ["after"]);
      const second = await peer.logs.append(BUSY, draft("paid", { idempotency }), KEEP_ALL);
      expect(first).toMatchObject({ offset: 2, repeated: false });
      expect(second).toStrictEqual({ ...first, repeated: true });
      expect((await headOf(engine, BUSY)).offset).toBe(3);
    });

    test("lets one of many at once append, and answers all with its position", async () => {
      const { engine, peer } = await open();
      const answers = await Promise.all(
        numbersTo(20).map((n) =>
          (n % 2 ? engine : peer).logs.append(BUSY, draft("paid", { idempotency }), KEEP_ALL),
        ),
      );
      expect(answers.filter(({ repeated }) => !repeated)).toHaveLength(1);
      expect(new Set(answers.map(({ offset }) => offset))).toEqual(new Set([1]));
      expect((await headOf(engine, BUSY)).offset).toBe(1);
    });

    test("is refused for another message, by name, and nothing is appended", async () => {
      const { engine } = await open();
      await engine.logs.append(BUSY, draft("paid", { idempotency }), KEEP_ALL);
      const otherData = engine.logs.append(BUSY, draft("sent", { idempotency }), KEEP_ALL);
      await expect(otherData).rejects.toMatchObject({ code: "id_reused", status: 422 });
      await expect(otherData).rejects.toThrow('"order-1"');
      const otherEvent = engine.logs.append(BUSY, draft("paid", { idempotency, event: "x" }), KEEP_ALL);
      await expect(otherEvent).rejects.toMatchObject({ code: "id_reused" });
      expect((await headOf(engine, BUSY)).offset).toBe(1);
    });

    test("tells event and data apart, however they are cut", async () => {
      const { engine } = await open();
      await engine.logs.append(BUSY, { event: "a1", json: "2", idempotency }, KEEP_ALL);
      const cutElsewhere = engine.logs.append(BUSY, { event: "a", json: "12", idempotency }, KEEP_ALL);
      await expect(cutElsewhere).rejects.toMatchObject({ code: "id_reused" });
    });

    test("means nothing to another principal or in another channel", async () => {
      const { engine } = await open();
      await engine.logs.append(BUSY, draft("paid", { idempotency }), KEEP_ALL);
      const strangers = [
        { key: "order-1", principal: "shop2" },
        { key: "order-", principal: "1shop" },
        { key: "1", principal: "shoporder-" },
        { key: "porder-1", principal: "sho" },
      ];
      for (const [index, stranger] of strangers.entries()) {
        const answer = await engine.logs.append(BUSY, draft(index, { idempotency: stranger }), KEEP_ALL);
        expect(answer).toMatchObject({ offset: index + 2, repeated: false });
      }
      const elsewhere = await engine.logs.append(OTHER, draft("sent", { idempotency }), KEEP_ALL);
      expect(elsewhere).toMatchObject({ offset: 1, repeated: false });
    });

    test("is remembered even when the message is not", async () => {
      const { engine } = await open();
      const keepNone = { messages: 0, ageMs: 1000 };
      const first = await engine.logs.append(BUSY, draft("paid", { idempotency }), keepNone);
      const second = await engine.logs.append(BUSY, draft("paid", { idempotency }), keepNone);
      expect(second).toStrictEqual({ ...first, repeated: true });
    });

    test("is forgotten after five minutes", async ({ skip }) => {
      const { engine, passTime = skip("the engine's time is not ours") } = await open();
      await engine.logs.append(BUSY, draft("paid", { idempotency }), KEEP_ALL);
      await passTime(5 * 60_000 - 2000);
      const before = await engine.logs.append(BUSY, draft("paid", { idempotency }), KEEP_ALL);
      expect(before).toMatchObject({ offset: 1, repeated: true });
      await passTime(4000);
      const after = await engine.logs.append(BUSY, draft("sent", { idempotency }), KEEP_ALL);
      expect(after).toMatchObject({ offset: 2, repeated: false });
    });
  });
}
