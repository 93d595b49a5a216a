/** Positions, for doors that tell them: where delivery starts, and what is missing. */
import type { Position } from "@fanfare/protocol";
import { describe, expect, test } from "vitest";
import type { DoorCapabilities } from "../door.js";
import { type DeliveredGap, dataOf, type Open } from "./harness.contract.js";

export function positionsContract(opened: Open, can: DoorCapabilities): void {
  if (!can.positions) return;
  describe("positions", () => {
    test("a channel without messages has a position, and one can go on from it", async () => {
      const { fanfare, open } = await opened();
      const first = await open();
      const { position, recovered } = await first.subscribe("quiet");
      expect(position).toEqual({ epoch: expect.stringMatching(/^[0-9a-f]{16}$/), offset: 0 });
      expect(recovered).toBe(false);
      await first.leave();
      await fanfare.publish("quiet", "missed");
      const again = await open();
      const answer = await again.subscribe("quiet", position);
      expect(answer).toEqual({ position, recovered: true });
      expect(await dataOf(again, 1)).toEqual(["missed"]);
    });

    test("what was missed is delivered first, then what comes", async () => {
      const { fanfare, open } = await opened();
      const position = await fanfare.position("news");
      for (let index = 1; index <= 20; index++) await fanfare.publish("news", index);
      const since = { epoch: position.epoch, offset: 5 };
      const client = await open();
      expect(await client.subscribe("news", since)).toEqual({ position: since, recovered: true });
      await fanfare.publish("news", 21);
      expect(await dataOf(client, 16)).toEqual(Array.from({ length: 16 }, (_, index) => index + 6));
    });

    test("nothing is missing at the head", async () => {
      const { fanfare, open } = await opened();
      await fanfare.publish("news", 1);
      const head = await fanfare.position("news");
      const client = await open();
      expect(await client.subscribe("news", head)).toEqual({ position: head, recovered: true });
      await fanfare.publish("news", 2);
      expect(await dataOf(client, 1)).toEqual([2]);
    });

    test("what the log no longer holds is said in the answer, and what it holds follows", async () => {
      const { fanfare, open } = await opened({ rules: [{ channels: "news", history: 5 }] });
      const { epoch } = await fanfare.position("news");
      for (let index = 1; index <= 20; index++) await fanfare.publish("news", index);
      const client = await open();
      expect(await client.subscribe("news", { epoch, offset: 3 })).toEqual({
        position: { epoch, offset: 15 },
        recovered: false,
        reason: "evicted",
      });
      expect(await dataOf(client, 5)).toEqual([16, 17, 18, 19, 20]);
    });

    test("a position of another log, or beyond the head, is not recovered from: delivery starts at the head", async () => {
      const { fanfare, open } = await opened();
      await fanfare.publish("news", "old");
      const head = await fanfare.position("news");
      const elsewhere = { epoch: "0123456789abcdef" as Position["epoch"], offset: 1 };
      for (const since of [elsewhere, { epoch: head.epoch, offset: 1000 }]) {
        const client = await open();
        const { position, recovered, reason } = await client.subscribe("news", since);
        expect({ position, recovered }).toEqual({ position: head, recovered: false });
        expect(["restarted", "epoch_changed", "forgotten"]).toContain(reason);
        await fanfare.publish("news", "new");
        expect(await dataOf(client, 1)).toEqual(["new"]);
        Object.assign(head, await fanfare.position("news"));
      }
    });

    test("what is published while a subscribe is under way is delivered exactly once", async () => {
      const { fanfare, open } = await opened({ rules: [{ channels: "**", history: 1000 }] });
      for (let round = 0; round < 5; round++) {
        const channel = `busy:${round}`;
        const { epoch } = await fanfare.position(channel);
        const client = await open();
        const publishing = (async () => {
          for (let index = 1; index <= 200; index++) {
            await fanfare.publish(channel, index);
            if (index % (round + 1) === 0) await new Promise<void>((done) => setImmediate(done));
          }
        })();
        const { recovered } = await client.subscribe(channel, { epoch, offset: 0 });
        expect(recovered).toBe(true);
        await publishing;
        expect(await dataOf(client, 200)).toEqual(Array.from({ length: 200 }, (_, index) => index + 1));
        await client.leave();
      }
    });

    test("a client that stopped reading gets a gap for what it cannot get any more; another one gets all", async () => {
      const { fanfare, open } = await opened({ rules: [{ channels: "**", history: 10 }] });
      const [slow, quick, other] = await Promise.all([open(), open(), open()]);
      await slow.subscribe("big");
      await quick.subscribe("big");
      await other.subscribe("small");
      slow.stopReading();
      const count = 600;
      const text = "x".repeat(32 * 1024);
      for (let index = 1; index <= count; index++) {
        await fanfare.publish("big", { index, text });
        if (index % 10 === 0) await quickKeepsUp(index);
      }
      async function quickKeepsUp(last: number) {
        for (let index = last - 9; index <= last; index++) {
          expect(await quick.next()).toMatchObject({ kind: "message", offset: index, data: { index } });
        }
      }
      slow.readAgain();
      let reached = 0;
      const gaps: DeliveredGap[] = [];
      while (reached < count) {
        const delivered = await slow.next();
        if (delivered.kind === "gap") {
          expect(delivered).toMatchObject({ channel: "big", from: reached + 1, reason: "too_slow" });
          gaps.push(delivered);
          reached = delivered.to;
        } else {
          expect(delivered).toMatchObject({ offset: reached + 1, data: { index: reached + 1 } });
          reached++;
        }
      }
      expect(gaps).toHaveLength(1);
      // What the log holds follows the gap: nothing is called missing that is not.
      expect(reached).toBe(count);
      expect(gaps[0]?.to).toBe(count - 10);
      await fanfare.publish("big", "end");
      expect(await slow.next()).toMatchObject({ offset: count + 1, data: "end" });
      await fanfare.publish("small", "end");
      expect(await dataOf(quick, 1)).toEqual(["end"]);
      expect(await dataOf(other, 1)).toEqual(["end"]);
    });
  });
}
