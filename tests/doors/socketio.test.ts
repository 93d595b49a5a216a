import { formatPosition } from "@fanfare/protocol";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { WebSocket } from "ws";
import { Meter } from "../../packages/server/src/access/rates/meter.js";
import type { FanfareOptions } from "../../packages/server/src/library/options.js";
import { serve } from "./serving.js";
import { ask, connect, type ShownError, type SocketIoClient } from "./socketio-client.js";
import { soon, until } from "./waiting.js";

async function serving(options: FanfareOptions = {}) {
  const served = await serve({ access: "open", socketio: {}, ...options });
  return { ...served, site: `http://localhost:${served.port}` };
}

const next = async ({ heard }: SocketIoClient, wanted: string) =>
  (await heard.nextThat(({ event }) => event === wanted)).args;

interface Refused {
  readonly error: ShownError;
}

describe("channels", () => {
  test("messages, gaps and changes of the state are events, and messages bring their position", async () => {
    const { site, fanfare } = await serving();
    const client = await connect(site);
    const { epoch } = await ask<{ epoch: string }>(client, "subscribe", { channel: "job:7" });
    await fanfare.publish("job:7", { text: "é\u2028😀" }, { event: "said", id: "k1" });
    const [message, position] = await next(client, "message");
    expect(message).toEqual({
      channel: "job:7",
      offset: 1,
      time: expect.any(Number),
      event: "said",
      id: "k1",
      data: { text: "é\u2028😀" },
    });
    expect(position).toBe(`${epoch}:1`);
    await fanfare.states.set("job:7", { done: 1 });
    expect(await next(client, "state")).toEqual([
      { channel: "job:7", from: 0, offset: 2, value: { done: 1 } },
    ]);
    await fanfare.states.patch("job:7", { done: 2 });
    expect(await next(client, "state")).toEqual([
      { channel: "job:7", from: 2, offset: 3, patch: { done: 2 } },
    ]);
  });

  test("a subscription is answered with where it begins, and with the state", async () => {
    const { site, fanfare } = await serving();
    await fanfare.states.set("job:7", { done: 1 });
    const { epoch } = await fanfare.position("job:7");
    const client = await connect(site);
    const wanted = {
      channel: "job:7",
      epoch,
      offset: 1,
      head: 1,
      recovered: false,
      position: `${epoch}:1`,
      state: { done: 1 },
      stateOffset: 1,
    };
    expect(await ask(client, "subscribe", "job:7")).toEqual(wanted);
    const other = await connect(site);
    other.socket.emit("subscribe", "job:7");
    expect(await next(other, "subscribed")).toEqual([wanted]);
  });

  test("clients publish and change states, and are told where it stands", async () => {
    const { site, fanfare } = await serving();
    const client = await connect(site);
    const { epoch } = await fanfare.position("chat");
    const first = { channel: "chat", epoch, offset: 1, position: `${epoch}:1` };
    const message = { channel: "chat", event: "said", data: "hello", id: "a" };
    expect(await ask(client, "publish", message)).toEqual(first);
    expect(await ask(client, "publish", message)).toEqual(first);
    const second = await ask<{ position: string }>(client, "patch", {
      channel: "chat",
      patch: { open: true },
    });
    expect(second).toMatchObject({ offset: 2 });
    const stale = { channel: "chat", patch: { open: false }, ifVersion: first.position };
    expect(await ask(client, "patch", stale)).toMatchObject({
      error: { name: "Conflict", data: { code: "version_mismatch" } },
    });
    expect(await ask(client, "patch", { ...stale, ifVersion: second.position })).toMatchObject({ offset: 3 });
    expect((await fanfare.history("chat")).messages).toMatchObject([{ event: "said", data: "hello" }]);
  });

  test("a channel that the server subscribes by itself is heard without a word", async () => {
    const { site, fanfare } = await serving({ rules: [{ channels: "broadcast", auto: true }] });
    const client = await connect(site);
    expect(await next(client, "subscribed")).toMatchObject([{ channel: "broadcast" }]);
    await fanfare.publish("broadcast", 1);
    expect(await next(client, "message")).toMatchObject([{ data: 1 }, expect.any(String)]);
  });
});

test("who may see who is there is told, and is there", async () => {
  const { site } = await serving({ rules: [{ channels: "room:*", presence: true }] });
  const [first, second] = await Promise.all([connect(site), connect(site)]);
  expect(await ask(first, "subscribe", "room:1")).toMatchObject({ presence: { count: 1 } });
  expect(await ask(second, "subscribe", "room:1")).toMatchObject({ presence: { count: 2 } });
  expect(await next(first, "presence")).toMatchObject([{ channel: "room:1", count: 2 }]);
  second.socket.disconnect();
});

