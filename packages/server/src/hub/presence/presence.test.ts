/** Who is present, as a hub follows and tells it. */
import { type ChannelName, type FanfareError, parseChannelName } from "@fanfare/protocol";
import { describe, expect, test } from "vitest";
import { aHub, type HubForTests, type HubOptionsForTests } from "../../testing/a-hub.js";
import { turns } from "../../testing/fake-clock.js";
import {
  type FakeSubscriber,
  type FakeSubscriberOptions,
  LineEncoding,
  type SubscribedFrame,
} from "../../testing/fake-subscriber.js";
import type { Attendance } from "../terms/member.js";
import type { RuleOptions } from "../terms/rule-options.js";
import type { PresencePage } from "./presence.js";

const ROOM = parseChannelName("room");
const presence = (rule: RuleOptions["presence"] = true): HubOptionsForTests => ({
  rules: [{ channels: "room", presence: rule }],
});

/** A connection of a user that subscribes. */
async function come(
  { hub, open }: HubForTests,
  user: string,
  options: FakeSubscriberOptions & Partial<Attendance> & { info?: string; channel?: ChannelName } = {},
): Promise<FakeSubscriber> {
  const { watches = true, info, channel = ROOM, ...rest } = options;
  const subscriber = open(rest);
  expect(hub.rules.of(channel).presence === null).toBe(channel !== ROOM);
  subscriber.connection.subscribe(channel, {
    request: 1,
    since: undefined,
    attendance: { attendant: { id: `user:${user}`, user, ...(info && { info }) }, watches },
  });
  await turns(2);
  return subscriber;
}

const told = ({ story }: FakeSubscriber) => story.filter((line) => line.startsWith("presence"));
const answer = ({ frames }: FakeSubscriber) => (frames[0] as SubscribedFrame).presence;
const idsOf = async ({ hub }: HubForTests) =>
  (await hub.presence.page(ROOM, null, 1000)).members.map(({ id }) => id);

