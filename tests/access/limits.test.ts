import { describe, expect, test } from "vitest";
import type { FanfareOptions } from "../../packages/server/src/index.js";
import { FakeClock, turns } from "../../packages/server/src/testing/fake-clock.js";
import { Client, refused } from "../doors/client.js";
import { serve } from "../doors/serving.js";
import { ask, connect } from "../doors/socketio-client.js";
import { post } from "../library/serve.js";

const KEY = "0123456789-the-key";

/** The test's own clients come as if through a proxy that says who they are. */
async function serving(options: FanfareOptions = {}) {
  const clock = new FakeClock();
  const served = await serve({
    clock,
    access: "open",
    apiKeys: [KEY],
    trustedProxies: ["127.0.0.1", "::1"],
    ...options,
  });
  const from = (address: string) => ({ headers: { "X-Forwarded-For": address } });
  const publish = (headers: Record<string, string>) =>
    post(`${served.http}/channels/a/messages`, { data: 1 }, headers);
  return { ...served, clock, from, publish };
}

describe("connections from one address", () => {
  test("are refused with 429 when there are too many at once, while others come in", async () => {
    const { url, from, clock, log } = await serving({ rates: { connectsPerAddress: 2 } });
    const flooding = from("192.0.2.1");
    for (let count = 0; count < 2; count++) await Client.connect(url, flooding);
    const { status, headers, problem } = await refused(url, flooding);
    expect([status, problem.code]).toEqual([429, "rate_limited"]);
    expect(Number(headers["retry-after"])).toBeGreaterThanOrEqual(9);
    expect(problem.remedy).toContain("rates.connectsPerAddress");
    expect(log.about("upgrade refused")).toHaveLength(1);
    await Client.connect(url, from("192.0.2.2"));
    clock.advance(10_001);
    await Client.connect(url, flooding);
  });

  test("count by the address that the proxy saw, not by what the client claims", async () => {
    const { url } = await serving({ rates: { connectsPerAddress: 1 } });
    const claiming = (claimed: string) => ({ headers: { "X-Forwarded-For": `${claimed}, 192.0.2.1` } });
    await Client.connect(url, claiming("198.51.100.1"));
    expect((await refused(url, claiming("198.51.100.2"))).status).toBe(429);
  });
});

describe("reading", () => {
  const LARGE = "x".repeat(60_000);

  test("counts by what it costs: one large history uses up what hundreds of small ones would", async () => {
    const { http, fanfare, clock } = await serving({ rates: { readsPerAddress: 20 } });
    for (let count = 0; count < 16; count++) await fanfare.publish("large", LARGE);
    await fanfare.publish("small", "x");
    const read = async (channel: string, address = "192.0.2.1") => {
      const answer = await fetch(`${http}/channels/${channel}/messages`, {
        headers: { "X-Forwarded-For": address },
      });
      await answer.text();
      return answer;
    };
    // 1 for the call, and 14 for 16 times 60,000 bytes.
    expect((await read("large")).status).toBe(200);
    for (let count = 0; count < 4; count++) expect((await read("small")).status).toBe(200);
    expect((await read("small")).status).toBe(200);
    const refusal = await read("small");
    expect([refusal.status, Number(refusal.headers.get("retry-after")) >= 9]).toEqual([429, true]);
    expect(await read("large", "192.0.2.2")).toMatchObject({ status: 200 });
    clock.advance(10_001);
    expect((await read("small")).status).toBe(200);
  });

  test("of states and lists of members counts as well, and API keys read as much as they like", async () => {
    const { http, fanfare } = await serving({
      rates: { readsPerAddress: 2 },
      rules: [{ channels: "room", presence: true }],
    });
    await fanfare.states.set("room", { large: LARGE });
    const read = async (what: string, headers: Record<string, string>) =>
      (await fetch(`${http}/channels/room/${what}`, { headers })).status;
    for (const [what, address] of [
      ["state", "192.0.2.1"],
      ["presence", "192.0.2.2"],
      ["messages", "192.0.2.3"],
    ] as const) {
      const anonymous = { "X-Forwarded-For": address };
      expect([await read(what, anonymous), await read(what, anonymous), await read(what, anonymous)]).toEqual(
        [200, 200, 429],
      );
      expect(await read(what, { ...anonymous, Authorization: `Bearer ${KEY}` })).toBe(200);
    }
  });
});

