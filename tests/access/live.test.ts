import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { type FanfareOptions, type Grant, MemoryEngine, signToken } from "../../packages/server/src/index.js";
import { FakeClock } from "../../packages/server/src/testing/fake-clock.js";
import { LISTEN } from "../../packages/server/src/testing/let-in.js";
import { Client } from "../doors/client.js";
import { serve } from "../doors/serving.js";
import { post } from "../library/serve.js";

const SECRET = "the-secret-of-the-tests-0123456789abcdef";
const KEY = "0123456789-the-key";
const ALL: readonly Grant[] = [{ channels: "**", actions: ["*"] }];
const authorization = { Authorization: `Bearer ${KEY}` };

async function serving(options: FanfareOptions = {}) {
  const clock = new FakeClock();
  const served = await serve({ clock, apiKeys: [KEY], tokens: { secrets: [SECRET] }, ...options });
  const token = async (user = "alice", expiresInSeconds = 60, grants = ALL) =>
    (await signToken({ secret: SECRET, user, grants, expiresInSeconds, now: clock.now() })).token;
  const client = async (text: string | undefined) => {
    const opened = await Client.open(served.url);
    const connected = await opened.connect(text === undefined ? {} : { token: text });
    return Object.assign(opened, { connected });
  };
  /** Lets time pass while the client answers pings. */
  const pass = (seconds: number) => clock.forward(seconds * 1000, 1000);
  return { ...served, clock, token, client, pass };
}

describe("a client with a token", () => {
  test("is told who it is, and until when", async () => {
    const { client, token, clock } = await serving();
    const { connected } = await client(await token());
    expect(connected).toMatchObject({ user: "alice", expires: clock.now() + 60_000, time: clock.now() });
    expect((await client(undefined)).connected).not.toHaveProperty("expires");
  });

  test("publishes under its own name, which cannot be forged", async () => {
    const { client, token, http } = await serving();
    const alice = await client(await token());
    await alice.subscribe("a");
    await alice.ask({ type: "publish", channel: "a", data: 1, user: "root" });
    expect(await alice.deliveries.next()).toMatchObject({ user: "alice", data: 1 });
    const bob = { Authorization: `Bearer ${await token("bob")}` };
    expect((await post(`${http}/channels/a/messages`, { data: 2, user: "root" }, bob)).status).toBe(400);
    await post(`${http}/channels/a/messages`, { data: 2 }, bob);
    expect(await alice.deliveries.next()).toMatchObject({ user: "bob", data: 2 });
    await post(`${http}/channels/a/messages`, { data: 3 }, authorization);
    expect(await alice.deliveries.next()).not.toHaveProperty("user");
  });

  test("is closed when it has expired and the skew of clocks is over, and not before", async () => {
    const { client, token, pass, log } = await serving();
    const alice = await client(await token());
    await pass(88);
    await alice.alive();
    await pass(4);
    expect(await alice.closed).toMatchObject({ code: 4401, reason: expect.stringContaining("expired") });
    expect(log.about("sent away")).toHaveLength(1);
  });

  test("goes on with a new one, without losing a message", async () => {
    const { client, token, pass, fanfare, clock } = await serving();
    const alice = await client(await token());
    await alice.subscribe("a");
    await pass(50);
    alice.say({ type: "token", token: await token() });
    // What is asked meanwhile is answered as the new one.
    const asked = alice.ask({ type: "subscribe", channel: "b" });
    const renewed = await alice.others.nextThat(({ type }) => type === "token");
    expect(renewed).toEqual({ type: "token", expires: clock.now() + 60_000, time: clock.now() });
    expect(await asked).toMatchObject({ type: "subscribed" });
    await pass(60);
    await fanfare.publish("a", 1);
    expect(await alice.offsets(1)).toEqual([1]);
    await pass(40);
    expect(await alice.closed).toMatchObject({ code: 4401 });
  });

  test("loses with a new one what that does not grant, and is told", async () => {
    const { client, token, fanfare } = await serving();
    const alice = await client(await token());
    await alice.subscribe("a");
    await alice.subscribe("b");
    alice.say({
      type: "token",
      token: await token("alice", 60, [{ channels: "b", actions: ["subscribe"] }]),
    });
    expect(await alice.others.nextThat(({ type }) => type === "unsubscribed")).toEqual({
      type: "unsubscribed",
      channel: "a",
      code: "forbidden",
    });
    await fanfare.publish("a", 1);
    await fanfare.publish("b", 2);
    expect(await alice.deliveries.next()).toMatchObject({ channel: "b", data: 2 });
    expect(alice.deliveries.size).toBe(0);
  });

  test.each([
    ["for somebody else", (token: (user: string) => Promise<string>) => token("bob")],
    ["that is a key", async () => KEY],
    ["that is none", async () => "x"],
  ])("cannot go on with one %s", async (_, other) => {
    const { client, token } = await serving();
    const alice = await client(await token());
    alice.say({ type: "token", token: await other(token) });
    expect(await alice.closed).toMatchObject({ code: 4401 });
  });

  test("without the grant for history hears what comes, and is told that nothing was recovered", async () => {
    const { client, token, fanfare } = await serving();
    const position = await fanfare.position("a");
    await fanfare.publish("a", 1);
    const alice = await client(await token("alice", 60, [{ channels: "a", actions: ["subscribe"] }]));
    expect(await alice.subscribe("a", position)).toMatchObject({
      recovered: false,
      reason: "not_allowed_history",
      offset: 1,
    });
    await fanfare.publish("a", 2);
    expect(await alice.offsets(1)).toEqual([2]);
  });
});