describe("who is there", () => {
  test("newcomers get the list with the answer, themselves included; the others hear of them after the interval", async () => {
    const hub = aHub(presence());
    const alice = await come(hub, "alice", { info: '{"name":"Alice"}' });
    const since = hub.clock.now();
    expect(answer(alice)).toEqual({
      count: 1,
      members: [{ id: "user:alice", user: "alice", info: { name: "Alice" }, since }],
    });
    hub.clock.advance(100);
    const bob = await come(hub, "bob");
    expect(answer(bob)?.members?.map(({ id, since }) => [id, since])).toEqual([
      ["user:alice", since],
      ["user:bob", since + 100],
    ]);
    hub.clock.advance(1000);
    expect(told(alice)).toEqual(["presence 2 +user:alice +user:bob"]);
    expect(alice.faults).toEqual([]);
  });

  test("all connections of a user are one member, and the list is at once what it is", async () => {
    const hub = aHub(presence());
    const first = await come(hub, "alice");
    const second = await come(hub, "alice");
    expect(await hub.hub.presence.page(ROOM, null, 100)).toMatchObject({ count: 1, next: null });
    first.leave();
    hub.clock.advance(20_000);
    expect(await idsOf(hub)).toEqual(["user:alice"]);
    second.leave();
    hub.clock.advance(20_000);
    expect(await idsOf(hub)).toEqual([]);
  });

  test("whoever comes back within 10 seconds was never gone; after them he is", async () => {
    const hub = aHub(presence());
    const watcher = await come(hub, "watcher");
    const alice = await come(hub, "alice");
    hub.clock.advance(1000);
    for (let reload = 0; reload < 3; reload++) {
      alice.leave();
      hub.clock.advance(8000);
      const again = await come(hub, "alice");
      hub.clock.advance(5000);
      again.leave();
      hub.clock.advance(5000);
      await come(hub, "alice").then((last) => last.leave());
    }
    expect(told(watcher)).toEqual(["presence 2 +user:watcher +user:alice"]);
    hub.clock.advance(12_000);
    expect(told(watcher).slice(1)).toEqual(["presence 1 -user:alice"]);
  });

  test("whoever unsubscribes is gone without a grace", async () => {
    const hub = aHub(presence());
    const watcher = await come(hub, "watcher");
    const alice = await come(hub, "alice");
    hub.clock.advance(1000);
    alice.connection.unsubscribe(ROOM, 2);
    expect(await idsOf(hub)).toEqual(["user:watcher"]);
    hub.clock.advance(1000);
    expect(told(watcher).at(-1)).toBe("presence 1 -user:alice");
    expect(told(alice)).toEqual(["presence 2 +user:watcher +user:alice"]);
  });

  test("whoever comes and goes within an interval is no event, unless somebody was given a list in between", async () => {
    const hub = aHub(presence());
    const watcher = await come(hub, "watcher");
    hub.clock.advance(1000);
    const before = told(watcher).length;
    (await come(hub, "brief")).connection.unsubscribe(ROOM, 2);
    hub.clock.advance(1000);
    expect(told(watcher).length).toBe(before);
    const brief = await come(hub, "brief");
    const late = await come(hub, "late");
    expect(answer(late)?.count).toBe(3);
    brief.connection.unsubscribe(ROOM, 2);
    hub.clock.advance(1000);
    expect(told(late)).toEqual(["presence 2 +user:late -user:brief"]);
  });

  test("a client that logs in is another member from then on, and its other tabs stay who they are", async () => {
    const hub = aHub(presence());
    const guest = await come(hub, "guest");
    const tab = await come(hub, "guest");
    const attendant = { id: "user:alice", user: "alice" };
    guest.connection.attend(ROOM, { attendant, watches: true });
    expect(await idsOf(hub)).toEqual(["user:alice", "user:guest"]);
    tab.connection.attend(ROOM, { attendant, watches: true });
    expect(await idsOf(hub)).toEqual(["user:alice"]);
    guest.connection.unsubscribe(ROOM, 2);
    expect(await idsOf(hub)).toEqual(["user:alice"]);
    tab.connection.unsubscribe(ROOM, 2);
    expect(await idsOf(hub)).toEqual([]);
  });

  test("info that has changed is told, with the time at which he came", async () => {
    const hub = aHub(presence());
    const watcher = await come(hub, "watcher");
    await come(hub, "alice", { info: '"old"' });
    hub.clock.advance(1000);
    const since = hub.clock.now() - 1000;
    await come(hub, "alice", { info: '"new"' });
    hub.clock.advance(1000);
    expect(watcher.frames.at(-1)).toEqual({
      type: "presence",
      channel: "room",
      count: 2,
      joined: [{ id: "user:alice", user: "alice", info: "new", since }],
    });
  });

  test("one frame an interval, the same bytes for all, whatever happens", async () => {
    const hub = aHub(presence({ intervalSeconds: 0.5 }));
    const encoding = new LineEncoding();
    const watchers = await Promise.all(
      Array.from({ length: 50 }, (_, index) => come(hub, `watcher${index}`, { encoding })),
    );
    hub.clock.advance(500);
    const before = encoding.presences;
    for (let index = 0; index < 20; index++) await come(hub, `user${index}`, { encoding, watches: false });
    hub.clock.advance(500);
    expect(encoding.presences - before).toBe(1);
    const frames = watchers.map(({ writes }) => writes.at(-1));
    expect(new Set(frames).size).toBe(1);
    for (const watcher of watchers) expect(watcher.frames.at(-1)).toMatchObject({ count: 70 });
    const written = watchers.reduce((sum, watcher) => sum + told(watcher).length, 0);
    expect(hub.hub.counters.presenceFrames).toBe(written);
  });
});