describe("polling", () => {
  test("what is said, and what is heard, is the same, in order, across the upgrade to a WebSocket", async () => {
    const { site, fanfare } = await serving({ rules: [{ channels: "news", history: 100_000 }] });
    const auth = { channels: ["news"] };
    const polls = await connect(site, { auth, transports: ["polling"] });
    const upgrades = await connect(site, { auth, transports: ["polling", "websocket"] });
    for (const client of [polls, upgrades]) await next(client, "subscribed");
    const text = "ü".repeat(300);
    const isUpgraded = () => upgrades.socket.io.engine.transport.name === "websocket";
    let count = 0;
    for (let after = 0; after < 100; after += isUpgraded() ? 1 : 0) {
      await fanfare.publish("news", { index: count++, text });
      await new Promise<void>((done) => setImmediate(done));
    }
    for (const client of [polls, upgrades]) {
      for (let index = 0; index < count; index++) {
        expect(await next(client, "message")).toMatchObject([
          { offset: index + 1, data: { index, text } },
          expect.anything(),
        ]);
      }
    }
    expect([polls, upgrades].map(({ socket }) => socket.io.engine.transport.name)).toEqual([
      "polling",
      "websocket",
    ]);
    expect(await ask(polls, "publish", { channel: "news", data: 1 })).toMatchObject({ offset: count + 1 });
  });

  test("a client that does not come back for more costs a bounded amount, and is told of what it missed", async () => {
    const { site, fanfare } = await serving({ rules: [{ channels: "**", history: 10 }] });
    const client = await connect(site, { transports: ["polling"] });
    await ask(client, "subscribe", "big");
    let most = 0;
    for (let index = 1; index <= 100; index++) {
      // Not a turn of the event loop of its own for each, so that polling cannot keep up.
      await Promise.all(Array.from({ length: 5 }, () => fanfare.publish("big", "x".repeat(32 * 1024))));
      most = Math.max(most, fanfare.stats().waitingBytes);
    }
    expect(most).toBeLessThan(256 * 1024);
    let reached = 0;
    while (reached < 500) {
      const { event, args } = await client.heard.next();
      const [{ offset, from, to }] = args as [{ offset: number; from: number; to: number }];
      expect(event === "gap" ? from : offset).toBe(reached + 1);
      reached = event === "gap" ? to : offset;
    }
  });
});

