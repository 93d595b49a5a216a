/** Listening, signals, sessions, and the end. Announcements are tested for arriving at all; sorting them is the hub's. */
import { describe, expect, test } from "vitest";
import type { Engine } from "../engine.js";
import {
  appendAll,
  BUSY,
  draft,
  Heard,
  headOf,
  KEEP_ALL,
  NO_LIMIT,
  numbersTo,
  type Open,
  OTHER,
  QUIET,
} from "./harness.contract.js";

export function listenContract(open: Open): void {
  describe("listen", () => {
    test("answers with the head, and announces all that is appended after it", async () => {
      const { engine, peer } = await open();
      const head = await appendAll(engine, BUSY, [1, 2]);
      const heard = new Heard();
      expect(await engine.logs.listen(BUSY, heard)).toStrictEqual(head);
      await appendAll(engine, BUSY, [3, 4]);
      await appendAll(peer, BUSY, [5]);
      await heard.until("offsets 3 to 5", () => [3, 4, 5].every((offset) => heard.offsets.includes(offset)));
      const { messages } = await engine.logs.read(BUSY, head, NO_LIMIT);
      for (const message of messages) expect(heard.messages).toContainEqual(message);
    });

    test("misses nothing that is appended while it begins", async () => {
      const { engine, peer } = await open();
      const heard = new Heard();
      const appending = numbersTo(20).map((n) => peer.logs.append(BUSY, draft(n), KEEP_ALL));
      const { offset: start } = await engine.logs.listen(BUSY, heard);
      const more = numbersTo(20).map((n) => peer.logs.append(BUSY, draft(n), KEEP_ALL));
      await Promise.all([...appending, ...more]);
      const wanted = numbersTo(40).slice(start);
      await heard.until(`all after ${start}`, () => wanted.every((offset) => heard.offsets.includes(offset)));
    });

    test("tells every listener, on every node", async () => {
      const { engine, peer } = await open();
      const listeners = [new Heard(), new Heard(), new Heard()];
      for (const [index, heard] of listeners.entries())
        await (index ? engine : peer).logs.listen(BUSY, heard);
      await appendAll(engine, BUSY, [1]);
      for (const heard of listeners) await heard.untilOffset(1);
    });

    test("tells nothing of other channels", async () => {
      const { engine } = await open();
      const [busy, other] = [new Heard(), new Heard()];
      await engine.logs.listen(BUSY, busy);
      await engine.logs.listen(OTHER, other);
      await appendAll(engine, OTHER, [1]);
      await appendAll(engine, BUSY, [1, 2]);
      await other.untilOffset(1);
      await busy.untilOffset(2);
      expect(other.messages.every(({ channel }) => channel === OTHER)).toBe(true);
      expect(busy.messages.every(({ channel }) => channel === BUSY)).toBe(true);
    });

    test("is the same twice as once, and one unlisten ends it", async () => {
      const { engine } = await open();
      const [heard, witness] = [new Heard(), new Heard()];
      const first = await engine.logs.listen(BUSY, heard);
      expect(await engine.logs.listen(BUSY, heard)).toStrictEqual(first);
      await engine.logs.listen(BUSY, witness);
      await appendAll(engine, BUSY, [1]);
      await heard.untilOffset(1);
      engine.logs.unlisten(BUSY, heard);
      await appendAll(engine, BUSY, [2]);
      await witness.untilOffset(2);
      expect(heard.offsets).toEqual([1]);
    });

    test("can end without having begun, and begin again after its end", async () => {
      const { engine } = await open();
      const heard = new Heard();
      engine.logs.unlisten(BUSY, heard);
      await engine.logs.listen(BUSY, heard);
      engine.logs.unlisten(BUSY, heard);
      engine.logs.unlisten(BUSY, heard);
      const head = await appendAll(engine, BUSY, [1]);
      expect(await engine.logs.listen(BUSY, heard)).toStrictEqual(head);
      await appendAll(engine, BUSY, [2]);
      await heard.untilOffset(2);
    });

    test("announces a message even when the log keeps none", async () => {
      const { engine } = await open();
      const heard = new Heard();
      await engine.logs.listen(BUSY, heard);
      await engine.logs.append(BUSY, draft("gone"), { messages: 0, ageMs: 1000 });
      await heard.untilOffset(1);
      expect(heard.messages[0]?.json).toBe('"gone"');
    });

    test("does not announce a repeated or refused message again", async () => {
      const { engine } = await open();
      const heard = new Heard();
      await engine.logs.listen(BUSY, heard);
      const idempotency = { key: "k", principal: "p" };
      await engine.logs.append(BUSY, draft("paid", { idempotency }), KEEP_ALL);
      await engine.logs.append(BUSY, draft("paid", { idempotency }), KEEP_ALL);
      await engine.logs.append(BUSY, draft("sent", { idempotency }), KEEP_ALL).catch(() => {});
      await appendAll(engine, BUSY, ["end"]);
      await heard.untilOffset(2);
      expect(heard.offsets).toEqual([1, 2]);
    });

    test("alone makes no log, and the first message goes on from its position", async () => {
      const { engine } = await open();
      const born = await headOf(engine, QUIET);
      const heard = new Heard();
      expect(await engine.logs.listen(QUIET, heard)).toStrictEqual(born);
      const page = await engine.logs.read(QUIET, born, NO_LIMIT);
      expect(page).toStrictEqual({ epoch: born.epoch, first: 1, head: 0, messages: [] });
      expect(await appendAll(engine, QUIET, ["first"])).toStrictEqual({ epoch: born.epoch, offset: 1 });
      await heard.untilOffset(1);
    });

    test("hears of a log that was started over, and of what comes in the new one", async ({ skip }) => {
      const { engine, startOver = skip("logs cannot be started over") } = await open();
      const heard = new Heard();
      const old = await appendAll(engine, BUSY, [1, 2]);
      await engine.logs.listen(BUSY, heard);
      await startOver(BUSY);
      await heard.until("the reset", () => heard.resets.length > 0);
      const head = await headOf(engine, BUSY);
      expect(head.offset).toBe(0);
      expect(head.epoch).not.toBe(old.epoch);
      expect(heard.resets[0]).toStrictEqual({ position: head, reason: "epoch_changed" });
      const next = await appendAll(engine, BUSY, [3]);
      expect(next).toStrictEqual({ epoch: head.epoch, offset: 1 });
      await heard.untilOffset(1);
      expect(await engine.logs.read(BUSY, old, NO_LIMIT)).toMatchObject({
        first: 1,
        head: 1,
        lost: "epoch_changed",
      });
    });
  });

  describe("a signal", () => {
    test("reaches every listener of its topic on every node, the sender's included, until they leave", async () => {
      const { engine, peer } = await open();
      // Where announcements may come twice, signals may, too.
      const heard = new Set<string>();
      const hear = (name: string) => (json: string) => void heard.add(`${name} ${json}`);
      // A node far away hears a topic a moment after it has begun to listen.
      const sendUntil = async (count: number, from: Engine, topic: string, json: string) => {
        while (heard.size < count) {
          await from.signals.send(topic, json);
          await new Promise(setImmediate);
        }
      };
      engine.signals.on("revoked", hear("a"));
      peer.signals.on("revoked", hear("b"));
      const leave = engine.signals.on("revoked", hear("c"));
      engine.signals.on("reload", hear("d"));
      await sendUntil(3, engine, "revoked", '{"key":1}');
      expect([...heard].sort()).toEqual(['a {"key":1}', 'b {"key":1}', 'c {"key":1}']);

      leave();
      leave();
      await sendUntil(5, peer, "revoked", "2");
      await sendUntil(6, engine, "reload", "3");
      expect([...heard].slice(3).sort()).toEqual(["a 2", "b 2", "d 3"]);
    });
  });

  describe("a session", () => {
    test("is taken once, whoever asks", async () => {
      const { engine, peer } = await open();
      expect(await engine.sessions.take("h1")).toBeNull();
      await engine.sessions.put("h1", '{"user":"ann"}', 60_000);
      await engine.sessions.put("h2", "2", 60_000);
      expect(await peer.sessions.take("h1")).toBe('{"user":"ann"}');
      expect(await engine.sessions.take("h1")).toBeNull();
      expect(await engine.sessions.take("h2")).toBe("2");
    });

    test("goes to exactly one of many who take it at once", async () => {
      const { engine, peer } = await open();
      await engine.sessions.put("h1", "1", 60_000);
      const taken = await Promise.all(numbersTo(50).map((n) => (n % 2 ? engine : peer).sessions.take("h1")));
      expect(taken.filter((json) => json !== null)).toEqual(["1"]);
    });

    test("replaces the one before", async () => {
      const { engine } = await open();
      await engine.sessions.put("h1", "old", 60_000);
      await engine.sessions.put("h1", "new", 60_000);
      expect(await engine.sessions.take("h1")).toBe("new");
      expect(await engine.sessions.take("h1")).toBeNull();
    });

    test("is renewed only where it is: one that was taken does not come back", async () => {
      const { engine, peer } = await open();
      await engine.sessions.put("h1", "1", 60_000);
      expect(await peer.sessions.renew("h1", 60_000)).toBe(true);
      expect(await peer.sessions.take("h1")).toBe("1");
      expect(await engine.sessions.renew("h1", 60_000)).toBe(false);
      expect(await engine.sessions.take("h1")).toBeNull();
    });

    test("lasts from its renewal on, or ends earlier by it", async ({ skip }) => {
      const { engine, passTime = skip("the engine's time is not ours") } = await open();
      await engine.sessions.put("longer", "l", 10_000);
      await engine.sessions.put("shorter", "s", 60_000);
      await engine.sessions.renew("longer", 60_000);
      await engine.sessions.renew("shorter", 10_000);
      await passTime(30_000);
      expect(await engine.sessions.take("longer")).toBe("l");
      expect(await engine.sessions.take("shorter")).toBeNull();
      expect(await engine.sessions.renew("shorter", 10_000)).toBe(false);
    });

    test("ends when its time is over, each by its own time", async ({ skip }) => {
      const { engine, passTime = skip("the engine's time is not ours") } = await open();
      await engine.sessions.put("long", "l", 60_000);
      await engine.sessions.put("short", "s", 10_000);
      await engine.sessions.put("renewed", "r1", 10_000);
      await engine.sessions.put("renewed", "r2", 60_000);
      await passTime(30_000);
      expect(await engine.sessions.take("short")).toBeNull();
      expect(await engine.sessions.take("renewed")).toBe("r2");
      await passTime(28_000);
      expect(await engine.sessions.take("long")).toBe("l");
      await engine.sessions.put("long", "l", 60_000);
      await passTime(62_000);
      expect(await engine.sessions.take("long")).toBeNull();
    });
  });

  describe("close", () => {
    test("makes every later call fail with unavailable, and may be called twice", async () => {
      const { engine } = await open();
      const heard = new Heard();
      await engine.logs.listen(BUSY, heard);
      await appendAll(engine, BUSY, [1]);
      await engine.close();
      await engine.close();
      const unavailable = { code: "unavailable", status: 503 };
      await expect(engine.logs.append(BUSY, draft(1), KEEP_ALL)).rejects.toMatchObject(unavailable);
      await expect(engine.logs.read(BUSY, null, NO_LIMIT)).rejects.toMatchObject(unavailable);
      await expect(engine.logs.heads([BUSY])).rejects.toMatchObject(unavailable);
      await expect(engine.logs.listen(BUSY, heard)).rejects.toMatchObject(unavailable);
      await expect(engine.signals.send("t", "1")).rejects.toMatchObject(unavailable);
      await expect(engine.sessions.put("h", "1", 1000)).rejects.toMatchObject(unavailable);
      await expect(engine.sessions.renew("h", 1000)).rejects.toMatchObject(unavailable);
      await expect(engine.sessions.take("h")).rejects.toMatchObject(unavailable);
      await expect(engine.logs.list(null, 10)).rejects.toMatchObject(unavailable);
      await expect(engine.logs.owners("channels", 10)).rejects.toMatchObject(unavailable);
      await expect(engine.logs.remove(BUSY)).rejects.toMatchObject(unavailable);
      engine.logs.unlisten(BUSY, heard);
    });
  });
}