describe("who may see it", () => {
  test("whoever may not gets no list and no frames, and still counts", async () => {
    const hub = aHub(presence());
    const blind = await come(hub, "blind", { watches: false });
    const watcher = await come(hub, "watcher");
    hub.clock.advance(1000);
    expect(blind.frames).toHaveLength(1);
    expect(answer(blind)).toBeUndefined();
    expect(answer(watcher)?.count).toBe(2);
  });

  test("the right may come and go while the subscription lives", async () => {
    const hub = aHub(presence());
    const alice = await come(hub, "alice", { watches: false });
    const attendant = { id: "user:alice", user: "alice" };
    alice.connection.attend(ROOM, { attendant, watches: true });
    await turns(2);
    expect(told(alice)).toEqual(["presence 1 =user:alice"]);
    alice.connection.attend(ROOM, { attendant, watches: false });
    await come(hub, "bob");
    hub.clock.advance(1000);
    expect(told(alice)).toHaveLength(1);
  });

  test("servers are shown nowhere", async () => {
    const hub = aHub(presence());
    const server = hub.open();
    const attendance = { attendant: null, watches: true };
    server.connection.subscribe(ROOM, { request: 1, since: undefined, attendance });
    await turns(2);
    expect(answer(server)).toEqual({ count: 0, members: [] });
    await come(hub, "alice");
    hub.clock.advance(1000);
    expect(told(server)).toEqual(["presence 1 +user:alice"]);
  });

  test("a channel whose rule has no presence has none, and says so to who asks", async () => {
    const hub = aHub(presence());
    const elsewhere = parseChannelName("elsewhere");
    const alice = await come(hub, "alice", { channel: elsewhere });
    expect(answer(alice)).toBeUndefined();
    await expect(hub.hub.presence.page(elsewhere, null, 1)).rejects.toThrow(
      expect.objectContaining({ code: "not_configured" } satisfies Partial<FanfareError>),
    );
  });
});

describe("slow readers", () => {
  test("whoever takes nothing for a while is given the list once, not what he missed", async () => {
    const hub = aHub(presence());
    const slow = await come(hub, "slow", { highWaterMark: 1, reading: "not" });
    for (let index = 0; index < 30; index++) {
      await come(hub, `user${index}`, { watches: false });
      hub.clock.advance(1000);
      await turns(2);
    }
    slow.reading = "at once";
    await turns(3);
    expect(told(slow)).toEqual([`presence 31 =${(await idsOf(hub)).sort(byArrival)}`]);
    await come(hub, "last", { watches: false });
    hub.clock.advance(1000);
    expect(told(slow).at(-1)).toBe("presence 32 +user:last");
    expect(slow.faults).toEqual([]);
  });

  test("nothing follows once the subscription is over, not even a list that was on its way", async () => {
    const hub = aHub(presence());
    const slow = await come(hub, "slow", { highWaterMark: 1, reading: "not" });
    await come(hub, "alice");
    hub.clock.advance(1000);
    await turns(2);
    slow.connection.unsubscribe(ROOM, 7);
    slow.reading = "at once";
    await turns(3);
    expect(slow.story).toEqual(["subscribed 0", "ok 7"]);
  });
});