describe("what is refused", () => {
  test("an event that is not known, or has the wrong form, is answered, and the connection lives on", async () => {
    const { site } = await serving();
    const client = await connect(site);
    const errorOf = async (event: string, ...args: unknown[]) =>
      (await ask<Refused>(client, event, ...args)).error;
    expect(await errorOf("sing", 1)).toMatchObject({
      name: "BadRequest",
      message: 'the event "sing" is not known',
      data: { code: "invalid_request", remedy: expect.stringContaining("subscribe, unsubscribe, publish") },
    });
    expect(await errorOf("subscribe", 5)).toMatchObject({ data: { code: "invalid_request" } });
    expect(await errorOf("subscribe", { channel: "a", since: "x" })).toMatchObject({
      data: { code: "invalid_position" },
    });
    expect(await errorOf("subscribe", "a b")).toMatchObject({ data: { code: "invalid_channel" } });
    expect(await errorOf("subscribe", "$feathers:orders")).toMatchObject({
      data: { code: "invalid_channel" },
    });
    expect(await errorOf("publish", { channel: "a" })).toMatchObject({ data: { code: "invalid_request" } });
    expect(await errorOf("publish", { channel: "a", data: 1, evnt: "x" })).toMatchObject({
      message: 'publish has "evnt", which is not known',
      data: { remedy: "Did you mean event? Use channel, id, event, data." },
    });
    expect(await errorOf("subscribe", { channel: "a", sicne: "x" })).toMatchObject({
      message: 'subscribe has "sicne", which is not known',
    });
    expect(await errorOf("unsubscribe", "a")).toMatchObject({
      name: "Conflict",
      data: { code: "not_subscribed" },
    });
    expect(await errorOf("find", 7)).toMatchObject({ data: { code: "invalid_request" } });
    const [error] = await ask<[ShownError]>(client, "find", "nothing", {}).then((answer) => [answer]);
    expect(error).toMatchObject({ name: "NotFound", message: 'there is no service "nothing"' });
    client.socket.emit("sing");
    expect(await next(client, "refused")).toMatchObject([{ event: "sing", error: { name: "BadRequest" } }]);
    expect(await ask(client, "subscribe", "a")).toMatchObject({ channel: "a" });
  });

  test.each([
    ["binary data", "publish", { channel: "a", data: Buffer.from("x") }],
    ["a packet larger than any may be", "publish", { channel: "a", data: "x".repeat(200_000) }],
  ])("%s closes the connection", async (_what, event, call) => {
    const { site } = await serving();
    const client = await connect(site);
    const gone = new Promise((done) => client.socket.once("disconnect", done));
    client.socket.emit(event, call);
    await soon(gone, "the end");
  });

  test("another namespace, a second client on one connection, and a token that is wrong", async () => {
    const { site } = await serving({
      access: "granted",
      tokens: { secrets: ["the-secret-of-the-tests-0123456789-0123"] },
    });
    await expect(connect(`${site}/other`)).rejects.toThrow("Invalid namespace");
    await expect(connect(site, { auth: { token: "wrong" } })).rejects.toMatchObject({
      data: { name: "NotAuthenticated", data: { code: "not_logged_in", remedy: expect.any(String) } },
    });
    await expect(connect(site, { auth: { channels: [1] } })).rejects.toMatchObject({
      data: { name: "BadRequest" },
    });
    const raw = new WebSocket(`${site.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`);
    const texts: string[] = [];
    raw.on("message", (text) => {
      texts.push(String(text));
      if (texts.length === 1) for (const packet of ["40", "40"]) raw.send(packet);
    });
    await until(() => texts.some((text) => text.startsWith("44")), "the second is refused");
    expect(texts.find((text) => text.startsWith("44"))).toContain("the connection has a client already");
    raw.terminate();
  });

  test("a page of another origin, over HTTP and as a WebSocket; one that is allowed may read", async () => {
    const { site, port } = await serving({ allowedOrigins: ["https://app.example.com"] });
    const polling = `${site}/socket.io/?EIO=4&transport=polling`;
    const foreign = await fetch(polling, { headers: { Origin: "https://evil.example.com" } });
    expect([foreign.status, ((await foreign.json()) as { code: string }).code]).toEqual([
      403,
      "origin_not_allowed",
    ]);
    const allowed = await fetch(polling, { headers: { Origin: "https://app.example.com" } });
    expect([allowed.status, allowed.headers.get("access-control-allow-origin")]).toEqual([
      200,
      "https://app.example.com",
    ]);
    expect(allowed.headers.get("access-control-allow-credentials")).toBe("true");
    expect(allowed.headers.get("vary")).toBe("Origin");
    const asks = await fetch(polling, { method: "OPTIONS", headers: { Origin: "https://app.example.com" } });
    expect([asks.status, asks.headers.get("access-control-allow-origin")]).toEqual([
      204,
      "https://app.example.com",
    ]);
    const url = `ws://localhost:${port}/socket.io/?EIO=4&transport=websocket`;
    const socket = new WebSocket(url, { headers: { Origin: "https://evil.example.com" } });
    const error = await soon(new Promise<Error>((done) => socket.once("error", done)), "the refusal");
    expect(error.message).toContain("403");
  });

  test("who has not said who it is takes room, too", async () => {
    const { site } = await serving({ limits: { connections: 2 } });
    const polling = `${site}/socket.io/?EIO=4&transport=polling`;
    const statuses: number[] = [];
    for (let index = 0; index < 3; index++) statuses.push((await fetch(polling)).status);
    expect(statuses).toEqual([200, 200, 503]);
  });

  test("who asks and never reads the answers is not read from any more", async () => {
    const { site, fanfare, sockets } = await serving();
    await fanfare.states.set("a", { text: "x".repeat(30_000) });
    const client = await connect(site);
    const below = (client.socket.io.engine as unknown as { transport: { ws: WebSocket } }).transport.ws;
    below.pause();
    const before = client.heard.arrived;
    for (let index = 0; index < 3000; index++) {
      client.socket.emit("subscribe", "a", () => {});
      client.socket.emit("unsubscribe", "a", () => {});
    }
    const [socket] = sockets.slice(-1);
    await until(() => socket?.isPaused() === true, "reading is paused");
    expect(fanfare.stats().waitingBytes).toBeLessThan(256 * 1024);
    below.resume();
    await until(() => socket?.isPaused() === false, "it is read again");
    expect(client.heard.arrived).toBe(before);
  });
});

