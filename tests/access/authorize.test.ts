/** What an application answers wrongly, late or never, who was asked by `authorize`: nobody is let in by it, and no caller is blamed. */
import { describe, expect, test } from "vitest";
import type { Authorized } from "../../packages/server/src/index.js";
import { FakeClock } from "../../packages/server/src/testing/fake-clock.js";
import { Client } from "../doors/client.js";
import { serve } from "../doors/serving.js";
import { connect } from "../doors/socketio-client.js";

const GRANTS = [{ channels: "**", actions: ["*"] }];
const circular: Record<string, unknown> = {};
circular.self = circular;

const WRONG: Record<string, [answer: unknown, why: RegExp]> = {
  "a text": ["alice", /what authorize answered is a string/],
  true: [true, /what authorize answered is a boolean/],
  "a misspelt member": [
    { user: "a", grants: [], expiresAt: 1 },
    /"expiresAt" is not known. Did you mean expires/,
  ],
  "no grants": [{ user: "a" }, /authorize: grants is missing. Use a list/],
  "grants that are none": [
    { user: "a", grants: [{ channels: "a", actions: "all" }] },
    /authorize: grants\[0\]/,
  ],
  "circular info": [{ user: "a", grants: [], info: circular }, /authorize: info/],
  "an end that is NaN": [{ user: "a", grants: GRANTS, expires: Number.NaN }, /authorize: expires is NaN/],
  "an end that is a text": [
    { user: "a", grants: GRANTS, expires: "2030-01-01" },
    /authorize: expires is "2030-01-01"/,
  ],
  "an end that is a date": [
    { user: "a", grants: GRANTS, expires: new Date(2e12) },
    /authorize: expires is an object/,
  ],
};

describe("authorize", () => {
  test.each(Object.entries(WRONG))(
    "that answers with %s is the server's fault",
    async (_name, [answer, why]) => {
      const { url, http, log } = await serve({ authorize: () => answer as Authorized });
      const response = await fetch(`${http}/channels/a/messages`);
      expect([response.status, await response.json()]).toEqual([
        500,
        expect.objectContaining({ code: "internal" }),
      ]);
      expect(log.about("a request failed")[0]?.fields).toMatchObject({
        err: { message: expect.stringMatching(why) },
      });
      const client = await Client.open(url);
      client.say({ type: "connect" });
      expect(await client.closed).toMatchObject({ code: 1011 });
    },
  );

  test("that does not answer lets its callers go after 10 seconds", async () => {
    const clock = new FakeClock();
    let asked = 0;
    let tellAsked = () => {};
    const allAsked = new Promise<void>((resolve) => {
      tellAsked = resolve;
    });
    const authorize = () => {
      if (++asked === 3) tellAsked();
      return new Promise<null>(() => {});
    };
    const { url, http, log } = await serve({ authorize, clock, socketio: {} });
    const response = fetch(`${http}/channels/a/messages`);
    const client = await Client.open(url);
    client.say({ type: "connect" });
    const other = connect(new URL(http).origin).catch((error: Error) => error);
    await allAsked;
    clock.advance(10_000);
    expect((await response).status).toBe(503);
    expect(await client.closed).toMatchObject({ code: 1013 });
    expect(await other).toBeInstanceOf(Error);
    expect(log.about("authorize did not answer within 10 seconds")).toHaveLength(3);
  });
});
