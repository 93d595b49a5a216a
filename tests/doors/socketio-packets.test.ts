/** What a client of Engine.IO sends that is no use of Socket.IO: it is told why it is closed, and everybody else goes on. */
import { describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { FakeClock } from "../../packages/server/src/testing/fake-clock.js";
import { type Serving, serve } from "./serving.js";
import { ask, connect } from "./socketio-client.js";
import { Inbox, soon, until } from "./waiting.js";

const serving = (options: Parameters<typeof serve>[0] = {}) =>
  serve({ access: "open", socketio: {}, ...options });

/** A client that sends packets as they are. */
async function raw({ port }: Serving) {
  const socket = new WebSocket(`ws://localhost:${port}/socket.io/?EIO=4&transport=websocket`);
  const heard = new Inbox<string>("packets");
  socket.on("message", (data) => heard.put(String(data)));
  socket.on("error", () => {});
  const closed = new Promise<number>((done) => socket.once("close", done));
  await heard.nextThat((text) => text.startsWith("0"));
  return { socket, heard, closed: () => soon(closed, "the end") };
}

async function connected(server: Serving) {
  const client = await raw(server);
  client.socket.send("40");
  await client.heard.nextThat((text) => text.startsWith("40"));
  return client;
}

const figure = async ({ http }: Serving, name: string) => {
  const text = await (await fetch(`${http}/metrics`)).text();
  return Number(new RegExp(`^fanfare_${name.replace(/[{}]/g, "\\$&")} (\\d+)$`, "m").exec(text)?.[1]);
};

describe("a packet that is none, or comes when it must not,", () => {
  test.each([
    ["an event without data", "42", "an event without data"],
    ["an event that is no array", '42{"a":1}', "invalid payload"],
    ["an empty event", "42[]", "invalid payload"],
    ["an event whose name is a number", "42[5]", 'an event whose name is "5"'],
    ["an event whose name is an object", "42[{}]", "invalid payload"],
    ["a reserved name", '42["disconnect"]', "invalid payload"],
    ["a name that emitters listen to", '42["newListener","x"]', "invalid payload"],
    ["an id beyond all numbers", `42${"9".repeat(400)}["subscribe","a"]`, "an event whose id is Infinity"],
    ["an answer to nothing", "431[]", "a packet ACK"],
    ["an answer without data", "43", "a packet ACK"],
    ["an error", '44{"message":"x"}', "a packet CONNECT_ERROR"],
    ["binary data that is announced", '451-["a",{"_placeholder":true,"num":0}]', "binary data"],
    ["fifty attachments", '4550-["a"]', "binary data"],
    ["a second CONNECT", "40", "CONNECT a second time"],
    ["an event for another namespace", '42/other,["a"]', "before|another namespace"],
    ["an unknown type", "49", "unknown packet type 9"],
    ["no JSON", "42[", "invalid payload"],
  ])("%s is told so and closed", async (_what, packet, reason) => {
    const server = await serving();
    const other = await connect(`http://localhost:${server.port}`);
    await ask(other, "subscribe", "a");
    const client = await connected(server);
    client.socket.send(packet);
    const goodbye = await client.heard.nextThat((text) => text.startsWith('42["goodbye"'));
    expect(JSON.parse(goodbye.slice(2))[1].error).toMatchObject({
      name: "BadRequest",
      message: expect.stringMatching(reason),
      data: { code: "invalid_request", remedy: expect.any(String) },
    });
    await client.closed();
    await server.fanfare.publish("a", 1);
    expect((await other.heard.nextThat(({ event }) => event === "message")).args[0]).toMatchObject({
      data: 1,
    });
    expect(await figure(server, 'packets_refused_total{reason="malformed"}')).toBe(1);
    expect(server.log.about("client sent away")).toHaveLength(1);
    expect(server.log.lines.filter(({ level }) => level === "error")).toEqual([]);
  });

  test.each([
    ["an event", '42["subscribe","a"]', "EVENT before it was connected"],
    ["an event without data", "42", "EVENT before it was connected"],
    ["a goodbye", "41", "DISCONNECT before it was connected"],
    ["CONNECT with a list", "40[]", "invalid payload"],
    ["CONNECT with null", "40null", "invalid payload"],
    ["CONNECT with a text", '40"token"', "invalid payload"],
  ])("%s before CONNECT is told so and closed", async (_what, packet, reason) => {
    const server = await serving();
    const client = await raw(server);
    client.socket.send(packet);
    const refusal = await client.heard.nextThat((text) => text.startsWith("44"));
    expect(JSON.parse(refusal.slice(2)).message).toMatch(reason);
    await client.closed();
  });

  test("a name that JavaScript or Node.js knows is an event like any other that is not known", async () => {
    const server = await serving();
    const client = await connected(server);
    for (const name of ["error", "__proto__", "constructor", "toString", "end", ""]) {
      client.socket.send(`427${JSON.stringify([name, { __proto__: 1 }])}`);
      const answer = await client.heard.nextThat((text) => text.startsWith("437"));
      expect(JSON.parse(answer.slice(3))[0].error).toMatchObject({ name: "BadRequest" });
    }
  });

  test("who asks for namespace after namespace, and reads no answer, is closed", async () => {
    const server = await serving();
    const client = await raw(server);
    for (let index = 0; index < 30; index++) client.socket.send(`40/other${index},`);
    await client.closed();
    expect(server.log.about("CONNECT 21 times")).toHaveLength(1);
  });

  test("CONNECT that was refused may be tried again on the same connection", async () => {
    const server = await serving({
      access: "granted",
      tokens: { secrets: ["the-secret-of-the-tests-0123456789-0123"] },
    });
    const client = await raw(server);
    client.socket.send('40{"token":"wrong"}');
    expect(await client.heard.nextThat((text) => text.startsWith("4"))).toContain("not_logged_in");
    const { token } = await server.fanfare.token({ user: "alice", grants: [] });
    client.socket.send(`40${JSON.stringify({ token })}`);
    expect(await client.heard.nextThat((text) => text.startsWith("4"))).toMatch(/^40\{/);
  });
});

describe("what a packet must not weigh", () => {
  test("more than the largest is closed, logged and counted, by WebSocket", async () => {
    const server = await serving();
    const client = await connected(server);
    client.socket.send(`42["publish",{"channel":"a","data":"${"x".repeat(200_000)}"}]`);
    expect(await client.closed()).toBe(1009);
    expect(await figure(server, 'packets_refused_total{reason="too_large"}')).toBe(1);
    expect(server.log.about("a packet has more than 131072 bytes")).toMatchObject([
      { fields: { code: "too_large" } },
    ]);
  });

  test("the same by polling, where the answer says so", async () => {
    const server = await serving();
    const site = `http://localhost:${server.port}/socket.io/?EIO=4&transport=polling`;
    const { sid } = JSON.parse((await (await fetch(site)).text()).slice(1));
    const answer = await fetch(`${site}&sid=${sid}`, { method: "POST", body: `4${"x".repeat(200_000)}` });
    expect(answer.status).toBe(413);
    await until(() => server.log.about("a packet has more than 131072 bytes").length > 0, "it is logged");
    expect(await figure(server, 'packets_refused_total{reason="too_large"}')).toBe(1);
    expect((await fetch(`${site}&sid=${sid}`)).status).toBe(400);
  });
});

describe("an address", () => {
  const LIMIT = { limits: { connections: 3 } };

  test.each([
    "",
    "&sid=",
    "&sid=&sid=",
    "&%73id=",
    "&sid",
    "&SID=x",
    "&sid[]=x",
    "&sid=x&sid=",
    "&t=sid=x",
    "#?sid=x",
  ])("with %j opens a connection to Engine.IO and to us, and takes a place", async (more) => {
    const { port, fanfare } = await serving(LIMIT);
    const site = `http://localhost:${port}/socket.io/?EIO=4&transport=polling${more}`;
    const statuses: number[] = [];
    for (let index = 0; index < 4; index++) statuses.push((await fetch(site)).status);
    expect(statuses).toEqual([200, 200, 200, 503]);
    expect(fanfare.stats().connections).toBe(0);
  });

  test.each(["&sid=", "", "&%73id="])("with %j counts as a connect", async (more) => {
    const { port } = await serving({
      rates: { connectsPerAddress: 2 },
      trustedProxies: ["127.0.0.1", "::1"],
    });
    const site = `http://localhost:${port}/socket.io/?EIO=4&transport=polling${more}`;
    const statuses: number[] = [];
    for (let index = 0; index < 4; index++) {
      const answer = await fetch(site, { headers: { "X-Forwarded-For": "192.0.2.7" } });
      statuses.push(answer.status);
      if (answer.status === 429) expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
    }
    expect(statuses).toEqual([200, 200, 429, 429]);
  });

  test("is refused as Engine.IO does where it names another protocol, transport or session", async () => {
    const { port } = await serving();
    const site = `http://localhost:${port}/socket.io/`;
    const codeOf = async (query: string) =>
      ((await (await fetch(site + query)).json()) as { code: unknown }).code;
    expect(await codeOf("?EIO=3&transport=polling")).toBe(5);
    expect(await codeOf("?EIO=4&transport=POLLING")).toBe(0);
    expect(await codeOf("?EIO=4&transport=polling&sid=__proto__")).toBe(1);
    expect(await codeOf("?EIO=4&transport=websocket")).toBe(3);
    expect((await fetch(`${site}?EIO=4&transport=polling&t=abc&b64=1&x=y`)).status).toBe(200);
    expect((await fetch(`${site}?EIO=4&transport=polling`, { method: "DELETE" })).status).toBe(405);
    for (const query of ["?EIO=3&transport=websocket", "?EIO=4&transport=polling"]) {
      const socket = new WebSocket(`ws://localhost:${port}/socket.io/${query}`);
      const error = await soon(new Promise<Error>((done) => socket.once("error", done)), "the refusal");
      expect(error.message).toContain("400");
    }
  });
});

describe("who does not say who it is", () => {
  test("is closed in time, by polling too, so that others get the place", async () => {
    const clock = new FakeClock();
    const server = await serving({ clock, limits: { connections: 500 } });
    const site = `http://localhost:${server.port}/socket.io/?EIO=4&transport=polling`;
    const open = async () => {
      const answer = await fetch(site);
      await answer.text();
      return answer.status;
    };
    for (let index = 0; index < 499; index += 10) {
      const some = Math.min(10, 499 - index);
      expect(new Set(await Promise.all(Array.from({ length: some }, open)))).toEqual(new Set([200]));
    }
    const idle = await raw(server);
    expect(await open()).toBe(503);
    await clock.forward(12_000, 1000);
    await idle.closed();
    expect(await open()).toBe(200);
    const client = await connect(`http://localhost:${server.port}`);
    expect(await ask(client, "subscribe", "a")).toMatchObject({ channel: "a" });
  });

  test("is not closed while an application takes its time to say who it is", async () => {
    const clock = new FakeClock();
    const asked = new Inbox<(user: { user: string; grants: [] }) => void>("questions");
    const authorize = () => new Promise<{ user: string; grants: [] }>((done) => asked.put(done));
    const server = await serving({ clock, access: "granted", authorize });
    const client = await raw(server);
    await clock.forward(9000, 1000);
    client.socket.send("40");
    const answer = await asked.next();
    await clock.forward(3000, 1000);
    answer({ user: "alice", grants: [] });
    expect(await client.heard.nextThat((text) => text.startsWith("4"))).toMatch(/^40\{/);
    await clock.forward(20_000, 1000);
    client.socket.send('421["subscribe","a"]');
    expect(await client.heard.nextThat((text) => text.startsWith("4"))).toMatch(/^431\[/);
  });
});

test("members that libraries add by themselves to what a client connects with are no reason to refuse it", async () => {
  const { port } = await serving();
  const auth = { pid: "a-session-of-another-server", offset: "12", anything: [1] };
  const { socket } = await connect(`http://localhost:${port}`, { auth, query: { token: "x", EIO: "4" } });
  expect(socket.recovered).toBeFalsy();
});

test("a client that disconnects while it is looked at is closed then, and not in half a minute", async () => {
  const server = await serving();
  const client = await connected(server);
  // Nothing is read from it while its token is looked at, not even its own close frame.
  client.socket.send('42["token","a token"]');
  client.socket.send("41");
  client.socket.send('42["subscribe","a"]');
  expect(await client.closed()).toEqual(expect.any(Number));
});