describe("who it is", () => {
  const secrets = ["the-secret-of-the-tests-0123456789-0123"];

  test("a token is renewed while connected, for the same user only", async () => {
    const { site, fanfare } = await serving({ access: "granted", tokens: { secrets } });
    const grants = [{ channels: "a", actions: ["subscribe"] }] as const;
    const tokenOf = async (user: string) => (await fanfare.token({ user, grants })).token;
    const client = await connect(site, { auth: { token: await tokenOf("alice") } });
    expect(await ask(client, "token", await tokenOf("alice"))).toEqual({
      expires: expect.any(Number),
      time: expect.any(Number),
    });
    expect(await ask(client, "token", await tokenOf("bob"))).toMatchObject({
      error: { name: "NotAuthenticated" },
    });
    expect(await ask(client, "subscribe", "a")).toMatchObject({ channel: "a" });
  });

  test("a key or token may come in the header, too; who is logged out is told why, and does not come back", async () => {
    const { site, fanfare } = await serving({ access: "granted", tokens: { secrets } });
    const { token } = await fanfare.token({
      user: "alice",
      grants: [{ channels: "a", actions: ["subscribe"] }],
    });
    const client = await connect(site, {
      extraHeaders: { Authorization: `Bearer ${token}` },
      reconnection: true,
    });
    expect(await ask(client, "subscribe", "a")).toMatchObject({ channel: "a" });
    const gone = new Promise((done) => client.socket.once("disconnect", done));
    await fanfare.logOut("alice");
    expect(await next(client, "goodbye")).toMatchObject([{ error: { name: "NotAuthenticated" } }]);
    expect(await soon(gone, "the end")).toBe("io server disconnect");
  });

  test("a client for which there is no room after its log-out is told why, and comes back by itself", async () => {
    const { site, fanfare } = await serving({
      access: "granted",
      tokens: { secrets },
      trustedProxies: ["127.0.0.1", "::1"],
      limits: { connectionsPerOwner: 1 },
    });
    const { token: accessToken } = await fanfare.token({ user: "alice", grants: [] });
    // Connections from this machine itself have no share.
    const from = { extraHeaders: { "X-Forwarded-For": "203.0.113.7" } };
    const client = await connect(site, from);
    await ask(client, "create", "authentication", { strategy: "jwt", accessToken });
    await connect(site, from);
    const gone = new Promise((done) => client.socket.once("disconnect", done));
    client.socket.emit("remove", "authentication", null);
    expect(await next(client, "goodbye")).toMatchObject([{ error: { data: { code: "share_used_up" } } }]);
    // Other than after a disconnect that the server asked for.
    expect(await soon(gone, "the end")).toBe("transport close");
  });

  test("whoever is refused again and again is sent away", async () => {
    const { site } = await serving({ access: "granted" });
    const client = await connect(site);
    const gone = new Promise((done) => client.socket.once("disconnect", done));
    for (let index = 0; index < 20; index++) {
      expect(await ask(client, "subscribe", "a")).toMatchObject({ error: { name: "Forbidden" } });
    }
    client.socket.emit("subscribe", "a");
    expect(await next(client, "goodbye")).toMatchObject([{ error: { name: "Forbidden" } }]);
    expect(await soon(gone, "the end")).toBe("io server disconnect");
  });

  test("a client that stays over its rate is told why, and does not come back by itself", async () => {
    const { site } = await serving({ rates: { framesPerConnection: 1 } });
    const client = await connect(site);
    const gone = new Promise((done) => client.socket.once("disconnect", done));
    vi.spyOn(Meter.prototype, "tolerated", "get").mockReturnValue(false);
    onTestFinished(() => void vi.restoreAllMocks());
    for (let event = 0; event < 2; event++) client.socket.emit("subscribe", "a");
    expect(await next(client, "goodbye")).toMatchObject([{ error: { data: { code: "rate_limited" } } }]);
    expect(await soon(gone, "the end")).toBe("io server disconnect");
  });
});

describe("the place", () => {
  test("is configurable, and must not be taken", async () => {
    const { port } = await serving({ socketio: { path: "/live" } });
    const client = await connect(`http://localhost:${port}`, { path: "/live" });
    expect(await ask(client, "subscribe", "a")).toMatchObject({ channel: "a" });
    const wrong: [FanfareOptions, RegExp][] = [
      [{ socketio: { path: "/push" } }, /as that of everything else/],
      [{ socketio: { path: "/xas" } }, /keeps for itself/],
      [{ socketio: { services: ["a", "a"] } }, /is there twice/],
      [{ socketio: { services: ["a:b"] } }, /no name of a service/],
      [{ socketio: { services: [{ name: "a", path: "/push/a" }] } }, /is taken/],
      [{ socketio: { services: ["rest"] }, reservedPaths: "mendix" }, /keeps for itself/],
      [{ socketio: { services: [{ name: "a", records: -1 }] } }, /records is -1/],
    ];
    for (const [options, message] of wrong) await expect(serving(options)).rejects.toThrow(message);
  });

  test("serves the client's script, and nothing else that is no request of Socket.IO", async () => {
    const { site, fanfare } = await serving();
    const script = await fetch(`${site}/socket.io/socket.io.js`);
    expect([script.status, script.headers.get("content-type")]).toEqual([
      200,
      expect.stringContaining("javascript"),
    ]);
    expect(await script.text()).toContain("Socket.IO v4");
    for (const other of ["/socket.io/../package.json", "/socket.io/", "/socket.io/secret.js"]) {
      expect((await fetch(`${site}${other}`)).status).toBeGreaterThanOrEqual(400);
    }
    expect(formatPosition(await fanfare.position("a"))).toMatch(/:0$/);
  });
});