describe("writing", () => {
  const LARGE = "x".repeat(50_000);
  const SERVICES = { socketio: { services: ["orders"] } };

  // Each of the calls counts as 4 or more: 1, and 3 for 3 times 16 KiB.
  test.each([
    ["POST", "/push/channels/a/messages", { data: LARGE }],
    ["POST", "/push/messages", { messages: [{ channel: "a", data: LARGE }] }],
    ["POST", "/push/messages", { channels: ["a"], data: LARGE }],
    ["PUT", "/push/channels/a/state", { large: LARGE }],
    ["PATCH", "/push/channels/large/state", { n: 1 }],
    ["PATCH", "/push/channels/large/state", { more: LARGE }],
    ["POST", "/orders", { large: LARGE }],
  ])("counts by what it costs: %s %s", async (method, path, body) => {
    const { http, fanfare } = await serving({ rates: { publishesPerAddress: 6 }, ...SERVICES });
    await fanfare.states.set("large", { large: LARGE });
    const call = async () => {
      const headers = { "X-Forwarded-For": "192.0.2.1", "Content-Type": "application/json" };
      const answer = await fetch(new URL(path, http), { method, headers, body: JSON.stringify(body) });
      await answer.text();
      return answer.status;
    };
    const first = await call();
    if (!JSON.stringify(body).includes("more")) expect(first).toBeLessThan(300);
    await call();
    expect(await call()).toBe(429);
  });

  test("of what has less than 16 KiB counts as one call", async () => {
    const { publish } = await serving({ rates: { publishesPerAddress: 6 } });
    const answers = [];
    for (let count = 0; count < 7; count++)
      answers.push((await publish({ "X-Forwarded-For": "192.0.2.1" })).status);
    expect(answers).toEqual([201, 201, 201, 201, 201, 201, 429]);
  });

  test.each([
    { type: "publish", channel: "a", data: LARGE },
    { type: "patch", channel: "large", patch: { n: 1 } },
  ])("counts by what it costs for the frame $type, by connection and by address", async (frame) => {
    for (const rate of ["publishesPerConnection", "publishesPerAddress"] as const) {
      const { url, fanfare, from } = await serving({ rates: { [rate]: 6 } });
      await fanfare.states.set("large", { large: LARGE });
      const client = await Client.connect(url, from("192.0.2.1"));
      const answers = [];
      for (let count = 0; count < 3; count++) answers.push((await client.ask(frame)).type);
      expect(answers.at(0)).toBe("ok");
      expect(answers.at(-1)).toBe("error");
      expect(client.heard.at(-1)).toMatchObject({
        code: "rate_limited",
        message: expect.stringContaining(rate),
      });
    }
  });

  test.each([
    ["publish", { channel: "a", data: LARGE }],
    ["patch", { channel: "large", patch: { n: 1 } }],
    ["create", "orders", { large: LARGE }],
  ])("counts by what it costs for the event %s", async (...event) => {
    const { port, fanfare } = await serving({ rates: { publishesPerConnection: 6 }, ...SERVICES });
    await fanfare.states.set("large", { large: LARGE });
    const client = await connect(`http://localhost:${port}`, {
      extraHeaders: { "X-Forwarded-For": "192.0.2.1" },
    });
    const [name, ...args] = event;
    for (let count = 0; count < 2; count++) await ask(client, name, ...args);
    expect(JSON.stringify(await ask(client, name, ...args))).toContain("publishesPerConnection");
  });

  test("of an API key is not counted", async () => {
    const { http, fanfare } = await serving({ rates: { publishesPerAddress: 1, publishesPerConnection: 1 } });
    for (let count = 0; count < 5; count++) {
      const answer = await post(
        `${http}/channels/a/messages`,
        { data: LARGE },
        { Authorization: `Bearer ${KEY}` },
      );
      expect(answer.status).toBe(201);
    }
    expect((await fanfare.position("a")).offset).toBe(5);
  });
});

