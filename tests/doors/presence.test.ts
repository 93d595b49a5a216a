/** Who is present, over real WebSockets: sessions, users, grants, and what the application hears of it. */
import type { PresenceFrame, SubscribedFrame } from "@fanfare/protocol";
import { describe, expect, test } from "vitest";
import { type FanfareOptions, type Grant, signToken } from "../../packages/server/src/index.js";
import { FakeClock } from "../../packages/server/src/testing/fake-clock.js";
import { Client } from "./client.js";
import { type Serving, serve } from "./serving.js";

const SECRET = "the-secret-of-the-tests-0123456789abcdef";
const RULES = [{ channels: "room:*", presence: true }] as const;
const MAY: readonly Grant[] = [{ channels: "room:*", actions: ["subscribe", "presence"] }];

async function serving(options: FanfareOptions = {}) {
  const clock = new FakeClock(Date.now());
  const served = await serve({
    clock,
    rules: RULES,
    tokens: { secrets: [SECRET] },
    ...(options.access !== "open" && { anonymous: MAY }),
    ...options,
  });
  const tokenOf = async (user: string, info?: unknown, grants = MAY) =>
    (await signToken({ secret: SECRET, user, info, grants })).token;
  const come = async (connect: object = {}) => {
    const client = await Client.open(served.url);
    const connected = await client.connect(connect);
    return { client, connected };
  };
  return { ...served, clock, tokenOf, come };
}

const subscribe = async (client: Client, channel = "room:1") =>
  (await client.ask({ type: "subscribe", channel })) as SubscribedFrame;

async function nextPresence(client: Client): Promise<PresenceFrame> {
  const frame = await client.others.next();
  if (frame.type !== "presence") throw new Error(`a ${frame.type} frame`);
  return frame;
}

describe("being present", () => {
  test("a user is one member with all connections, known by the token's info", async () => {
    const { come, tokenOf, clock, fanfare } = await serving();
    const watcher = await come();
    const { presence } = await subscribe(watcher.client);
    const own = `session:${watcher.connected.connection}`;
    expect(presence).toEqual({ count: 1, members: [{ id: own, since: clock.now() }] });
    const token = await tokenOf("alice", { name: "Alice" });
    for (let tab = 0; tab < 3; tab++) await subscribe((await come({ token })).client);
    clock.advance(1000);
    const alice = { id: "user:alice", user: "alice", info: { name: "Alice" }, since: expect.any(Number) };
    expect(await nextPresence(watcher.client)).toMatchObject({
      count: 2,
      joined: [{ id: own }, alice],
    });
    expect(await fanfare.presence.list("room:1")).toMatchObject({ count: 2, members: [{ id: own }, alice] });
    expect(await fanfare.presence.count("room:1")).toBe(2);
    expect(await fanfare.presence.list("room:1", { after: own, limit: 1 })).toEqual({
      channel: "room:1",
      count: 2,
      members: [alice],
      next: null,
    });
  });

  test("a session that is resumed goes on without an event; one that is not ends after 10 seconds", async () => {
    const { come, clock, fanfare } = await serving();
    const watcher = await come();
    await subscribe(watcher.client);
    const first = await come();
    await subscribe(first.client);
    clock.advance(1000);
    expect(await nextPresence(watcher.client)).toMatchObject({ count: 2 });
    const gone = first.client.closed;
    first.client.vanish();
    await gone;
    await expect.poll(() => fanfare.stats().connections, { interval: 1 }).toBe(1);
    clock.advance(6000);
    const again = await come({ session: first.connected.session });
    expect(again.connected.resumed).toBe(true);
    const { presence } = await subscribe(again.client);
    expect(presence?.count).toBe(2);
    clock.advance(8000);
    await again.client.leave();
    await expect.poll(() => fanfare.stats().connections, { interval: 1 }).toBe(1);
    for (let second = 0; second < 12; second++) clock.advance(1000);
    expect(await nextPresence(watcher.client)).toMatchObject({
      count: 1,
      left: [`session:${first.connected.connection}`],
    });
    expect(JSON.stringify(watcher.client.heard)).not.toContain(first.connected.session);
  });

  test("whoever may not see it is told nothing, and learns it with a token that allows it", async () => {
    const { come, tokenOf, clock } = await serving({ access: "granted" });
    const blind = await tokenOf("bob", undefined, [{ channels: "room:*", actions: ["subscribe"] }]);
    const bob = await come({ token: blind });
    expect(await subscribe(bob.client)).not.toHaveProperty("presence");
    const alice = await come({ token: await tokenOf("alice") });
    expect((await subscribe(alice.client)).presence?.count).toBe(2);
    clock.advance(1000);
    bob.client.say({ type: "token", token: await tokenOf("bob", "Bob") });
    const frames = [await bob.client.others.next(), await bob.client.others.next()];
    expect(frames.map(({ type }) => type)).toEqual(["token", "presence"]);
    expect(frames[1]).toMatchObject({ count: 2, page: 0, more: false });
    clock.advance(1000);
    const ids = (await nextPresence(alice.client)).joined?.map(({ id }) => id);
    expect(ids).toEqual(["user:bob", "user:alice"]);
    expect(await nextPresence(alice.client)).toMatchObject({ joined: [{ id: "user:bob", info: "Bob" }] });
  });

  test("info that is too large is refused, in tokens that are made and in those that come", async () => {
    const { url, http } = await serving();
    await expect(
      signToken({ secret: SECRET, user: "a", grants: [], info: "x".repeat(1023) }),
    ).rejects.toThrow("info is 1025 bytes as JSON, and 1024 bytes are allowed");
    const { SignJWT } = await import("jose");
    const token = await new SignJWT({ sub: "a", exp: Date.now() / 1000 + 60, info: "x".repeat(2000) })
      .setProtectedHeader({ alg: "HS256" })
      .sign(new TextEncoder().encode(SECRET));
    const answer = await fetch(`${http}/channels/room:1/presence`, {
      headers: { Authorization: `Bearer ${token}` },
    });
    expect(await answer.json()).toMatchObject({
      code: "not_logged_in",
      detail: expect.stringContaining("info"),
    });
    const refused = await Client.open(url);
    refused.say({ type: "connect", token });
    expect(await refused.closed).toMatchObject({ code: 4401, reason: expect.stringContaining("info") });
  });
});

