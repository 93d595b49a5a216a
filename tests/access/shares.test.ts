import { describe, expect, test } from "vitest";
import type { FanfareOptions } from "../../packages/server/src/index.js";
import { Client } from "../doors/client.js";
import { serve } from "../doors/serving.js";
import { ask, connect } from "../doors/socketio-client.js";
import { until } from "../doors/waiting.js";

const KEY = "0123456789-the-key";
const FULL = { channelsPerOwner: 0, sequencesPerOwner: 0, locksPerOwner: 0 };

/** Clients come as if through a proxy that says who they are; a token is the name of its user. */
async function serving(options: FanfareOptions = {}) {
  const served = await serve({
    apiKeys: [KEY],
    access: "open",
    authorize: ({ token }) =>
      token === undefined || token === KEY
        ? null
        : { user: token, grants: [{ channels: "**", actions: ["*"] }] },
    trustedProxies: ["127.0.0.1", "::1"],
    socketio: { services: ["orders"] },
    ...options,
  });
  const call = async (method: string, path: string, body: unknown, headers: Record<string, string> = {}) => {
    const init = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) };
    const answer = await fetch(`${served.http}${path}`, init);
    const text = await answer.text();
    return { status: answer.status, body: text === "" ? null : JSON.parse(text) };
  };
  return { ...served, call };
}

const from = (address: string) => ({ "X-Forwarded-For": address });
const by = (token: string) => ({ Authorization: `Bearer ${token}`, ...from("192.0.2.9") });
const refused = { status: 429, body: { code: "share_used_up", remedy: expect.stringContaining("limits.") } };

