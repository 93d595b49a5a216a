/** Who may hear what, at first and later. */
import { describe, expect, test } from "vitest";
import type { Fanfare } from "../../fanfare.js";
import { dataOf, type Open, subscribed } from "./harness.contract.js";

const SECRET = "the-secret-of-the-door-contract-0123";

export function accessContract(opened: Open): void {
  describe("access", () => {
    const tokens = { secrets: [SECRET] };
    const tokenOf = async (fanfare: Fanfare) => {
      const grants = [{ channels: "mine:*", actions: ["subscribe"] }] as const;
      return (await fanfare.token({ user: "alice", grants })).token;
    };

    test("who may not hear a channel is refused it, and who may is not", async () => {
      const { fanfare, open } = await opened({ access: "none", tokens });
      const token = await tokenOf(fanfare);
      await expect(subscribed(open(token), "theirs:1")).rejects.toThrow(/forbidden/);
      await expect(subscribed(open(), "mine:1")).rejects.toThrow(/forbidden|not_logged_in/);
      const client = await subscribed(open(token), "mine:1");
      await fanfare.publish("mine:1", "for alice");
      expect(await dataOf(client, 1)).toEqual(["for alice"]);
    });

    test("a token that is wrong is never taken for none", async () => {
      const { open } = await opened({ access: "listen", tokens });
      await expect(subscribed(open("not.a.token"), "a")).rejects.toThrow(/not_logged_in/);
    });

    test("who is logged out is sent away at once", async () => {
      const { fanfare, open } = await opened({ access: "none", tokens });
      const client = await subscribed(open(await tokenOf(fanfare)), "mine:1");
      await fanfare.logOut("alice");
      await client.ended;
      await expect.poll(() => fanfare.stats().connections, { interval: 1 }).toBe(0);
    });

    test("what is not granted any more is not heard any more", async () => {
      const { fanfare, open } = await opened({
        access: [{ channels: "*", actions: ["subscribe", "history"] }],
      });
      const client = await subscribed(open(), "a");
      await fanfare.publish("a", 1);
      expect(await dataOf(client, 1)).toEqual([1]);
      fanfare.reload({ access: [{ channels: "b", actions: ["subscribe"] }] });
      await fanfare.publish("a", 2);
      const other = await subscribed(open(), "b");
      await fanfare.publish("b", 3);
      expect(await dataOf(other, 1)).toEqual([3]);
      expect(client.waiting).toBe(0);
    });
  });
}
