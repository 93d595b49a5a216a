import { get } from "node:http";
import { connect as connectTcp } from "node:net";
import { describe, expect, test } from "vitest";
import { signToken } from "../../packages/server/src/index.js";
import { Client, refused } from "../doors/client.js";
import { serve } from "../doors/serving.js";
import { post } from "../library/serve.js";
import { SECRET } from "./tables.js";

const KEY = "0123456789-the-key";
const EVIL = "https://evil.example";

/** A server that knows its users by cookie, as a browser sends it whatever page asks. */
const serving = () =>
  serve({
    apiKeys: [KEY],
    tokens: { secrets: [SECRET] },
    socketio: {},
    authorize: ({ headers }) =>
      headers.get("cookie") === "session=alice"
        ? { user: "alice", grants: [{ channels: "**", actions: ["*", "admin"] }] }
        : null,
  });
const cookie = { Cookie: "session=alice" };

describe("a page of another site", () => {
  test("opens no WebSocket with the cookies of a user", async () => {
    const { url, fanfare } = await serving();
    const { status, problem } = await refused(url, { headers: cookie, origin: EVIL });
    expect([status, problem.code]).toEqual([403, "origin_not_allowed"]);
    expect(fanfare.stats().connections).toBe(0);
  });

  test.each([
    ["POST", "/channels/a/messages"],
    ["POST", "/messages"],
    ["POST", "/keys"],
    ["POST", "/tokens"],
    ["DELETE", "/users/bob"],
    ["GET", "/channels/a/messages"],
    ["GET", "/sse?channel=a"],
    ["POST", "/sse"],
    ["POST", "/tickets"],
  ])("does nothing by %s %s", async (method, path) => {
    const { http, fanfare } = await serving();
    const types = ["text/plain", "application/x-www-form-urlencoded", "application/json"];
    for (const type of method === "POST" ? types : [undefined]) {
      const answer = await fetch(`${http}${path}`, {
        method,
        headers: { ...cookie, Origin: EVIL, ...(type !== undefined && { "Content-Type": type }) },
        ...(method === "POST" && { body: '{"data": 1}' }),
      });
      expect(answer.status, type).toBe(403);
      expect(answer.headers.get("access-control-allow-origin")).toBeNull();
    }
    expect((await fanfare.position("a")).offset).toBe(0);
  });

  test("posts no form, even where it can hide what is in it", async () => {
    const { http, fanfare } = await serving();
    const own = new URL(http).origin;
    const headers = { ...cookie, Origin: own, "Content-Type": "text/plain" };
    expect((await post(`${http}/channels/a/messages`, { data: 1 }, headers)).status).toBe(415);
    expect((await fanfare.position("a")).offset).toBe(0);
  });

  test("opens no connection of Socket.IO, by polling or by a WebSocket", async () => {
    const { http, fanfare } = await serving();
    const site = new URL(http).origin;
    const polling = await fetch(`${site}/socket.io/?EIO=4&transport=polling`, {
      headers: { ...cookie, Origin: EVIL },
    });
    expect([polling.status, polling.headers.get("access-control-allow-origin")]).toEqual([403, null]);
    const url = `${site.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`;
    expect((await refused(url, { headers: cookie, origin: EVIL })).status).toBe(403);
    expect(fanfare.stats().connections).toBe(0);
  });
});

describe("a name that was rebound to this server", () => {
  const rebound = (port: number) => ({ Host: `rebound.evil.example:${port}` });

  test.each([
    ["in development", { access: "open", loopbackOnly: true } as const, {}],
    ["with publicUrl, where there are cookies", { publicUrl: "https://push.example" }, cookie],
    ["with publicUrl, where there is an origin", { publicUrl: "https://push.example" }, { Origin: EVIL }],
  ])("lets in no browser %s", async (_, options, shown) => {
    const { url, http, port, log } = await serve({ ...options, socketio: {} });
    const headers = { ...shown, ...rebound(port) };
    const { status, problem } = await refused(url, { headers });
    expect([status, problem.code, problem.remedy]).toEqual([421, "host_not_allowed", expect.any(String)]);
    expect(log.about("upgrade refused")[0]?.message).toContain("rebound.evil.example");
    const site = new URL(http).origin;
    for (const at of [
      `${http}/channels/a/messages`,
      `${http}/sse?channel=a`,
      `${site}/socket.io/?EIO=4&transport=polling`,
    ]) {
      expect(await request(at, headers), at).toBe(421);
    }
  });

  test("does not keep out servers, which have neither cookies nor an origin", async () => {
    const { http, port } = await serve({ apiKeys: [KEY], publicUrl: "https://push.example" });
    expect(await request(`${http}/channels`, { ...rebound(port), Authorization: `Bearer ${KEY}` })).toBe(200);
  });
});