describe("a share", () => {
  test.each([
    ["POST", "/channels/a/messages", { data: 1 }],
    ["PATCH", "/channels/a/state", { n: 1 }],
    ["PUT", "/channels/a/state", { n: 1 }],
    ["PUT", "/locks/a", {}],
    ["POST", "/sequences/a/next", {}],
  ])("holds for %s %s, for a user and for an address, and not for an API key", async (method, path, body) => {
    const { call } = await serving({ limits: FULL });
    expect(await call(method, path, body, by("alice"))).toMatchObject(refused);
    expect(await call(method, path, body, from("192.0.2.1"))).toMatchObject(refused);
    expect((await call(method, path, body, by(KEY))).status).toBeLessThan(300);
    if (path !== "/locks/a") expect((await call(method, path, body, by("alice"))).status).toBeLessThan(300);
  });

  test("holds for each message of a batch, and the others are appended", async () => {
    const { call } = await serving({ limits: { channelsPerOwner: 2 } });
    const messages = ["a", "b", "c", "a"].map((channel) => ({ channel, data: 1 }));
    const { body } = await call("POST", "/messages", { messages }, by("alice"));
    expect(body.results.map((each: { code?: string; offset?: number }) => each.code ?? each.offset)).toEqual([
      1,
      1,
      "share_used_up",
      2,
    ]);
    const toMany = await call("POST", "/messages", { channels: ["a", "d"], data: 1 }, by("alice"));
    expect(toMany.body.results).toMatchObject([{ offset: 3 }, { code: "share_used_up" }]);
  });

  test.each([
    { type: "publish", channel: "a", data: 1 },
    { type: "patch", channel: "a", patch: { n: 1 } },
    { type: "lock", name: "a" },
    { type: "next", name: "a" },
  ])("holds for the frame $type", async (frame) => {
    const { url } = await serving({ limits: FULL });
    const user = await Client.open(url);
    await user.connect({ token: "alice" });
    const anonymous = await Client.connect(url, { headers: from("192.0.2.1") });
    for (const client of [user, anonymous]) {
      expect(await client.ask(frame)).toMatchObject({ type: "error", code: "share_used_up" });
      await client.alive();
    }
  });

  test("holds for Socket.IO, its services, and services over REST", async () => {
    const { port, http } = await serving({ limits: FULL });
    const site = `http://localhost:${port}`;
    const client = await connect(site, { auth: { token: "alice" } });
    const error = { data: { code: "share_used_up" } };
    expect(await ask(client, "publish", { channel: "a", data: 1 })).toMatchObject({ error });
    expect(await ask(client, "patch", { channel: "a", patch: {} })).toMatchObject({ error });
    expect(await ask(client, "create", "orders", { id: 1 })).toMatchObject(error);
    const rest = await fetch(`${new URL(http).origin}/orders`, {
      method: "POST",
      headers: by("bob"),
      body: '{"id":1}',
    });
    expect(await rest.json()).toMatchObject(error);
    // What was refused has pushed nothing out, and the service itself is nobody's.
    const found = await (await fetch(`${new URL(http).origin}/orders`, { headers: by("bob") })).json();
    expect(found).toMatchObject({ total: 0 });
  });

  test("holds for a service that keeps no records, and whose events go to channels of their ids", async () => {
    const { port, call } = await serving({
      limits: { channelsPerOwner: 1 },
      socketio: { services: [{ name: "orders", records: 0 }] },
    });
    const client = await connect(`http://localhost:${port}`, { auth: { token: "alice" } });
    const error = { data: { code: "share_used_up" } };
    expect(await ask(client, "create", "orders", { text: "without an id" })).toBeNull();
    expect(await ask(client, "create", "orders", { id: 1 })).toBeNull();
    expect(await ask(client, "create", "orders", { id: 2 })).toMatchObject(error);
    const { body } = await call("GET", "/owners", undefined, by(KEY));
    expect(body.owners).toMatchObject([{ owner: "user alice", channels: 1 }]);
  });

  test("is one for all connections from an address, and for the first 64 bits of an IPv6 address", async () => {
    const { call } = await serving({ limits: { channelsPerOwner: 1 } });
    const publish = (channel: string, address: string) =>
      call("POST", `/channels/${channel}/messages`, { data: 1 }, from(address));
    expect((await publish("a", "2001:db8:1:2::1")).status).toBe(201);
    expect(await publish("b", "2001:db8:1:2:ffff::7")).toMatchObject(refused);
    expect((await publish("b", "2001:db8:1:3::1")).status).toBe(201);
    expect((await publish("c", "192.0.2.1")).status).toBe(201);
  });

  test("that one user has used up is refused to that user only, also of a sequence for which both ask at once", async () => {
    const { call } = await serving({ limits: { sequencesPerOwner: 1 } });
    const next = (name: string, user: string) => call("POST", `/sequences/${name}/next`, {}, by(user));
    await next("a", "alice");
    const answers = await Promise.all([next("b", "alice"), next("b", "bob"), next("b", "alice")]);
    expect(answers[1]).toMatchObject({ status: 200 });
    expect((await next("b", "alice")).status).toBe(200);
  });

  test("of idempotency keys leaves those of others: a repeated message stays where it was", async () => {
    const { call } = await serving({ limits: { idempotencyKeys: 8 } });
    const publish = (key: string, headers: Record<string, string>) =>
      call("POST", "/channels/a/messages", { data: 1 }, { ...headers, "Idempotency-Key": key });
    const first = await publish("once", by("bob"));
    for (let number = 0; number < 10; number++) {
      await publish(`${number}`, by("alice"));
      await publish(`${number}`, from("192.0.2.1"));
    }
    expect((await publish("once", by("bob"))).body).toMatchObject({ offset: first.body.offset });
    expect((await publish("9", by("alice"))).body).toMatchObject({ offset: 20 });
    expect((await publish("0", by("alice"))).body).toMatchObject({ offset: 22 });
  });

  test("of sessions leaves those of others, also where somebody tries theirs as somebody else", async () => {
    const { url, fanfare } = await serving({ limits: { sessions: 8 } });
    const connect = async (token: string, session?: string) => {
      const client = await Client.open(url);
      const greeting = await client.connect({ token, ...(session && { session }) });
      client.vanish();
      await until(() => fanfare.stats().connections === 0, "the client is gone");
      return greeting;
    };
    const bobs = await connect("bob");
    const alices: string[] = [];
    for (let number = 0; number < 10; number++) {
      alices.push((await connect("alice")).session);
      expect(await connect("carol", alices.at(-1))).toMatchObject({ resumed: false });
    }
    expect(await connect("bob", bobs.session)).toMatchObject({ resumed: true });
    expect(await connect("alice", alices.at(-1))).toMatchObject({ resumed: true });
    expect(await connect("alice", alices[0])).toMatchObject({ resumed: false });
  });

  test("that is used up is counted in the metrics, by its kind", async () => {
    const { http, url } = await serving({
      limits: { ...FULL, statesPerOwner: 0, connectionsPerOwner: 1, subscriptionsPerOwner: 0 },
    });
    const call = (method: string, path: string, user: string) =>
      fetch(`${http}${path}`, { method, headers: by(user), body: '{"data":1}' });
    await call("POST", "/channels/a/messages", "alice");
    await call("POST", "/channels/a/messages", "bob");
    await call("POST", "/channels/b/messages", KEY);
    await call("PATCH", "/channels/b/state", "alice");
    const client = await Client.open(url);
    await client.connect({ token: "alice" });
    await client.ask({ type: "subscribe", channels: [{ channel: "a" }] });
    const other = await Client.open(url);
    await other.connect({ token: "alice" }).catch(() => null);
    const text = await (await fetch(`${http}/metrics`, { headers: by(KEY) })).text();
    const counted = [...text.matchAll(/^fanfare_shares_used_up_total\{kind="(\w+)"\} (\d+)$/gm)];
    expect(Object.fromEntries(counted.map(([, kind, count]) => [kind, Number(count)]))).toEqual({
      channels: 2,
      states: 1,
      stateBytes: 0,
      sequences: 0,
      locks: 0,
      connections: 1,
      subscriptions: 1,
    });
  });

  test("is told to administrators: by channel, by owner and in the metrics", async () => {
    const { call, http } = await serving();
    await call("POST", "/channels/a/messages", { data: 1 }, by("alice"));
    await call("PUT", "/channels/b/state", { n: 1 }, by("alice"));
    await call("PUT", "/locks/l", {}, from("192.0.2.1"));
    await call("POST", "/sequences/s/next", {}, from("192.0.2.1"));
    await call("POST", "/channels/c/messages", { data: 1 }, by(KEY));
    const { body } = await call("GET", "/channels", undefined, by(KEY));
    expect(
      body.channels.map(({ channel, owner }: { channel: string; owner?: string }) => [channel, owner]),
    ).toEqual([
      ["$lock:l", "address 192.0.2.1"],
      ["$sequence:s", "address 192.0.2.1"],
      ["a", "user alice"],
      ["b", "user alice"],
      ["c", undefined],
    ]);
    const alice = {
      owner: "user alice",
      channels: 2,
      states: 1,
      stateBytes: 7,
      sequences: 0,
      locks: 0,
      connections: 0,
      subscriptions: 0,
    };
    expect((await call("GET", "/owners", undefined, by(KEY))).body).toEqual({ owners: [alice] });
    expect((await call("GET", "/owners?by=locks&limit=1", undefined, by(KEY))).body).toMatchObject({
      owners: [{ owner: "address 192.0.2.1", sequences: 1, locks: 1 }],
    });
    const metrics = await (await fetch(`${http}/metrics`, { headers: by(KEY) })).text();
    expect(metrics).toContain('fanfare_owned{kind="channels"} 2\n');
    expect(metrics).toContain("fanfare_channels_per_owner 2\n");
    expect(metrics).toContain("fanfare_channels_per_owner_limit 10000\n");
  });
});

