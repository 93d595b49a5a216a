import { parseChannelName } from "@fanfare/protocol";
import { describe, expect, test } from "vitest";
import { systemRandom } from "../base/clock.js";
import { MemorySpace } from "../engine/memory/memory-space.js";
import type { Space } from "../engine/space.js";
import { FakeClock, turns } from "../testing/fake-clock.js";
import type { Access } from "./access.js";
import { notLoggedIn } from "./grants/credentials.js";
import { Grants } from "./grants/grants.js";
import type { Principal } from "./grants/principal.js";
import { Tickets } from "./tickets.js";

const NOBODY: Principal = { kind: "nobody", grants: new Grants([], null) };
const CHANNELS = [parseChannelName("a")];
const UNKNOWN = /not known/;

/** A node; its callers are anonymous, unless it says otherwise. */
function aNode(
  space: Space = new MemorySpace(() => {}),
  asked: Partial<Pick<Access, "authenticate" | "loggedOutSince">> = {},
) {
  const clock = new FakeClock();
  const access = { authenticate: () => NOBODY, loggedOutSince: () => false, ...asked };
  const tickets = new Tickets({ access, space, clock, random: systemRandom });
  const issue = (place: string, characters = 10) =>
    tickets.issue(
      { principal: NOBODY, credentials: { token: "x".repeat(characters) }, channels: CHANNELS },
      place,
    );
  const isKnown = (name: string) =>
    tickets.use(name, null).then(
      () => true,
      () => false,
    );
  return { clock, tickets, issue, isKnown };
}

test("what one owner's tickets stand for has a bound: their own oldest go, and those of others stay", async () => {
  const { issue, isKnown } = aNode();
  const other = await issue("b", 100);
  // A quarter of 16 Mi characters is 64 of these.
  const names = [];
  for (let count = 0; count < 90; count++) names.push(await issue("a", 65_000));
  const known = [];
  for (const name of names) known.push(await isKnown(name));
  expect(known.filter(Boolean)).toHaveLength(64);
  expect(known.lastIndexOf(false)).toBe(25);
  expect(await isKnown(other)).toBe(true);
});

test("what all tickets of a node stand for has a bound: those used longest ago go, and nothing is left of them", async () => {
  const space = new MemorySpace(() => {});
  const { issue, isKnown } = aNode(space);
  const names = [];
  // 16 Mi characters are 257 of these.
  for (let count = 0; count < 300; count++) names.push(await issue(`owner ${count % 10}`, 65_000));
  const known = [];
  for (const name of names) known.push(await isKnown(name));
  expect(known.filter(Boolean)).toHaveLength(257);
  expect(known.lastIndexOf(false)).toBe(42);
  expect(await space.list(null, 1000)).toHaveLength(257 + 10);
});

describe("a ticket of two nodes on one engine", () => {
  test("is accepted by both, again and again, also at once", async () => {
    const space = new MemorySpace(() => {});
    const [one, other] = [aNode(space), aNode(space)];
    const name = await one.issue("a");
    expect(await other.tickets.use(name, null)).toMatchObject({
      channels: CHANNELS,
      credentials: { token: "xxxxxxxxxx" },
    });
    const uses = Array.from({ length: 20 }, (_, index) => (index % 2 ? one : other).isKnown(name));
    expect(new Set(await Promise.all(uses))).toEqual(new Set([true]));
  });

  test("has one bound of its owner on both", async () => {
    const space = new MemorySpace(() => {});
    const [one, other] = [aNode(space), aNode(space)];
    const first = await one.issue("a");
    const kept = await one.issue("b");
    await Promise.all(Array.from({ length: 100 }, (_, index) => (index % 2 ? one : other).issue("a")));
    expect([await one.isKnown(first), await other.isKnown(kept)]).toEqual([false, true]);
    expect(await space.list(null, 1000)).toHaveLength(101 + 2);
  });

  test("that one node ends while the other looks at its holder is not accepted", async () => {
    const space = new MemorySpace(() => {});
    let answer: (principal: Principal) => void = () => {};
    const asking = new Promise<Principal>((done) => {
      answer = done;
    });
    const slow = aNode(space, { authenticate: () => asking });
    const user: Principal = { ...NOBODY, kind: "key", key: "other", hash: "" };
    const other = aNode(space, { authenticate: () => user });
    const name = await slow.issue("a");
    const using = slow.tickets.use(name, null);
    await turns(3);
    await expect(other.tickets.use(name, null)).rejects.toThrow(/the ticket is over: its session is/);
    answer(NOBODY);
    await expect(using).rejects.toThrow(UNKNOWN);
    expect(await space.list(null, 10)).toEqual([]);
  });
});

test("what lies in the engine is worth nothing without the ticket", async () => {
  const space = new MemorySpace(() => {});
  const { tickets } = aNode(space);
  const credentials = {
    token: "the-token",
    csrf: "the-csrf",
    request: () => ({ url: "http://a/b?c", host: "a", headers: new Headers({ Cookie: "session=secret" }) }),
  };
  const name = await tickets.issue({ principal: NOBODY, credentials, channels: CHANNELS }, "a");
  const kept = JSON.stringify(await space.list(null, 100));
  for (const secret of [name, "the-token", "the-csrf", "secret"]) expect(kept).not.toContain(secret);
  const used = await tickets.use(name, null);
  expect(used.credentials).toMatchObject({ token: "the-token", csrf: "the-csrf" });
  expect(used.credentials.request?.().headers.get("cookie")).toBe("session=secret");
  await expect(tickets.use(`${name.slice(0, -1)}_`, null)).rejects.toThrow(UNKNOWN);
});

test("a ticket is no better than what it was asked with, and ends with its user's log-out", async () => {
  const space = new MemorySpace(() => {});
  const alice: Principal = {
    ...NOBODY,
    kind: "user",
    user: "alice",
    token: null,
    issued: 0,
    known: 0,
    expires: null,
  } as never;
  let refuse = true;
  let loggedOut = false;
  const { tickets } = aNode(space, {
    authenticate() {
      if (refuse) throw notLoggedIn("the token expired");
      return alice;
    },
    loggedOutSince: () => loggedOut,
  });
  const name = await tickets.issue({ principal: alice, credentials: {}, channels: CHANNELS }, "");
  await expect(tickets.use(name, null)).rejects.toThrow("the token expired");
  refuse = false;
  expect((await tickets.use(name, null)).principal).toBe(alice);
  loggedOut = true;
  await expect(tickets.use(name, null)).rejects.toThrow(/its user logged out/);
  loggedOut = false;
  await expect(tickets.use(name, null)).rejects.toThrow(UNKNOWN);
});
