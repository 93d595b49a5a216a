/** What changes for a client that is there: its token, its rights, and that it may not stay. */
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { z } from "zod";
import { Access } from "../../access/access.js";
import type { Fanfare } from "../../library/fanfare.js";
import type { DoorCapabilities } from "../door.js";
import { dataOf, type Open, subscribed } from "./harness.contract.js";

const ADMIN = "the-admin-of-the-door-contract-0123";
const TOKENS = { secrets: ["the-secret-of-the-door-contract-0123"] };

const tokenFor = async (fanfare: Fanfare, user: string, ...channels: string[]) => {
  const grants = channels.map((each) => ({ channels: each, actions: ["subscribe", "publish"] as const }));
  return (await fanfare.token({ user, grants })).token;
};

/** From now on `then` is done between a caller's being known and the next step. */
function whenLookedAt(then: () => Promise<unknown>): void {
  const { authenticate } = Access.prototype;
  const late = vi.spyOn(Access.prototype, "authenticate").mockImplementation(async function (
    this: Access,
    ...given
  ) {
    const found = await authenticate.apply(this, given);
    await then();
    return found;
  });
  onTestFinished(() => late.mockRestore());
}

export function changesContract(opened: Open, can: DoorCapabilities): void {
  const opening = () => opened({ access: "granted", tokens: TOKENS, apiKeys: [ADMIN] });

  describe("a client that is sent away", () => {
    test("by an administrator is gone at once, and others go on", async () => {
      const { fanfare, open } = await opening();
      const names: string[] = [];
      fanfare.on("connected", ({ connection }) => void names.push(connection));
      const goes = await subscribed(open(await tokenFor(fanfare, "alice", "a")), "a");
      const stays = await subscribed(open(await tokenFor(fanfare, "bob", "a")), "a");
      await expect.poll(() => names.length, { interval: 1 }).toBe(2);
      const url = `http://localhost${fanfare.path}/connections/${names[0]}`;
      const headers = { Authorization: `Bearer ${ADMIN}` };
      expect((await fanfare.fetch(new Request(url, { method: "DELETE", headers }))).status).toBe(204);
      await goes.ended;
      await expect.poll(() => fanfare.stats().connections, { interval: 1 }).toBe(1);
      await fanfare.publish("a", "after");
      expect(await dataOf(stays, 1)).toEqual(["after"]);
      expect(goes.waiting).toBe(0);
    });

    if (can.unsubscribes) {
      test("for asking too often for what it may not have is gone, and one that asks now and then is not", async () => {
        const { fanfare, open } = await opening();
        const [alice, bob] = [await tokenFor(fanfare, "alice", "a"), await tokenFor(fanfare, "bob", "a")];
        const [tries, stays] = [await subscribed(open(alice), "a"), await subscribed(open(bob), "a")];
        for (let index = 0; index < 20; index++) {
          await expect(tries.subscribe(`b${index}`)).rejects.toThrow(/forbidden/);
        }
        await expect(stays.subscribe("b")).rejects.toThrow(/forbidden/);
        tries.subscribe("another").catch(() => {});
        await tries.ended;
        await expect.poll(() => fanfare.stats().connections, { interval: 1 }).toBe(1);
        await fanfare.publish("a", "after");
        expect(await dataOf(stays, 1)).toEqual(["after"]);
      });
    }
  });

  if (can.publishes) {
    test("what is published is not in the log when its user is logged out while it is looked at", async () => {
      let check = (): Promise<unknown> => Promise.resolve();
      const looked = z.unknown().refine(async () => {
        await check();
        return true;
      });
      const { fanfare, open } = await opened({
        access: "granted",
        tokens: TOKENS,
        channels: { a: { message: looked } },
      });
      const client = await subscribed(open(await tokenFor(fanfare, "alice", "a")), "a");
      check = () => fanfare.logOut("alice");
      client.publish("a", "too late").catch(() => {});
      await client.ended;
      expect((await fanfare.position("a")).offset).toBe(0);
    });
  }

  if (!can.renews) return;
  describe("a new token of the same user", () => {
    test("ends what it does not grant, and grants what it does", async () => {
      const { fanfare, open } = await opening();
      const client = await subscribed(open(await tokenFor(fanfare, "alice", "a", "both")), "a");
      await client.subscribe("both");
      await client.renew(await tokenFor(fanfare, "alice", "b", "both"));
      expect(await client.revoked()).toBe("a");
      await client.subscribe("b");
      for (const channel of ["a", "b", "both"]) await fanfare.publish(channel, channel);
      expect((await dataOf(client, 2)).sort()).toEqual(["b", "both"]);
      expect(client.waiting).toBe(0);
    });

    test("holds for what is asked right after it", async () => {
      const { fanfare, open } = await opening();
      const client = await subscribed(open(await tokenFor(fanfare, "alice", "a")), "a");
      const token = await tokenFor(fanfare, "alice", "b");
      const [, answer] = await Promise.all([client.renew(token), client.subscribe("b")]);
      expect(answer).toMatchObject({ recovered: false });
    });

    test.each(["wrong", "of another user"])("is refused where it is %s, and nobody else's", async (how) => {
      const { fanfare, open } = await opening();
      const client = await subscribed(open(await tokenFor(fanfare, "alice", "a")), "a");
      const token = how === "wrong" ? "not.a.token" : await tokenFor(fanfare, "bob", "b");
      await expect(client.renew(token)).rejects.toThrow(/not_logged_in|4401/);
      await expect(client.subscribe("b")).rejects.toThrow();
    });

    test("keeps no client whose user is logged out while it is looked at", async () => {
      const { fanfare, open } = await opening();
      const client = await subscribed(open(await tokenFor(fanfare, "alice", "a")), "a");
      const token = await tokenFor(fanfare, "alice", "a", "b");
      whenLookedAt(() => fanfare.logOut("alice"));
      await expect(client.renew(token)).rejects.toThrow();
      await client.ended;
      await expect.poll(() => fanfare.stats().connections, { interval: 1 }).toBe(0);
    });
  });
}