describe("a client whose token is refused", () => {
  test.each(["", "x", "a.b.c", "x".repeat(20_000)])(
    "is closed, and never taken for nobody: %.10j",
    async (token) => {
      const { url, log } = await serving({ anonymous: LISTEN });
      const client = await Client.open(url);
      client.say({ type: "connect", token });
      expect(await client.closed).toMatchObject({ code: 4401 });
      expect(client.heard).toEqual([]);
      const [line] = log.about("log-in refused");
      expect(line?.level).toBe("warn");
      if (token.length > 3) expect(JSON.stringify(log.lines)).not.toContain(token);
    },
  );

  test("may come back when it is the server that cannot tell", async () => {
    const { url, token } = await serving({ tokens: { jwksUrl: "http://127.0.0.1:1/keys" } });
    const client = await Client.open(url);
    const header = Buffer.from('{"alg":"EdDSA"}').toString("base64url");
    client.say({ type: "connect", token: (await token()).replace(/^[^.]+/, header) });
    expect(await client.closed).toMatchObject({ code: 1013 });
  });

  test("is not kept from closing by being slow to verify", async () => {
    let answer: (value: null) => void = () => {};
    const { url, fanfare } = await serving({
      tokens: {},
      authorize: () =>
        new Promise((done) => {
          answer = done;
        }),
    });
    const client = await Client.open(url);
    client.say({ type: "connect", token: "x" });
    client.vanish();
    await client.closed;
    answer(null);
    expect(fanfare.stats().connections).toBe(0);
  });
});

describe("what is taken back", () => {
  test("ends the live connections of a user, on every node, and lets nobody in with an old token", async () => {
    const engine = new MemoryEngine();
    onTestFinished(() => engine.close());
    const one = await serving({ engine });
    const other = await serving({ engine });
    const old = await one.token();
    const [here, there, bob] = await Promise.all([
      one.client(old),
      other.client(old),
      one.client(await one.token("bob")),
    ]);
    const answer = await fetch(`${one.http}/users/alice`, { method: "DELETE", headers: authorization });
    expect(answer.status).toBe(204);
    expect(await here.closed).toMatchObject({ code: 4401 });
    expect(await there.closed).toMatchObject({ code: 4401 });
    await bob.alive();
    for (const { url } of [one, other]) {
      const again = await Client.open(url);
      again.say({ type: "connect", token: old });
      expect(await again.closed).toMatchObject({ code: 4401, reason: expect.stringContaining("revoked") });
    }
    one.clock.advance(1);
    await one.client(await one.token());
  });

  test("ends what came in with one token, and nothing else", async () => {
    const { client, clock, http } = await serving();
    const make = () => signToken({ secret: SECRET, user: "alice", grants: [], now: clock.now() });
    const [first, second] = [await make(), await make()];
    const [one, other] = [await client(first.token), await client(second.token)];
    await fetch(`${http}/tokens/${first.id}`, { method: "DELETE", headers: authorization });
    expect(await one.closed).toMatchObject({ code: 4401 });
    await other.alive();
  });

  test("ends what came in with a key, whoever revokes it, and stays so after a restart", async () => {
    const dataDir = mkdtempSync(join(tmpdir(), "fanfare-"));
    onTestFinished(() => rmSync(dataDir, { recursive: true }));
    const { client, http, fanfare, token, pass } = await serving({ dataDir });
    const made = await post(
      `${http}/keys`,
      { name: "shop", grants: [{ channels: "a", actions: ["subscribe"] }] },
      authorization,
    );
    const { id, key } = (await made.json()) as { id: string; key: string };
    const shop = await client(key);
    await shop.subscribe("a");
    const old = await token();
    await fanfare.logOut("alice");
    const restarted = await serving({ dataDir });
    await restarted.client(key);
    await expect(restarted.client(old)).rejects.toThrow("closed with 4401");
    // One node revokes it, and the other, which shares the folder, sees it in the file.
    await fetch(`${restarted.http}/keys/${id}`, { method: "DELETE", headers: authorization });
    await pass(1);
    expect(await shop.closed).toMatchObject({ code: 4401 });
    expect(
      (await fetch(`${http}/channels/a/messages`, { headers: { Authorization: `Bearer ${key}` } })).status,
    ).toBe(401);
  });

  test("takes from live connections what a reload does not grant any more", async () => {
    const { client, fanfare } = await serving({ anonymous: LISTEN });
    const somebody = await client(undefined);
    await somebody.subscribe("a");
    await somebody.subscribe("public:b");
    expect(() => fanfare.reload({ access: "granted", tokens: { secrets: ["short"] } })).toThrow(TypeError);
    await somebody.alive();
    expect(somebody.heard.filter(({ type }) => type === "unsubscribed")).toEqual([]);
    fanfare.reload({ anonymous: [{ channels: "public:*", actions: ["subscribe"] }] });
    const told = await somebody.others.nextThat(({ type }) => type === "unsubscribed");
    expect(told).toMatchObject({ channel: "a", code: "forbidden" });
    await fanfare.publish("public:b", 1);
    expect(await somebody.offsets(1)).toEqual([1]);
  });
});

