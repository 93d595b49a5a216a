/** Who may hear what, at first and later. */
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { Access } from "../../access/access.js";
import type { Fanfare } from "../../library/fanfare.js";
import { LISTEN } from "../../testing/let-in.js";
import type { DoorCapabilities } from "../door.js";
import { dataOf, type Open, subscribed } from "./harness.contract.js";

const SECRET = "the-secret-of-the-door-contract-0123";

export function accessContract(opened: Open, can: DoorCapabilities): void {
  describe("access", () => {
    const tokens = { secrets: [SECRET] };
    const tokenOf = async (fanfare: Fanfare) => {
      const grants = [{ channels: "mine:*", actions: ["subscribe"] }] as const;
      return (await fanfare.token({ user: "alice", grants })).token;
    };

    test("who may not hear a channel is refused it, and who may is not", async () => {
      const { fanfare, open } = await opened({ access: "granted", tokens });
      const token = await tokenOf(fanfare);
      await expect(subscribed(open(token), "theirs:1")).rejects.toThrow(/forbidden/);
      await expect(subscribed(open(), "mine:1")).rejects.toThrow(/forbidden|not_logged_in/);
      const client = await subscribed(open(token), "mine:1");
      await fanfare.publish("mine:1", "for alice");
      expect(await dataOf(client, 1)).toEqual(["for alice"]);
    });

    test("a token that is wrong is never taken for none", async () => {
      const { open } = await opened({ anonymous: LISTEN, tokens });
      await expect(subscribed(open("not.a.token"), "a")).rejects.toThrow(/not_logged_in/);
    });

    test("who is logged out is sent away at once", async () => {
      const { fanfare, open } = await opened({ access: "granted", tokens });
      const client = await subscribed(open(await tokenOf(fanfare)), "mine:1");
      await fanfare.logOut("alice");
      await client.ended;
      await expect.poll(() => fanfare.stats().connections, { interval: 1 }).toBe(0);
    });

    test("who is logged out while it was looked at is not let in", async () => {
      const { fanfare, open } = await opened({ access: "granted", tokens });
      const token = await tokenOf(fanfare);
      const { authenticate } = Access.prototype;
      const late = vi.spyOn(Access.prototype, "authenticate").mockImplementation(async function (
        this: Access,
        ...given
      ) {
        const found = await authenticate.apply(this, given);
        await fanfare.logOut("alice");
        return found;
      });
      onTestFinished(() => late.mockRestore());
      await expect(subscribed(open(token), "mine:1")).rejects.toThrow(/not_logged_in|4401/);
      expect(late).toHaveBeenCalled();
      await expect.poll(() => fanfare.stats().connections, { interval: 1 }).toBe(0);
    });

    if (can.positions) {
      test("who may hear a channel and not read its history gets nothing of it", async () => {
        const { fanfare, open } = await opened({ anonymous: [{ channels: "*", actions: ["subscribe"] }] });
        const { epoch } = await fanfare.position("a");
        await fanfare.publish("a", "before");
        const client = await open();
        expect(await client.subscribe("a", { epoch, offset: 0 })).toMatchObject({
          recovered: false,
          position: { epoch, offset: 1 },
          reason: "not_allowed_history",
        });
        await fanfare.publish("a", "after");
        expect(await dataOf(client, 1)).toEqual(["after"]);
      });
    }

    test("who may not see who is there is told when that is granted, and no more when it is taken away", async () => {
      const rules = [{ channels: "room", presence: { intervalSeconds: 0.1 } }];
      const [hears, sees] = [["subscribe"], ["subscribe", "presence"]] as const;
      const grants = (actions: typeof hears | typeof sees) => [{ channels: "*", actions }];
      const { fanfare, open } = await opened({ anonymous: grants(hears), rules });
      const client = await subscribed(open(), "room");
      fanfare.reload({ anonymous: grants(sees), rules });
      const others = [await subscribed(open(), "room")];
      let count = 0;
      while (count < 2) count = await client.present();
      fanfare.reload({ anonymous: grants(hears), rules });
      others.push(await subscribed(open(), "room"));
      const told = client.present().then(
        () => "told",
        () => "not told",
      );
      await expect.poll(async () => (await fanfare.presence.list("room")).count).toBe(3);
      await fanfare.publish("room", "end");
      expect(await dataOf(client, 1)).toEqual(["end"]);
      expect(await Promise.race([told, "not told"])).toBe("not told");
    });

    test("what is not granted any more is not heard any more", async () => {
      const { fanfare, open } = await opened({
        anonymous: [{ channels: "*", actions: ["subscribe", "history"] }],
      });
      const client = await subscribed(open(), "a");
      await fanfare.publish("a", 1);
      expect(await dataOf(client, 1)).toEqual([1]);
      fanfare.reload({ anonymous: [{ channels: "b", actions: ["subscribe"] }] });
      await fanfare.publish("a", 2);
      const other = await subscribed(open(), "b");
      await fanfare.publish("b", 3);
      expect(await dataOf(other, 1)).toEqual([3]);
      expect(client.waiting).toBe(0);
    });
  });
}