describe("a user", () => {
  test("who connects too often is told when to come back, and closed with 4429", async () => {
    const { url } = await serving({
      rates: { connectsPerUser: 1 },
      authorize: ({ token }) => (token === undefined ? null : { user: token, grants: [] }),
    });
    const alice = await Client.open(url);
    await alice.connect({ token: "alice" });
    const again = await Client.open(url);
    again.say({ type: "connect", token: "alice" });
    expect(await again.answers.next()).toMatchObject({
      code: "rate_limited",
      retryAfterSeconds: expect.any(Number),
    });
    expect(await again.closed).toMatchObject({ code: 4429 });
    await (await Client.open(url)).connect({ token: "bob" });
    await alice.alive();
  });
});

describe("a connection over its rate", () => {
  test.each([
    ["framesPerConnection", { type: "unsubscribe", channel: "b" }],
    ["subscriptionsPerConnection", { type: "subscribe", channel: "a b" }],
    ["publishesPerConnection", { type: "publish", channel: "a", data: 1 }],
    ["publishesPerConnection", { type: "patch", channel: "a", patch: { n: 1 } }],
  ])("of %s is told so, and lives on when it slows down", async (name, frame) => {
    const { url, clock } = await serving({ rates: { [name]: 3 } });
    const client = await Client.connect(url);
    for (let count = 0; count < 3; count++) {
      expect(await client.ask(frame)).not.toMatchObject({ code: "rate_limited" });
    }
    const refusal = await client.ask(frame);
    expect(refusal).toMatchObject({
      type: "error",
      code: "rate_limited",
      remedy: expect.stringContaining(name),
    });
    clock.advance(10_000);
    expect(await client.ask(frame)).not.toMatchObject({ code: "rate_limited" });
  });

  test("is closed with 4429 when it is still over it after 10 seconds, and others live on", async () => {
    const { url, clock, log } = await serving({ rates: { framesPerConnection: 5 } });
    const other = await Client.connect(url);
    const client = await Client.connect(url);
    for (let second = 0; second <= 10; second++) {
      for (let count = 0; count < 10; count++)
        client.say({ type: "unsubscribe", request: count, channel: "a" });
      await client.answers.take(10).catch(() => {});
      await clock.forward(1000);
    }
    expect(await client.closed).toMatchObject({
      code: 4429,
      reason: expect.stringContaining("framesPerConnection"),
    });
    expect(log.about("client sent away")).toHaveLength(1);
    await other.alive();
  });

  test("is told of each channel of a batch that was too much", async () => {
    const { url } = await serving({ rates: { subscriptionsPerConnection: 2 } });
    const client = await Client.connect(url);
    client.say({ type: "subscribe", request: 1, channels: ["a", "b", "c"].map((channel) => ({ channel })) });
    const answers = await client.answers.take(4);
    expect(
      answers.map((answer) => ("code" in answer ? `${answer.channel} ${answer.code}` : answer.type)).sort(),
    ).toEqual(["c rate_limited", "ok", "subscribed", "subscribed"]);
  });

  test("is not limited with an API key", async () => {
    const { url } = await serving({ rates: { framesPerConnection: 1, publishesPerConnection: 1 } });
    const client = await Client.open(url);
    await client.connect({ token: KEY });
    for (let count = 0; count < 5; count++) {
      expect(await client.ask({ type: "publish", channel: "a", data: 1 })).toMatchObject({ type: "ok" });
    }
  });
});