describe("over HTTP", () => {
  test("gives pages, and says where nobody is followed", async () => {
    const { come, http } = await serving();
    const ids: string[] = [];
    for (let count = 0; count < 3; count++) {
      const { client, connected } = await come();
      await subscribe(client);
      ids.push(`session:${connected.connection}`);
    }
    ids.sort();
    const page = async (query: string) => (await fetch(`${http}/channels/room:1/presence${query}`)).json();
    const members = (from: number, to: number) =>
      ids.slice(from, to).map((id) => ({ id, since: expect.any(Number) }));
    expect(await page("?limit=2")).toEqual({
      channel: "room:1",
      count: 3,
      members: members(0, 2),
      next: ids[1],
    });
    expect(await page(`?limit=2&after=${ids[1]}`)).toEqual({
      channel: "room:1",
      count: 3,
      members: members(2, 3),
      next: null,
    });
    expect(await page("?limit=0")).toMatchObject({ code: "invalid_request" });
    const elsewhere = await serving({ access: "open", tokens: {} });
    const answer = await fetch(`${elsewhere.http}/channels/elsewhere/presence`);
    expect(answer.status).toBe(501);
    expect(await answer.json()).toMatchObject({
      code: "not_configured",
      remedy: expect.stringContaining("presence"),
    });
  });
});

describe("rules that change", () => {
  test("end presence, and begin it for subscriptions to come", async () => {
    const { come, fanfare, clock } = await serving({ access: "open", tokens: {} });
    const { client } = await come();
    await subscribe(client);
    fanfare.reload({ access: "open" });
    await expect(fanfare.presence.list("room:1")).rejects.toMatchObject({ code: "not_configured" });
    await expect(fanfare.presence.count("room:1")).rejects.toMatchObject({ code: "not_configured" });
    fanfare.reload({ access: "open", rules: RULES });
    expect(await fanfare.presence.list("room:1")).toMatchObject({ count: 0 });
    expect(await fanfare.presence.count("room:1")).toBe(0);
    const late = await come();
    expect((await subscribe(late.client)).presence?.count).toBe(1);
    await client.leave();
    clock.advance(20_000);
    expect(await fanfare.presence.list("room:1")).toMatchObject({ count: 1 });
  });
});