describe("a share of listening", () => {
  test("is one for an address over all doors; API keys, and other addresses, have none of it", async () => {
    const { url, http, port } = await serving({ limits: { connectionsPerOwner: 2 } });
    const here = { headers: from("192.0.2.1") };
    const site = `http://localhost:${port}`;
    await Client.connect(url, here);
    await connect(site, { extraHeaders: from("192.0.2.1") });
    const third = await Client.open(url, here);
    third.say({ type: "connect" });
    expect(await third.closed).toMatchObject({
      code: 1013,
      reason: expect.stringContaining("has 2 connections"),
    });
    expect(third.heard).toMatchObject([{ type: "error", code: "share_used_up", retryAfterSeconds: 10 }]);
    const stream = await fetch(`${http}/sse?channel=a`, here);
    expect(stream.headers.get("retry-after")).toBe("10");
    expect({ status: stream.status, body: await stream.json() }).toMatchObject(refused);
    const own = await fetch(`${http}/sse`, {
      method: "POST",
      ...here,
      body: '{"channels":[{"channel":"a"}]}',
    });
    expect({ status: own.status, body: await own.json() }).toMatchObject(refused);
    await expect(connect(site, { extraHeaders: from("192.0.2.1") })).rejects.toMatchObject({
      data: { data: { code: "share_used_up" } },
    });
    await Client.connect(url, { headers: from("192.0.2.2") });
    for (let count = 0; count < 4; count++) {
      const server = await Client.open(url, here);
      await server.connect({ token: KEY });
    }
  });

  test("refuses a stream with more channels than there is room for before it begins", async () => {
    const { http, call } = await serving({ limits: { subscriptionsPerOwner: 1 } });
    const headers = from("192.0.2.1");
    const stream = await fetch(`${http}/sse?channel=a&channel=b`, { headers });
    expect({ status: stream.status, body: await stream.json() }).toMatchObject(refused);
    const { body } = await call("GET", "/owners?by=connections", undefined, by(KEY));
    expect(body).toEqual({ owners: [] });
  });

  test("goes to the user with a log-in, and back with a log-out; where there is no room, they are refused or go", async () => {
    const { port, call } = await serving({
      limits: { connectionsPerOwner: 1, subscriptionsPerOwner: 2 },
      socketio: {},
    });
    const site = `http://localhost:${port}`;
    const listening = async () => {
      const { body } = await call("GET", "/owners?by=connections", undefined, by(KEY));
      return body.owners.map(
        ({ owner, connections, subscriptions }: Record<string, unknown>) =>
          `${owner}: ${connections} ${subscriptions}`,
      );
    };
    const logIn = (client: Awaited<ReturnType<typeof connect>>, accessToken: string) =>
      ask(client, "create", "authentication", { strategy: "jwt", accessToken });
    const first = await connect(site, { extraHeaders: from("192.0.2.1") });
    await ask(first, "subscribe", "a");
    await ask(first, "subscribe", "b");
    expect(await listening()).toEqual(["address 192.0.2.1: 1 2"]);
    await logIn(first, "alice");
    expect(await listening()).toEqual(["user alice: 1 2"]);
    const second = await connect(site, { extraHeaders: from("192.0.2.1") });
    expect(await logIn(second, "alice")).toMatchObject({ data: { code: "share_used_up" } });
    expect((await listening()).sort()).toEqual(["address 192.0.2.1: 1 0", "user alice: 1 2"]);
    const left = new Promise((done) => first.socket.once("disconnect", done));
    first.socket.emit("remove", "authentication", null);
    await left;
    expect(await listening()).toEqual(["address 192.0.2.1: 1 0"]);
    await logIn(second, "alice");
    await ask(second, "remove", "authentication", null);
    expect(await listening()).toEqual(["address 192.0.2.1: 1 0"]);
  });

  test("is told to administrators, beside what else the owner has", async () => {
    const { url, http, call } = await serving();
    await call("POST", "/channels/a/messages", { data: 1 }, by("alice"));
    for (let count = 0; count < 2; count++) {
      const client = await Client.open(url);
      await client.connect({ token: "alice" });
      for (const channel of ["a", "b", "c"]) await client.subscribe(channel);
      await client.ask({ type: "unsubscribe", channel: "c" });
    }
    const bob = await Client.open(url);
    await bob.connect({ token: "bob" });
    const alice = { owner: "user alice", channels: 1, connections: 2, subscriptions: 4 };
    expect((await call("GET", "/owners", undefined, by(KEY))).body.owners).toMatchObject([alice]);
    const bySubscriptions = await call("GET", "/owners?by=subscriptions", undefined, by(KEY));
    expect(bySubscriptions.body.owners).toMatchObject([alice]);
    const byConnections = await call("GET", "/owners?by=connections&limit=2", undefined, by(KEY));
    expect(byConnections.body.owners).toMatchObject([
      alice,
      { owner: "user bob", connections: 1, subscriptions: 0 },
    ]);
    const metrics = await (await fetch(`${http}/metrics`, { headers: by(KEY) })).text();
    expect(metrics).toContain("fanfare_connections_per_owner 2\n");
    expect(metrics).toContain("fanfare_subscriptions_per_owner 5\n");
    expect(metrics).toContain("fanfare_subscriptions_per_owner_limit 20000\n");
  });
});