/** With a `Host` of our own, which `fetch` would not send. */
function request(url: string, headers: Record<string, string>): Promise<number | undefined> {
  return new Promise((done, fail) => {
    get(url, { headers }, (answer) => {
      answer.resume();
      done(answer.statusCode);
    }).on("error", fail);
  });
}

describe("what is written to the log", () => {
  const ugly = 'alice\n\u001b[31m{"level":60}\u2028\u202e';

  test("has one line for whoever is sent away, whatever he is called", async () => {
    const { url, fanfare, log } = await serving();
    const { token } = await signToken({ secret: SECRET, user: ugly, grants: [] });
    const client = await Client.open(url);
    await client.connect({ token });
    await fanfare.logOut(ugly);
    expect(await client.closed).toMatchObject({ code: 4401 });
    const lines = log.lines.flatMap(({ message, fields }) => [message, ...Object.values(fields).map(String)]);
    expect(lines.join("")).toContain("alice");
    for (const line of lines) expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}]/u);
  });

  test("never holds a key or a token that was tried", async () => {
    const { http, url, log } = await serving();
    const { token } = await signToken({ secret: SECRET, user: "alice", grants: [], now: 0 });
    for (const tried of [token, `${KEY}-almost`]) {
      await fetch(`${http}/keys`, { headers: { Authorization: `Bearer ${tried}` } });
      await post(`${http}/access/explain`, { action: "admin", token: tried });
      const client = await Client.open(url);
      client.say({ type: "connect", token: tried });
      expect(await client.closed).toMatchObject({ code: 4401 });
      expect(JSON.stringify(log.lines)).not.toContain(tried);
    }
    expect(log.about("refused").length).toBeGreaterThanOrEqual(4);
  });
});

test("a header with a line break in it is no request", async () => {
  const { port } = await serving();
  const socket = connectTcp(port, "localhost");
  socket.write(`GET /push/keys HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer x\nX-Evil: 1\r\n\r\n`);
  let answer = "";
  for await (const part of socket) {
    answer += String(part);
    if (answer.includes("\r\n\r\n")) break;
  }
  expect(answer).toMatch(/^HTTP\/1\.1 40[01] /);
  expect(answer.toLowerCase()).not.toContain("x-evil");
});

describe("a header that comes twice", () => {
  const upgrade = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol: fanfare.v1",
  ];
  const engineIo = "/socket.io/?EIO=4&transport=";
  const ways = [
    ["HTTP", "/push/channels/a/messages", ["Connection: close"]],
    ["a stream of events", "/push/sse?channel=a", ["Connection: close"]],
    ["a WebSocket", "/push", upgrade],
    ["Socket.IO by polling", `${engineIo}polling`, ["Connection: close"]],
    ["Socket.IO by a WebSocket", `${engineIo}websocket`, upgrade],
  ] as const;
  const open = () => serve({ access: "open", socketio: {} });

  test.each(ways)("lets in no page that is of one host of two, by %s", async (_, path, headers) => {
    const { port } = await open();
    const own = `localhost:${port}`;
    for (const [first, second] of [
      [own, "evil.example"],
      ["evil.example", own],
    ]) {
      for (const origin of [own, "evil.example"]) {
        const lines = [`Host: ${first}`, `Host: ${second}`, `Origin: http://${origin}`, ...headers];
        expect(await statusOf(port, path, lines), `${first}, ${second} from ${origin}`).toBe(400);
      }
    }
  });

  test.each(ways)("lets in no page that is of one origin of two, by %s", async (_, path, headers) => {
    const { port } = await open();
    const origins = [`http://localhost:${port}`, EVIL];
    for (const [first, second] of [origins, origins.toReversed()]) {
      const lines = [`Host: localhost:${port}`, `Origin: ${first}`, `Origin: ${second}`, ...headers];
      expect(await statusOf(port, path, lines)).toBe(403);
    }
  });

  test("is no key and no token, whichever of the two would be right", async () => {
    const { port } = await serving();
    const keys = [KEY, `${KEY}-almost`];
    for (const [first, second] of [keys, keys.toReversed()]) {
      const lines = ["Host: localhost", `Authorization: Bearer ${first}`, `Authorization: Bearer ${second}`];
      for (const path of ["/push/keys", "/push/sse?channel=a"]) {
        expect(await statusOf(port, path, [...lines, "Connection: close"])).toBe(401);
      }
    }
  });
});

/** The status of the answer to a request that is written as it is. */
async function statusOf(port: number, path: string, headers: readonly string[]): Promise<number> {
  const socket = connectTcp(port, "localhost");
  socket.write(`GET ${path} HTTP/1.1\r\n${headers.join("\r\n")}\r\n\r\n`);
  let answer = "";
  for await (const part of socket) {
    answer += String(part);
    if (answer.includes("\r\n")) break;
  }
  return Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);
}