describe("a session", () => {
  test("cannot be resumed by somebody else, and stays its owner's", async () => {
    const { client, token, url } = await serving();
    const alice = await client(await token());
    const { session } = alice.connected;
    const bob = await Client.open(url);
    expect(await bob.connect({ token: await token("bob"), session })).toMatchObject({ resumed: false });
    await alice.alive();
    const again = await Client.open(url);
    expect(await again.connect({ token: await token(), session })).toMatchObject({ resumed: true });
    expect(await alice.closed).toMatchObject({ code: 4409 });
  });
});

describe("a client that is refused", () => {
  test("lives on, until it has tried too often in a minute", async () => {
    const { client, pass } = await serving({ access: "granted" });
    const nobody = await client(undefined);
    const refused = async (count: number) => {
      for (let index = 0; index < count; index++) {
        expect(await nobody.ask({ type: "subscribe", channel: `a:${index}` })).toMatchObject({
          code: "forbidden",
        });
      }
    };
    await refused(20);
    await pass(61);
    await refused(20);
    nobody.say({ type: "subscribe", request: 99, channel: "a" });
    expect(await nobody.closed).toMatchObject({ code: 4403, reason: expect.stringContaining("too often") });
  });
});

describe("your own authorize", () => {
  test("is shown the request and what the client gave, and says who it is", async () => {
    const asked: object[] = [];
    const { url, http, clock } = await serving({
      tokens: {},
      userGrants: [{ channels: "user:{sub}:*", actions: ["subscribe"] }],
      authorize: ({ headers, token, csrf, url: address }) => {
        asked.push({
          cookie: headers.get("cookie"),
          token,
          csrf,
          path: address.replace(/^http:\/\/[^/]+/, ""),
        });
        const user = /session=(\w+)/.exec(headers.get("cookie") ?? "")?.[1];
        return user === undefined
          ? null
          : { user, grants: [{ channels: "a", actions: ["history"] }], expires: clock.now() + 5000 };
      },
    });
    const alice = await Client.open(url, { headers: { Cookie: "session=alice" } });
    expect(await alice.connect({ csrf: "c" })).toMatchObject({ user: "alice", expires: clock.now() + 5000 });
    await alice.subscribe("user:alice:x");
    const history = (headers: Record<string, string>) => fetch(`${http}/channels/a/messages`, { headers });
    expect((await history({ Cookie: "session=bob" })).status).toBe(200);
    expect((await history({})).status).toBe(401);
    expect((await history({ Authorization: "Bearer unknown-token" })).status).toBe(401);
    expect((await history(authorization)).status).toBe(200);
    expect(asked).toEqual([
      { cookie: "session=alice", token: undefined, csrf: "c", path: "/push" },
      { cookie: "session=bob", token: undefined, csrf: undefined, path: "/push/channels/a/messages" },
      { cookie: null, token: undefined, csrf: undefined, path: "/push/channels/a/messages" },
      { cookie: null, token: "unknown-token", csrf: undefined, path: "/push/channels/a/messages" },
    ]);
  });

  test("is asked again when what it said expires: the client goes on, or is closed", async () => {
    let known = true;
    const { url, clock, pass } = await serving({
      tokens: {},
      authorize: () => (known ? { user: "alice", grants: ALL, expires: clock.now() + 30_000 } : null),
    });
    const alice = await Client.open(url, { headers: { Cookie: "session=alice" } });
    await alice.connect();
    await pass(100);
    await alice.alive();
    known = false;
    await pass(31);
    expect(await alice.closed).toMatchObject({
      code: 4401,
      reason: expect.stringContaining("session is over"),
    });
  });

  test("that fails lets nobody in, and tells the log only", async () => {
    const { url, http, log } = await serving({
      authorize: () => Promise.reject(new Error("the database is away")),
    });
    const client = await Client.open(url);
    client.say({ type: "connect" });
    expect(await client.closed).toMatchObject({
      code: 1011,
      reason: expect.not.stringContaining("database"),
    });
    expect((await fetch(`${http}/channels/a/messages`)).status).toBe(500);
    expect(
      JSON.stringify(log.lines.map(({ fields }) => String((fields as { err?: unknown }).err))),
    ).toContain("database");
  });
});
