/** Coming back: clients get what they missed, or know that they did not. */
import { describe, expect, test } from "vitest";
import type { DoorCapabilities } from "../door.js";
import { dataOf, dataUntil, type Open } from "./harness.contract.js";

export function recoveryContract(opened: Open, can: DoorCapabilities): void {
  describe("coming back", () => {
    if (can.recovery !== "none") {
      test("brings what was published meanwhile, in order, then what follows", async () => {
        const { fanfare, open } = await opened();
        const client = await open();
        await client.subscribe("news");
        await fanfare.publish("news", 1);
        expect(await dataOf(client, 1)).toEqual([1]);
        client.vanish();
        for (let data = 2; data <= 50; data++) await fanfare.publish("news", data);
        expect(await client.comeBack()).toBe(true);
        await fanfare.publish("news", 51);
        const got = await dataUntil(client, 51);
        // A cursor may be a little behind what was read.
        if (can.recovery === "cursor" && got[0] === 1) got.shift();
        expect(got).toEqual(Array.from({ length: 50 }, (_, index) => index + 2));
      });

      test("to a channel that had nothing brings its first message", async () => {
        const { fanfare, open } = await opened();
        const client = await open();
        await client.subscribe("quiet");
        client.vanish();
        await fanfare.publish("quiet", "first");
        expect(await client.comeBack()).toBe(true);
        expect(await dataOf(client, 1)).toEqual(["first"]);
      });
    }

    test("to a log that has lost what was missed is told so", async () => {
      const { fanfare, open } = await opened({ rules: [{ channels: "news", history: 3 }] });
      const client = await open();
      await client.subscribe("news");
      await fanfare.publish("news", 0);
      expect(await dataOf(client, 1)).toEqual([0]);
      client.vanish();
      for (let data = 1; data <= 20; data++) await fanfare.publish("news", data);
      expect(await client.comeBack()).toBe(false);
      await fanfare.publish("news", 21);
      const got = await dataUntil(client, 21);
      expect(got).toEqual(can.recovery === "none" ? [21] : [18, 19, 20, 21]);
    });
  });
}