describe("what the application hears", () => {
  const recorded = ({ fanfare }: Serving) => {
    const events: Record<string, unknown>[] = [];
    for (const name of ["connected", "disconnected", "occupied", "vacated"] as const) {
      fanfare.on(name, (event) => void events.push({ name, ...event }));
    }
    return events;
  };

  test("connections by session, with versions that only grow when it goes on elsewhere", async () => {
    const served = await serving();
    const { come, tokenOf } = served;
    const events = recorded(served);
    const token = await tokenOf("alice");
    const first = await come({ token });
    const second = await come({ token, session: first.connected.session });
    await first.client.closed;
    await second.client.leave();
    await expect.poll(() => events.length, { interval: 1 }).toBe(4);
    const session = first.connected.connection;
    expect(new Set(events.map((event) => `${event.session} ${event.user}`))).toEqual(
      new Set([`${session} alice`]),
    );
    expect(JSON.stringify(events)).not.toContain(first.connected.session);
    const of = (connection: string) =>
      events.filter((event) => event.connection === connection).map(({ name, version }) => [name, version]);
    expect(of(first.connected.connection)).toEqual([
      ["connected", 1],
      ["disconnected", 2],
    ]);
    expect(of(second.connected.connection)).toEqual([
      ["connected", 3],
      ["disconnected", 4],
    ]);
  });

  test("channels when the first comes, and 10 seconds after the last has left", async () => {
    const served = await serving({ access: "open" });
    const { come, clock, fanfare } = served;
    const early = await come();
    await subscribe(early.client, "early");
    const events = recorded(served);
    const channels = () =>
      events.filter(({ channel }) => channel).map(({ name, channel }) => `${name} ${channel}`);
    const { client } = await come();
    await subscribe(client, "a");
    await subscribe((await come()).client, "a");
    await expect.poll(channels, { interval: 1 }).toEqual(["occupied a"]);
    await early.client.leave();
    await expect.poll(() => fanfare.stats().connections, { interval: 1 }).toBe(2);
    clock.advance(9000);
    const back = await come();
    await subscribe(back.client, "early");
    clock.advance(20_000);
    expect(channels()).toEqual(["occupied a"]);
    await back.client.leave();
    await expect.poll(() => fanfare.stats().connections, { interval: 1 }).toBe(2);
    for (let second = 0; second < 12; second++) clock.advance(1000);
    await expect.poll(channels, { interval: 1 }).toEqual(["occupied a", "vacated early"]);
    const [occupied, vacated] = events.filter(({ channel }) => channel);
    expect(vacated).toMatchObject({ node: occupied?.node });
    expect(Number(vacated?.version)).toBeGreaterThan(Number(occupied?.version));
  });

  test("a listener that throws or rejects harms nobody, and is logged; one that is taken off hears nothing", async () => {
    const served = await serving();
    const { come, log, fanfare } = served;
    fanfare.on("connected", () => {
      throw new Error("thrown");
    });
    fanfare.on("connected", () => Promise.reject(new Error("rejected")));
    const heard: string[] = [];
    const off = fanfare.on("connected", ({ connection }) => void heard.push(connection));
    const { client, connected } = await come();
    expect(heard).toEqual([connected.connection]);
    await subscribe(client);
    await expect
      .poll(() => log.about("a listener of the application failed").length, { interval: 1 })
      .toBe(2);
    off();
    await come();
    expect(heard).toHaveLength(1);
    expect(() => fanfare.on(JSON.parse('"message"'), () => {})).toThrow(
      'on: "message" is not known. Use connected, disconnected, occupied, vacated.',
    );
  });
});
