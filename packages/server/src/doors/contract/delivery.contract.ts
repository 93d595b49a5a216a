/** What reaches whom: every message, once, in order, and nothing else. */
import { describe, expect, test } from "vitest";
import type { DoorCapabilities } from "../door.js";
import { dataOf, type Open } from "./harness.contract.js";

export function deliveryContract(opened: Open, can: DoorCapabilities): void {
  test("messages arrive in the order in which they were published, with their data", async () => {
    const { fanfare, open } = await opened();
    const client = await open();
    await client.subscribe("news");
    const sent = Array.from({ length: 300 }, (_, index) => ({ index, text: "é😀\u2028" }));
    await Promise.all(sent.map((data) => fanfare.publish("news", data)));
    expect(await dataOf(client, 300)).toEqual(sent);
  });

  test("every client of a channel gets each message, and none of other channels", async () => {
    const { fanfare, open } = await opened();
    const [one, other, both] = await Promise.all([open(), open(), open()]);
    await one.subscribe("a");
    await other.subscribe("b");
    await both.subscribe("a");
    if (can.unsubscribes) await both.subscribe("b");
    for (let index = 0; index < 10; index++) {
      await fanfare.publish("a", `a${index}`);
      await fanfare.publish("b", `b${index}`);
    }
    await fanfare.publish("a", "end");
    await fanfare.publish("b", "end");
    const tens = (channel: string) => Array.from({ length: 10 }, (_, index) => `${channel}${index}`);
    expect(await dataOf(one, 11)).toEqual([...tens("a"), "end"]);
    expect(await dataOf(other, 11)).toEqual([...tens("b"), "end"]);
    if (!can.unsubscribes) return;
    const got = await dataOf(both, 22);
    expect(got.filter((data) => String(data).startsWith("a"))).toEqual(tens("a"));
    expect(got.filter((data) => String(data).startsWith("b"))).toEqual(tens("b"));
  });

  test("a client that left or vanished harms nobody, and is forgotten", async () => {
    const { fanfare, open } = await opened();
    const [stays, leaves, vanishes] = await Promise.all([open(), open(), open()]);
    for (const client of [stays, leaves, vanishes]) await client.subscribe("news");
    expect(fanfare.stats().connections).toBe(3);
    await fanfare.publish("news", 1);
    await leaves.leave();
    vanishes.vanish();
    await fanfare.publish("news", 2);
    expect(await dataOf(stays, 2)).toEqual([1, 2]);
    await expect.poll(() => fanfare.stats().connections, { interval: 1 }).toBe(1);
  });

  if (can.publishes) {
    test("whoever publishes hears its own message like everybody else, once", async () => {
      const { fanfare, open } = await opened();
      const [sender, other] = await Promise.all([open(), open()]);
      await sender.subscribe("chat");
      await other.subscribe("chat");
      await sender.publish("chat", "hello");
      await fanfare.publish("chat", "end");
      expect(await dataOf(sender, 2)).toEqual(["hello", "end"]);
      expect(await dataOf(other, 2)).toEqual(["hello", "end"]);
    });
  }

  if (can.unsubscribes) {
    describe("unsubscribing", () => {
      test("after the answer nothing of the channel follows, and the others go on", async () => {
        const { fanfare, open } = await opened();
        const client = await open();
        await client.subscribe("a");
        await client.subscribe("b");
        await fanfare.publish("a", 1);
        expect(await dataOf(client, 1)).toEqual([1]);
        await client.unsubscribe("a");
        await fanfare.publish("a", 2);
        await fanfare.publish("b", 3);
        expect(await dataOf(client, 1)).toEqual([3]);
      });

      test("one may subscribe again, and gets what comes from then on", async () => {
        const { fanfare, open } = await opened();
        const client = await open();
        await client.subscribe("a");
        await client.unsubscribe("a");
        await fanfare.publish("a", "between");
        await client.subscribe("a");
        await fanfare.publish("a", "after");
        expect(await dataOf(client, 1)).toEqual(["after"]);
      });
    });
  }

  test("a client that stops reading costs a bounded amount, and holds up nobody", async () => {
    const { fanfare, open } = await opened({ rules: [{ channels: "**", history: 10 }] });
    const [slow, quick] = [await open(), await open()];
    await slow.subscribe("big");
    await quick.subscribe("big");
    slow.stopReading();
    const text = "x".repeat(32 * 1024);
    let most = 0;
    for (let index = 1; index <= 600; index++) {
      await fanfare.publish("big", { index, text });
      expect(await quick.next()).toMatchObject({ kind: "message", data: { index } });
      most = Math.max(most, fanfare.stats().waitingBytes);
    }
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThan(256 * 1024);
    expect(fanfare.stats().fullConnections).toBe(1);
  });
}
