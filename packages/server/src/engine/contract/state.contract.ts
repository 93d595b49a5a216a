/** The state of a channel: compare and set, what the log keeps of it, and that it outlasts the log. */
import { describe, expect, test } from "vitest";
import type { Appended, StateDraft } from "../engine.js";
import { StateConflictError } from "../state-conflict.js";
import {
  appendAll,
  BUSY,
  baseOf,
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
  setState,
} from "./harness.contract.js";

const HOUR_MS = 3_600_000;
const ANY_TIME: number = expect.any(Number);
const NOT_OURS = "the engine's time is not ours";

const first: StateDraft = { change: "patch", json: '{"done":1}', state: '{"done":1}', base: null };

async function refusalOf(appending: Promise<Appended>): Promise<StateConflictError> {
  const error = await appending.catch((error: unknown) => error);
  expect(error).toBeInstanceOf(StateConflictError);
  expect(error).toMatchObject({ code: "version_mismatch", status: 412 });
  if (!(error instanceof StateConflictError)) throw error;
  return error;
}

export function stateContract(open: Open): void {
  describe("state", () => {
    test("is none until it is set, at offset 0 of the log, and asking makes no channel", async () => {
      const { engine } = await open();
      const born = await headOf(engine, QUIET);
      expect(await engine.logs.state(QUIET)).toStrictEqual({ ...born, json: null, time: ANY_TIME });
      await appendAll(engine, BUSY, [1]);
      expect(await engine.logs.state(BUSY)).toStrictEqual({ ...born, json: null, time: ANY_TIME });
      expect(await engine.logs.list(null, 10)).toHaveLength(1);
    });

    test("is what a change makes of it, at the position of the change, on every node", async () => {
      const { engine, peer } = await open();
      await appendAll(engine, BUSY, ["before"]);
      const { epoch } = await headOf(engine, BUSY);
      const one = await engine.logs.append(BUSY, first, KEEP_ALL);
      expect(one).toStrictEqual({ epoch, offset: 2, repeated: false, time: ANY_TIME });
      expect(await peer.logs.state(BUSY)).toStrictEqual({
        ...{ epoch, offset: 2, json: '{"done":1}', time: ANY_TIME },
      });

      await appendAll(engine, BUSY, ["a message does not move it"]);
      expect(await peer.logs.state(BUSY)).toMatchObject({ offset: 2 });

      const json = '{"__proto__":{"é":"😀"}}';
      const base = { epoch, offset: 2 };
      await peer.logs.append(BUSY, { change: "value", json, state: json, base }, KEEP_ALL);
      expect(await engine.logs.state(BUSY)).toStrictEqual({ epoch, offset: 4, json, time: ANY_TIME });
      expect(await engine.logs.state(OTHER)).toMatchObject({ offset: 0, json: null });
    });

    test("is kept in the log as the change it was, between messages, and announced", async () => {
      const { engine, peer } = await open();
      const heard = new Heard();
      await peer.logs.listen(BUSY, heard);
      await appendAll(engine, BUSY, ["a"]);
      const { epoch } = await engine.logs.append(BUSY, first, KEEP_ALL);
      const base = { epoch, offset: 2 };
      const idempotency = { key: "k", principal: "p" };
      const whole = { change: "value", json: '{"x":0}', state: '{"x":0}', base, idempotency } as const;
      await engine.logs.append(BUSY, whole, KEEP_ALL);
      await setState(engine, BUSY, null);
      const { messages } = await peer.logs.read(BUSY, { epoch, offset: 1 }, NO_LIMIT);
      const common = { channel: BUSY, epoch, time: expect.any(Number) };
      expect(messages).toStrictEqual([
        { ...common, offset: 2, change: "patch", json: '{"done":1}', from: 0 },
        { ...common, offset: 3, change: "value", json: '{"x":0}', from: 2, id: "k" },
        { ...common, offset: 4, change: "value", json: "null", from: 3 },
      ]);
      await heard.untilOffset(4);
      for (const change of messages) expect(heard.messages).toContainEqual(change);
    });

    test("is told to who begins to listen, as it stands there", async () => {
      const { engine, peer } = await open();
      const { epoch, offset } = await setState(engine, BUSY, { a: 1 });
      const state = { epoch, offset, json: '{"a":1}' };
      expect(await peer.logs.listen(BUSY, new Heard())).toStrictEqual({ epoch, offset, state });
      await setState(engine, BUSY, null);
      const removed = { epoch, offset: 2, json: null };
      expect(await peer.logs.listen(BUSY, new Heard())).toStrictEqual({ epoch, offset: 2, state: removed });
    });

    test("is not changed by a draft that builds on another, and nothing is appended", async () => {
      const { engine, peer } = await open();
      const { epoch } = await engine.logs.append(BUSY, first, KEEP_ALL);
      await appendAll(engine, BUSY, [1]);
      const bases = [null, { epoch, offset: 2 }, { epoch, offset: 0 }, { epoch: FOREIGN, offset: 1 }];
      for (const base of bases) {
        const refused = peer.logs.append(BUSY, { ...first, base }, KEEP_ALL);
        await expect(refused).rejects.toMatchObject({ code: "version_mismatch", status: 412 });
        await expect(refused).rejects.toThrow(`${BUSY} is ${epoch}:1`);
      }
      const invented = engine.logs.append(QUIET, { ...first, base: { epoch, offset: 1 } }, KEEP_ALL);
      await expect(invented).rejects.toThrow(`${QUIET} is none`);
      expect((await headOf(engine, BUSY)).offset).toBe(2);
      expect((await headOf(engine, QUIET)).offset).toBe(0);
      expect(await engine.logs.state(BUSY)).toMatchObject({ offset: 1 });
    });

    test("a change that lost the race is refused with the state as it is, which the next try can build on", async () => {
      const { engine, peer } = await open();
      await engine.logs.append(BUSY, first, KEEP_ALL);
      await appendAll(engine, BUSY, [1]);
      const lost = await refusalOf(peer.logs.append(BUSY, first, KEEP_ALL));
      const { time, ...state } = await engine.logs.state(BUSY);
      expect(lost.present).toMatchObject(state);
      expect(lost.present.time).toBeLessThanOrEqual(time);
      const json = '{"done":2}';
      const next = { ...first, json, state: json, base: baseOf(lost.present) };
      expect(await peer.logs.append(BUSY, next, KEEP_ALL)).toMatchObject({ offset: 3 });

      const none = await refusalOf(engine.logs.append(QUIET, { ...first, base: lost.present }, KEEP_ALL));
      expect(none.present).toMatchObject({ ...(await headOf(engine, QUIET)), json: null });
      await setState(engine, BUSY, null);
      const removed = await refusalOf(peer.logs.append(BUSY, next, KEEP_ALL));
      expect(removed.present).toMatchObject({ offset: 4, json: null });
      expect(baseOf(removed.present)).toBeNull();
    });

    test("of many that change it at once, each is refused with a state that another has set", async () => {
      const { engine, peer } = await open();
      const refusals = await Promise.all(
        numbersTo(20).map(async (n) => {
          const json = `{"n":${n}}`;
          const draft = { ...first, json, state: json };
          return await (n % 2 ? engine : peer).logs.append(BUSY, draft, KEEP_ALL).catch((error) => error);
        }),
      );
      const lost = refusals.filter((each) => each instanceof StateConflictError);
      expect(lost).toHaveLength(19);
      const { json } = await engine.logs.state(BUSY);
      for (const { present } of lost) expect(present).toMatchObject({ offset: 1, json });
    });

    test("is changed by one only, of many at once that build on the same", async () => {
      const { engine, peer } = await open();
      const outcomes = await Promise.allSettled(
        numbersTo(20).map((n) => {
          const json = `{"n":${n}}`;
          return (n % 2 ? engine : peer).logs.append(BUSY, { ...first, json, state: json }, KEEP_ALL);
        }),
      );
      expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      expect((await headOf(engine, BUSY)).offset).toBe(1);
      const { messages } = await engine.logs.read(BUSY, null, NO_LIMIT);
      expect(await engine.logs.state(BUSY)).toMatchObject({ json: messages[0]?.json });
    });

    test("counts as none once it was removed", async () => {
      const { engine } = await open();
      await setState(engine, BUSY, { a: 1 });
      const removed = await setState(engine, BUSY, null);
      expect(await engine.logs.state(BUSY)).toMatchObject({ offset: removed.offset, json: null });
      await engine.logs.append(BUSY, first, KEEP_ALL);
      const { messages } = await engine.logs.read(BUSY, null, NO_LIMIT);
      expect(messages.at(-1)).toMatchObject({ offset: 3, from: 0 });
    });

    test("takes one offset with each change, as messages do, whatever else is appended at once", async () => {
      const { engine, peer } = await open();
      await Promise.all(
        numbersTo(20).map(async (n) => {
          if (n % 2) await peer.logs.append(BUSY, draft(n), KEEP_ALL);
          else await setState(engine, BUSY, { n }).catch(() => {});
        }),
      );
      const { messages, head } = await engine.logs.read(BUSY, null, NO_LIMIT);
      expect(offsetsOf(messages)).toEqual(numbersTo(head));
    });

    test("outlasts the entries of the log", async () => {
      const { engine } = await open();
      const none = { messages: 0, ageMs: 1000 };
      await setState(engine, BUSY, { a: 1 }, none);
      await appendAll(engine, BUSY, [1, 2, 3], none);
      expect(await engine.logs.read(BUSY, null, NO_LIMIT)).toMatchObject({ first: 5, messages: [] });
      expect(await engine.logs.state(BUSY)).toMatchObject({ offset: 1, json: '{"a":1}' });
      await setState(engine, BUSY, { a: 2 }, none);
      expect(await engine.logs.state(BUSY)).toMatchObject({ offset: 5, json: '{"a":2}' });
    });

    test("keeps its channel from being forgotten, until it is removed", async ({ skip }) => {
      const { engine, passTime = skip(NOT_OURS), ignores = [] } = await open({ maxStubs: 0 });
      skip(ignores.includes("maxStubs"), "the engine does not count stubs");
      const { epoch } = await setState(engine, BUSY, { a: 1 });
      await appendAll(engine, OTHER, [1]);
      await passTime(2 * HOUR_MS);
      expect((await headOf(engine, OTHER)).offset).toBe(0);
      expect(await headOf(engine, BUSY)).toStrictEqual({ epoch, offset: 1 });
      expect(await engine.logs.state(BUSY)).toMatchObject({ epoch, offset: 1, json: '{"a":1}' });
      await setState(engine, BUSY, null);
      await passTime(2 * HOUR_MS);
      expect((await headOf(engine, BUSY)).offset).toBe(0);
      expect(await engine.logs.state(BUSY)).toMatchObject({ offset: 0, json: null });
    });

    test("is gone when the log is started over", async ({ skip }) => {
      const { engine, startOver = skip("logs cannot be started over") } = await open();
      await setState(engine, BUSY, { a: 1 });
      const base = baseOf(await engine.logs.state(BUSY));
      await startOver(BUSY);
      expect(await engine.logs.state(BUSY)).toMatchObject({ ...(await headOf(engine, BUSY)), json: null });
      await expect(engine.logs.append(BUSY, { ...first, base }, KEEP_ALL)).rejects.toMatchObject({
        code: "version_mismatch",
      });
      expect((await setState(engine, BUSY, { b: 1 })).offset).toBe(1);
    });

    test("can be asked for until the engine is closed", async () => {
      const { engine } = await open();
      await engine.close();
      await expect(engine.logs.state(BUSY)).rejects.toMatchObject({ code: "unavailable" });
    });
  });

  describe("an idempotency key of a change", () => {
    const idempotency = { key: "k", principal: "p" };

    test("answers the same change with its position, though the state is another by now", async () => {
      const { engine, peer } = await open();
      const one = await engine.logs.append(BUSY, { ...first, idempotency }, KEEP_ALL);
      await setState(engine, BUSY, { done: 2 });
      const base = baseOf(await engine.logs.state(BUSY));
      const again = await peer.logs.append(BUSY, { ...first, base, idempotency }, KEEP_ALL);
      expect(again).toStrictEqual({ ...one, repeated: true });
      expect(await peer.logs.append(BUSY, { ...first, idempotency }, KEEP_ALL)).toStrictEqual(again);
      expect(await engine.logs.state(BUSY)).toMatchObject({ offset: 2, json: '{"done":2}' });
    });

    test("is refused for another change, for a message, and for a whole value with the same text", async () => {
      const { engine } = await open();
      await engine.logs.append(BUSY, { ...first, idempotency }, KEEP_ALL);
      const { json } = first;
      const base = baseOf(await engine.logs.state(BUSY));
      for (const other of [
        { ...first, base, json: '{"done":2}', idempotency },
        { ...first, base, change: "value", idempotency } as const,
        { event: "patch", json, idempotency },
      ]) {
        await expect(engine.logs.append(BUSY, other, KEEP_ALL)).rejects.toMatchObject({ code: "id_reused" });
      }
      expect((await headOf(engine, BUSY)).offset).toBe(1);
    });

    test("that stands for a request repeats it whatever the draft says, and for no other", async () => {
      const { engine, peer } = await open();
      const asking = { idempotency: { ...idempotency, request: "next 1" } };
      const one = await engine.logs.append(BUSY, { ...first, ...asking }, KEEP_ALL);
      const base = baseOf(await engine.logs.state(BUSY));
      const again = await peer.logs.append(BUSY, { ...first, base, json: '{"done":2}', ...asking }, KEEP_ALL);
      expect(again).toStrictEqual({ ...one, repeated: true, made: first.state });
      for (const other of [{ ...idempotency, request: "next 2" }, idempotency]) {
        const repeating = engine.logs.append(BUSY, { ...first, base, idempotency: other }, KEEP_ALL);
        await expect(repeating).rejects.toMatchObject({ code: "id_reused" });
      }
    });

    test("that stands for a request is answered with what that made of the state, also when the log and the state are gone", async () => {
      const { engine, peer } = await open();
      const asking = { idempotency: { ...idempotency, request: "next 1" } };
      await engine.logs.append(BUSY, { ...first, ...asking }, KEEP_ALL);
      await setState(engine, BUSY, { done: "later, ä" }, { messages: 1, ageMs: 60_000 });
      const repeating = { ...first, ...asking, base: baseOf(await engine.logs.state(BUSY)) };
      expect(await peer.logs.append(BUSY, repeating, KEEP_ALL)).toMatchObject({ made: first.state });
      await engine.logs.remove(BUSY);
      expect(await peer.logs.append(BUSY, repeating, KEEP_ALL)).toMatchObject({ made: first.state });
    });
  });
}
