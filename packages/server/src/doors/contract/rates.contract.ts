/** How much of one user is taken at once, over all connections: who is over it is refused, and others are not. */
import { describe, expect, test } from "vitest";
import type { Fanfare } from "../../library/fanfare.js";
import type { DoorCapabilities } from "../door.js";
import { dataOf, type Open, subscribed } from "./harness.contract.js";

const TOKENS = { secrets: ["the-secret-of-the-door-contract-0123"] };

const tokenOf = async (fanfare: Fanfare, user: string) => {
  const grants = [{ channels: "*", actions: ["subscribe"] }] as const;
  return (await fanfare.token({ user, grants })).token;
};

export function ratesContract(opened: Open, can: DoorCapabilities): void {
  describe("rates", () => {
    test.each([
      ["connections", { connectsPerUser: 2 }],
      ["subscriptions", { subscriptionsPerUser: 2 }],
    ] as const)(
      "more %s of a user than they may open at once are refused, those of another are not",
      async (_what, rates) => {
        const { fanfare, open } = await opened({ access: "granted", tokens: TOKENS, rates });
        const [alice, bob] = [await tokenOf(fanfare, "alice"), await tokenOf(fanfare, "bob")];
        const clients = [await subscribed(open(alice), "a"), await subscribed(open(alice), "a")];
        await expect(subscribed(open(alice), "a")).rejects.toThrow(/rate_limited|PerUser/);
        clients.push(await subscribed(open(bob), "a"));
        await fanfare.publish("a", 1);
        for (const client of clients) expect(await dataOf(client, 1)).toEqual([1]);
      },
    );

    test("more connections of a user than there may be at all are refused until one leaves, those of another are not", async () => {
      const { fanfare, open } = await opened({
        access: "granted",
        tokens: TOKENS,
        limits: { connectionsPerOwner: 2 },
      });
      const [alice, bob] = [await tokenOf(fanfare, "alice"), await tokenOf(fanfare, "bob")];
      const clients = [await subscribed(open(alice), "a"), await subscribed(open(alice), "a")];
      await expect(subscribed(open(alice), "a")).rejects.toThrow(/share_used_up|one user or address/);
      clients.push(await subscribed(open(bob), "a"));
      clients[0]?.vanish();
      await expect.poll(() => fanfare.stats().connections, { interval: 5 }).toBe(2);
      clients[0] = await subscribed(open(alice), "a");
      await expect(subscribed(open(alice), "a")).rejects.toThrow(/share_used_up|one user or address/);
      await fanfare.publish("a", 1);
      for (const client of clients) expect(await dataOf(client, 1)).toEqual([1]);
    });

    test("more subscriptions of a user than there may be at all are refused until one ends, over all connections", async () => {
      const { fanfare, open } = await opened({
        access: "granted",
        tokens: TOKENS,
        limits: { subscriptionsPerOwner: 2 },
      });
      const [alice, bob] = [await tokenOf(fanfare, "alice"), await tokenOf(fanfare, "bob")];
      const clients = [await subscribed(open(alice), "a"), await subscribed(open(alice), "b")];
      await expect(subscribed(open(alice), "c")).rejects.toThrow(/share_used_up|one user or address/);
      await subscribed(open(bob), "c");
      const before = fanfare.stats().connections;
      clients[0]?.vanish();
      await expect.poll(() => fanfare.stats().connections, { interval: 5 }).toBe(before - 1);
      clients[0] = await subscribed(open(alice), "b");
      await expect(subscribed(open(alice), "c")).rejects.toThrow(/share_used_up|one user or address/);
      await fanfare.publish("b", 1);
      for (const client of clients) expect(await dataOf(client, 1)).toEqual([1]);
    });

    if (can.unsubscribes) {
      test("what a user unsubscribes from makes room for another subscription", async () => {
        const { fanfare, open } = await opened({
          access: "granted",
          tokens: TOKENS,
          limits: { subscriptionsPerOwner: 1 },
        });
        const client = await open(await tokenOf(fanfare, "alice"));
        await client.subscribe("a");
        await expect(client.subscribe("b")).rejects.toThrow(/share_used_up/);
        await client.unsubscribe("a");
        await client.subscribe("b");
        await fanfare.publish("b", 1);
        expect(await dataOf(client, 1)).toEqual([1]);
      });

      test("more subscriptions of a connection than it may open at once are refused, and it lives on", async () => {
        const { fanfare, open } = await opened({ rates: { subscriptionsPerConnection: 2 } });
        const client = await open();
        await client.subscribe("a");
        await client.subscribe("b");
        await expect(client.subscribe("c")).rejects.toThrow(/rate_limited/);
        await fanfare.publish("a", 1);
        expect(await dataOf(client, 1)).toEqual([1]);
      });
    }
  });
}
