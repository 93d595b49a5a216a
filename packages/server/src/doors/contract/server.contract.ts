/** The server as a whole: how many it lets in, and how it sends all away. */
import { describe, expect, test } from "vitest";
import { dataOf, type Open, subscribed } from "./harness.contract.js";

export function serverContract(opened: Open): void {
  describe("limits", () => {
    test("beyond the most connections nobody is let in, and those there are stay", async () => {
      const { fanfare, open } = await opened({ limits: { connections: 2 } });
      const clients = [await subscribed(open(), "a"), await subscribed(open(), "a")];
      await expect(subscribed(open(), "a")).rejects.toThrow(/too_many_connections|503/);
      await fanfare.publish("a", 1);
      for (const client of clients) expect(await dataOf(client, 1)).toEqual([1]);
    });
  });

  describe("what the application is told of a client", () => {
    test("is that it is connected, once, and that it is gone, once, under versions that grow", async () => {
      const { fanfare, open } = await opened();
      const told: string[] = [];
      fanfare.on("connected", ({ connection, version }) => void told.push(`${connection} in ${version}`));
      fanfare.on("disconnected", ({ connection, version }) => void told.push(`${connection} out ${version}`));
      const clients = [await subscribed(open(), "a"), await subscribed(open(), "a")];
      await expect.poll(() => told.length, { interval: 1 }).toBe(2);
      await clients[0]?.leave();
      clients[1]?.vanish();
      await expect.poll(() => told.length, { interval: 1 }).toBe(4);
      await fanfare.close({ withinSeconds: 0 });
      const names = new Set(told.map((line) => line.split(" ")[0]));
      expect(names.size).toBe(2);
      for (const name of names) {
        expect(told.filter((line) => line.startsWith(`${name} `))).toEqual([`${name} in 1`, `${name} out 2`]);
      }
    });
  });

  describe("a server that stops", () => {
    test("sends everybody away, with what was published before, and another time to come back for each", async () => {
      const { fanfare, open } = await opened({ rules: [{ channels: "slow", maxRate: 0.1 }] });
      const clients = [];
      for (let index = 0; index < 20; index++) clients.push(await subscribed(open(), "slow"));
      await fanfare.publish("slow", 1);
      for (const client of clients) expect(await dataOf(client, 1)).toEqual([1]);
      await fanfare.publish("slow", 2);
      await fanfare.close({ withinSeconds: 2 });
      for (const client of clients) expect(await dataOf(client, 1)).toEqual([2]);
      const waits = await Promise.all(clients.map(async ({ ended }) => (await ended).retryAfterSeconds));
      expect(fanfare.stats().connections).toBe(0);
      for (const wait of waits) expect(wait).toBeGreaterThanOrEqual(0.2);
      expect(new Set(waits).size).toBeGreaterThan(5);
    });
  });
}