describe("over HTTP", () => {
  test("who publishes too much is answered 429 with Retry-After, while others and API keys go on", async () => {
    const { publish } = await serving({ rates: { publishesPerAddress: 2 } });
    const flooding = { "X-Forwarded-For": "192.0.2.1" };
    expect((await publish(flooding)).status).toBe(201);
    expect((await publish(flooding)).status).toBe(201);
    const answer = await publish(flooding);
    expect(answer.status).toBe(429);
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThanOrEqual(9);
    expect(await answer.json()).toMatchObject({
      code: "rate_limited",
      retryAfterSeconds: expect.any(Number),
    });
    expect((await publish({ "X-Forwarded-For": "192.0.2.2" })).status).toBe(201);
    expect((await publish({ ...flooding, Authorization: `Bearer ${KEY}` })).status).toBe(201);
  });

  test("the messages of a batch count one by one", async () => {
    const { http } = await serving({ rates: { publishesPerAddress: 3 } });
    const batch = (count: number) =>
      post(
        `${http}/messages`,
        { messages: Array.from({ length: count }, () => ({ channel: "a", data: 1 })) },
        { "X-Forwarded-For": "192.0.2.1" },
      );
    expect((await batch(3)).status).toBe(200);
    await turns();
    const answer = await batch(1);
    expect(answer.status).toBe(429);
    expect(answer.headers.has("retry-after")).toBe(true);
  });

  test("changes of a state count as publishes", async () => {
    const { http } = await serving({ rates: { publishesPerAddress: 1 } });
    const patch = () =>
      fetch(`${http}/channels/a/state`, {
        method: "PATCH",
        headers: { "X-Forwarded-For": "192.0.2.1" },
        body: '{"n": 1}',
      });
    expect((await patch()).status).toBe(200);
    expect((await patch()).status).toBe(429);
  });

  test("requests of all kinds are limited by address", async () => {
    const { http } = await serving({ rates: { framesPerAddress: 1 } });
    const read = () => fetch(`${http}/channels/a/messages`, { headers: { "X-Forwarded-For": "192.0.2.1" } });
    expect((await read()).status).toBe(200);
    expect((await read()).status).toBe(429);
  });
});

describe("log-ins", () => {
  test("that are refused are limited by address on every way in, and others come in", async () => {
    const { url, http, publish, from } = await serving({
      rates: { logInsPerAddress: 3 },
      tokens: { secrets: ["the-secret-of-the-tests-0123456789abcdef"] },
    });
    const guessing = { "X-Forwarded-For": "192.0.2.1", Authorization: "Bearer guess" };
    expect((await publish(guessing)).status).toBe(401);
    const client = await Client.open(url, from("192.0.2.1"));
    client.say({ type: "connect", token: "guess" });
    expect(await client.closed).toMatchObject({ code: 4401 });
    const explain = () =>
      post(`${http}/access/explain`, { action: "admin", token: "guess" }, { "X-Forwarded-For": "192.0.2.1" });
    expect((await explain()).status).toBe(200);
    expect((await explain()).status).toBe(429);
    expect((await publish(guessing)).status).toBe(429);
    // Not even with the right one, or guessing would go on.
    expect((await publish({ ...guessing, Authorization: `Bearer ${KEY}` })).status).toBe(429);
    const late = await Client.open(url, from("192.0.2.1"));
    late.say({ type: "connect", token: "guess" });
    expect(await late.closed).toMatchObject({ code: 4429 });
    expect((await publish({ Authorization: `Bearer ${KEY}` })).status).toBe(201);
  });
});

test("rates are taken over by a reload, and bad ones change nothing", async () => {
  const { url, fanfare } = await serving();
  const client = await Client.connect(url);
  expect(() => fanfare.reload({ access: "granted", rates: { framesPerConnection: -1 } })).toThrow(TypeError);
  fanfare.reload({ access: "open", rates: { framesPerConnection: 1 } });
  await client.alive();
  expect(await client.ask({ type: "unsubscribe", channel: "a" })).toMatchObject({ code: "rate_limited" });
});