describe("an administrator", () => {
  test("removes a channel: its subscribers are told of a gap, and go on in a new epoch", async () => {
    const { call, url, fanfare } = await serving({ limits: { channelsPerOwner: 1 } });
    const publish = () => call("POST", "/channels/a/messages", { data: 1 }, by("alice"));
    const subscriber = await Client.connect(url);
    await publish();
    await call("PATCH", "/channels/a/state", { n: 1 }, by("alice"));
    const { epoch } = await subscriber.subscribe("a");
    expect((await call("DELETE", "/channels/a", undefined, by("alice"))).status).toBe(403);
    expect((await call("DELETE", "/channels/a", undefined, by(KEY))).status).toBe(204);
    expect(await subscriber.deliveries.nextThat(({ type }) => type === "gap")).toMatchObject({
      channel: "a",
      reason: "epoch_changed",
      epoch: (await fanfare.position("a")).epoch,
    });
    expect(await fanfare.states.get("a")).toBeNull();
    const { body } = await publish();
    expect(body).toMatchObject({ offset: 1 });
    expect(body.epoch).not.toBe(epoch);
    expect(await subscriber.offsets(1)).toEqual([1]);
    expect(await call("DELETE", "/channels/b", undefined, by(KEY))).toMatchObject({
      status: 404,
      body: { code: "not_found" },
    });
    expect(await fanfare.removeChannel("a")).toBe(true);
    expect(await fanfare.removeChannel("a")).toBe(false);
    await expect(fanfare.removeChannel("$lock:a")).rejects.toMatchObject({ code: "invalid_channel" });
    expect((await call("POST", "/channels/b/messages", { data: 1 }, by("alice"))).status).toBe(201);
  });

  test("frees a lock whoever holds it, and the next token is greater", async () => {
    const { call, fanfare } = await serving();
    const { body } = await call("PUT", "/locks/a", {}, by("alice"));
    expect((await call("DELETE", "/locks/a/holder", undefined, by("bob"))).status).toBe(403);
    expect((await call("DELETE", "/locks/a/holder", undefined, by(KEY))).status).toBe(204);
    expect(await call("DELETE", "/locks/a/holder", undefined, by(KEY))).toMatchObject({ status: 404 });
    expect(await call("PUT", "/locks/a", { token: body.token }, by("alice"))).toMatchObject({
      body: { code: "lock_lost" },
    });
    const lock = await fanfare.locks.acquire("a");
    expect(lock.token).toBeGreaterThan(body.token);
    await fanfare.locks.break("a");
    await fanfare.locks.break("a");
    await expect(lock.renew()).rejects.toMatchObject({ code: "lock_lost" });
  });

  test("removes a sequence, whose numbers begin anew then", async () => {
    const { call, fanfare } = await serving({ limits: { sequencesPerOwner: 1 } });
    const next = (name: string) => call("POST", `/sequences/${name}/next`, { count: 5 }, by("alice"));
    await next("a");
    expect((await call("DELETE", "/sequences/a", undefined, by("alice"))).status).toBe(403);
    expect((await call("DELETE", "/sequences/a", undefined, by(KEY))).status).toBe(204);
    expect(await call("DELETE", "/sequences/a", undefined, by(KEY))).toMatchObject({ status: 404 });
    expect(await fanfare.sequences.get("a")).toBeNull();
    expect((await next("b")).body).toMatchObject({ first: 1, last: 5 });
    expect((await fanfare.sequences.next("a")).first).toBe(1);
    expect(await fanfare.sequences.remove("a")).toBe(true);
    expect(await fanfare.sequences.remove("a")).toBe(false);
  });
});
