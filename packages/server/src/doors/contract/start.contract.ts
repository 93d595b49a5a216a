/** How a subscription begins: with the state, with those who are present, and by rules, as far as the client may know of it. */
import { describe, expect, test } from "vitest";
import type { DoorCapabilities } from "../door.js";
import { dataOf, type Open, subscribed } from "./harness.contract.js";

const TOKENS = { secrets: ["the-secret-of-the-door-contract-0123"] };

export function startContract(opened: Open, can: DoorCapabilities): void {
  describe("a subscription begins", () => {
    test("with the state of the channel, also for a client that may not read the history", async () => {
      const { fanfare, open } = await opened({ anonymous: [{ channels: "*", actions: ["subscribe"] }] });
      await fanfare.states.patch("a", { n: 1 });
      expect(await (await open()).subscribe("a")).toMatchObject({ state: { n: 1 } });
      expect(await (await open()).subscribe("without")).not.toHaveProperty("state");
    });

    test("with those who are present, each user once, for clients that may see it", async () => {
      const { fanfare, open } = await opened({
        access: "granted",
        tokens: TOKENS,
        rules: [{ channels: "room", presence: true }],
      });
      const tokenOf = async (user: string, ...actions: ("subscribe" | "presence")[]) =>
        (await fanfare.token({ user, grants: [{ channels: "room", actions }] })).token;
      const alice = await tokenOf("alice", "subscribe");
      for (let tab = 0; tab < 2; tab++) {
        expect(await (await open(alice)).subscribe("room")).not.toHaveProperty("present");
      }
      const bob = await tokenOf("bob", "subscribe", "presence");
      expect(await (await open(bob)).subscribe("room")).toMatchObject({ present: 2 });
      const { members } = await fanfare.presence.list("room");
      expect(members.map(({ user }) => user).sort()).toEqual(["alice", "bob"]);
    });

    test("not at all for a user who has left or was sent away: they are not present any more", async () => {
      const { fanfare, open } = await opened({
        access: "granted",
        tokens: TOKENS,
        rules: [{ channels: "room", presence: true }],
      });
      for (const user of ["alice", "bob"]) {
        const { token } = await fanfare.token({
          user,
          grants: [{ channels: "room", actions: ["subscribe"] }],
        });
        const client = await subscribed(open(token), "room");
        if (user === "alice") await fanfare.logOut("alice");
        else await client.leave();
        await client.ended;
      }
      await expect.poll(async () => (await fanfare.presence.list("room")).count, { interval: 5 }).toBe(0);
    });

    if (can.auto) {
      test("by itself on channels of auto rules that the client may hear, and on no other", async () => {
        const { fanfare, open } = await opened({
          anonymous: [{ channels: "*", actions: ["subscribe"] }],
          rules: [
            { channels: "broadcast", auto: true },
            { channels: "staff:news", auto: true },
          ],
        });
        const client = await subscribed(open(), "a");
        await fanfare.publish("staff:news", "secret");
        await fanfare.publish("broadcast", "for all");
        await fanfare.publish("a", "end");
        expect((await dataOf(client, 2)).sort()).toEqual(["end", "for all"]);
        expect(client.waiting).toBe(0);
      });
    }
  });
}