describe("many", () => {
  const crowd = (hub: HubForTests, from: number, to: number) =>
    Promise.all(
      Array.from({ length: to - from }, (_, index) => come(hub, `user${from + index}`, { watches: false })),
    );

  test("beyond maxListed only the count is told; with fewer again, the list", async () => {
    const hub = aHub(presence({ maxListed: 10 }));
    const watcher = await come(hub, "watcher");
    await crowd(hub, 0, 9);
    hub.clock.advance(1000);
    expect(watcher.frames.at(-1)).toMatchObject({ count: 10, joined: expect.any(Array) });
    const leaving = await crowd(hub, 9, 20);
    hub.clock.advance(1000);
    expect(watcher.frames.at(-1)).toEqual({ type: "presence", channel: "room", count: 21 });
    const late = await come(hub, "late");
    expect(answer(late)).toEqual({ count: 22 });
    for (const each of leaving) each.connection.unsubscribe(ROOM, 2);
    hub.clock.advance(1000);
    expect(told(watcher).at(-1)).toBe("presence 11");
    late.connection.unsubscribe(ROOM, 2);
    hub.clock.advance(1000);
    expect(told(watcher).at(-1)).toBe("presence 10");
    const [one] = await crowd(hub, 0, 1);
    one?.leave();
    hub.hub.presence.heardAll("another", []);
    expect(await idsOf(hub)).toHaveLength(10);
  });

  test("a storm is told as counts, and the list follows when it is over, in pages", async () => {
    const hub = aHub(presence());
    const watcher = await come(hub, "watcher");
    hub.clock.advance(1000);
    await crowd(hub, 0, 1500);
    hub.clock.advance(1000);
    expect(watcher.frames.at(-1)).toEqual({ type: "presence", channel: "room", count: 1501 });
    const late = await come(hub, "late");
    expect(answer(late)).toEqual({ count: 1502 });
    hub.clock.advance(1000);
    await turns(4);
    for (const each of [watcher, late]) {
      const pages = each.frames.filter((frame) => frame.type === "presence" && frame.members);
      expect(pages.map((page) => page.type === "presence" && [page.page, page.more])).toEqual([
        [0, true],
        [1, false],
      ]);
      const listed = pages.flatMap((page) => (page.type === "presence" ? (page.members ?? []) : []));
      expect(listed.map(({ id }) => id).sort()).toEqual((await idsOf2(hub)).sort());
      for (const { length } of each.writes) expect(length).toBeLessThanOrEqual(64 * 1024);
    }
    await crowd(hub, 2000, 2001);
    hub.clock.advance(1000);
    expect(told(late).at(-1)).toBe("presence 1503 +user:user2000");
  });

  test("a page of the list ends after 1 MiB, whatever the limit, and says where the next begins", async () => {
    const hub = aHub(presence());
    for (const user of ["a", "b", "c", "d", "e"]) {
      await come(hub, user, { info: JSON.stringify("x".repeat(400_000)) });
    }
    const sizes: number[] = [];
    for (let after: string | null = null; sizes.length === 0 || after !== null; ) {
      const page: PresencePage = await hub.hub.presence.page(ROOM, after, 1000);
      sizes.push(page.members.length);
      after = page.next;
    }
    expect(sizes).toEqual([2, 2, 1]);
  });

  test("pages of the list are by id, and say where the next begins", async () => {
    const hub = aHub(presence());
    await crowd(hub, 0, 5);
    const first = await hub.hub.presence.page(ROOM, null, 2);
    expect(first).toMatchObject({ count: 5, next: "user:user1" });
    expect((await hub.hub.presence.page(ROOM, first.next, 3)).members.map(({ id }) => id)).toEqual([
      "user:user2",
      "user:user3",
      "user:user4",
    ]);
    expect(await hub.hub.presence.page(ROOM, "user:user4", 3)).toEqual({ count: 5, members: [], next: null });
  });

  test("there is a bound on members, and none who has gone counts towards it", async () => {
    const hub = aHub({ ...presence(), limits: { presenceMembers: 3 } });
    const all = await crowd(hub, 0, 5);
    expect(await idsOf(hub)).toEqual(["user:user0", "user:user1", "user:user2"]);
    for (const each of all) each.leave();
    hub.clock.advance(12_000);
    expect(hub.hub.stats().presenceMembers).toBe(0);
    await crowd(hub, 5, 7);
    expect(await idsOf(hub)).toEqual(["user:user5", "user:user6"]);
  });

  async function idsOf2({ hub }: HubForTests): Promise<string[]> {
    const ids: string[] = [];
    for (let after: string | null = null; ; ) {
      const { members, next }: PresencePage = await hub.presence.page(ROOM, after, 1000);
      ids.push(...members.map(({ id }) => id));
      if (next === null) return ids;
      after = next;
    }
  }
});

function byArrival(a: string, b: string): number {
  const order = (id: string) => (id === "user:slow" ? -1 : Number(id.slice("user:user".length)));
  return order(a) - order(b);
}
