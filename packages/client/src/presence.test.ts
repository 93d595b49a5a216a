import type { Member } from "@fanfare/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createClient } from "./client.js";
import { Follower, Told } from "./presence.js";
import { ScriptedServer, settled } from "./testing/scripted-server.js";
import type { PresenceChange, SubscribeOptions } from "./types.js";

const member = (id: string, info?: unknown): Member => ({
  id,
  since: 1,
  ...(info !== undefined && { info }),
});
const [a, b, c] = ["a", "b", "c"].map((id) => member(id)) as [Member, Member, Member];

/** A change in few words. */
const inFewWords = ({ count, members, joined, left }: PresenceChange) => [
  count,
  members?.map(({ id }) => id).join("") ?? null,
  ...joined.map(({ id }) => `+${id}`),
  ...left.map(({ id }) => `-${id}`),
];

function start(options: SubscribeOptions = {}) {
  const server = new ScriptedServer();
  const client = createClient({ url: "ws://localhost/push", WebSocket: server.WebSocket, random: () => 0 });
  const join = () => {
    const told: ReturnType<typeof inFewWords>[] = [];
    const subscription = client.subscribe("room", () => {}, {
      onPresence: (change) => told.push(inFewWords(change)),
      ...options,
    });
    return { told, subscription };
  };
  const first = join();
  server.welcome();
  const say = (news: object) => server.socket.say({ type: "presence", channel: "room", ...news });
  return { server, client, join, say, ...first };
}

describe("the page", () => {
  test("is given the list, then who comes and goes, always with the whole", async () => {
    const { server, told, subscription, say } = start();
    await settled();
    expect(subscription.presence).toBeNull();
    server.subscribed("room", { presence: { count: 1, members: [a] } });
    say({ count: 2, joined: [b] });
    say({ count: 2, joined: [member("b", "known by another name")] });
    say({ count: 1, left: ["a", "nobody"] });
    expect(told).toEqual([
      [1, "a", "+a"],
      [2, "ab", "+b"],
      [2, "ab"],
      [1, "b", "-a"],
    ]);
    expect(subscription.presence).toEqual({ count: 1, members: [member("b", "known by another name")] });
  });

  test("sees only what has changed when it comes back after a lost connection", async () => {
    const { server, client, told, say } = start();
    await settled();
    server.subscribed("room", { presence: { count: 2, members: [a, b] } });
    say({ count: 3, joined: [c] });
    server.socket.lose();
    client.connect();
    server.welcome();
    await settled();
    server.subscribed("room", { presence: { count: 2, members: [b, { ...a, since: 2 }] } });
    expect(told.slice(2)).toEqual([[2, "ba", "-c"]]);
  });

  test("knows which member it is, as long as its session goes on", async () => {
    const server = new ScriptedServer();
    const client = createClient({
      url: "ws://localhost/push",
      WebSocket: server.WebSocket,
      random: () => 0,
    });
    expect(client.memberId).toBeNull();
    client.connect();
    server.welcome();
    expect(client.memberId).toBe("session:c1");
    for (const [resumed, id] of [
      [true, "session:c1"],
      [false, "session:c3"],
    ] as const) {
      server.socket.lose();
      expect(client.memberId).not.toBeNull();
      client.connect();
      server.welcome({ resumed });
      expect(client.memberId).toBe(id);
    }
  });

  test("is given the count alone while names are not told, and then what has changed meanwhile", async () => {
    const { server, told, say } = start();
    await settled();
    server.subscribed("room", { presence: { count: 1, members: [a] } });
    say({ count: 9000 });
    say({ count: 2, members: [b], page: 0, more: true });
    say({ count: 2, members: [c], page: 1, more: false });
    expect(told.slice(1)).toEqual([
      [9000, null],
      [2, "bc", "+b", "+c", "-a"],
    ]);
  });

  test("a handler that joins later is given all at once, and one without interest nothing", async () => {
    const { server, join, client, say } = start();
    client.subscribe("room", () => {});
    await settled();
    server.subscribed("room", { presence: { count: 2, members: [a, b] } });
    const late = join();
    await settled();
    expect(late.told).toEqual([[2, "ab", "+a", "+b"]]);
    late.subscription.unsubscribe();
    say({ count: 3, joined: [c] });
    expect(late.told).toHaveLength(1);
  });

  test("a server that tells nothing of it, or no more, leaves it without", async () => {
    const { server, client, told, subscription } = start();
    await settled();
    server.subscribed("room", { presence: { count: 1, members: [a] } });
    server.socket.lose();
    client.connect();
    server.welcome();
    await settled();
    server.subscribed("room");
    expect(subscription.presence).toBeNull();
    expect(told).toEqual([
      [1, "a", "+a"],
      [0, "", "-a"],
    ]);
  });
});

test("what is handed out adds up to the list, whatever is told", () => {
  const ids = fc.uniqueArray(fc.constantFrom("a", "b", "c", "d", "e"));
  const news = fc.oneof(
    fc.record({ count: fc.nat() }),
    fc.record({ count: fc.nat(), joined: ids.map((some) => some.map((id) => member(id))), left: ids }),
    fc.record({ count: fc.nat(), members: ids.map((some) => some.map((id) => member(id))) }),
  );
  fc.assert(
    fc.property(fc.array(news), (all) => {
      const follower = new Follower();
      const told = new Told();
      const page = new Set<string>();
      for (const each of all) {
        const presence = follower.hear(each);
        if (!presence) throw new Error("every list here is complete");
        const { joined, left } = told.changes(presence.members);
        for (const { id } of left) expect(page.delete(id)).toBe(true);
        for (const { id } of joined) expect(page.size).toBeLessThan(page.add(id).size);
        if (presence.members) expect([...page].sort()).toEqual(presence.members.map(({ id }) => id).sort());
      }
    }),
  );
});
