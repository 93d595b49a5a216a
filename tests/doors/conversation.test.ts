import { CLOSE, ERRORS } from "@fanfare/protocol";
import { describe, expect, test } from "vitest";
import { Client, refused } from "./client.js";
import { serve } from "./serving.js";
import { until } from "./waiting.js";

describe("connecting", () => {
  test("is answered with a name, a secret, and how often to ping", async () => {
    const { url } = await serve();
    const client = await Client.open(url);
    expect(await client.connect()).toEqual({
      type: "connected",
      connection: expect.stringMatching(/^[\w-]{16}$/),
      session: expect.stringMatching(/^[\w-]{22}$/),
      resumed: false,
      ping: 15,
    });
  });

  test("takes the sub-protocol fanfare.v1 also from among others, and says so", async () => {
    const { url } = await serve();
    expect((await Client.connect(url)).ws.protocol).toBe("fanfare.v1");
    expect((await Client.connect(url, { protocols: ["mqtt", "fanfare.v1"] })).ws.protocol).toBe("fanfare.v1");
  });

  test("needs no sub-protocol", async () => {
    const { url } = await serve();
    expect((await Client.connect(url, { protocols: [] })).ws.protocol).toBe("");
  });

  test("is refused to a client that speaks other sub-protocols only", async () => {
    const { url, log } = await serve();
    const { status, headers, problem } = await refused(url, { protocols: ["mqtt", "fanfare.v2"] });
    expect(status).toBe(400);
    expect(headers["content-type"]).toBe("application/problem+json");
    expect(problem).toMatchObject({ code: "invalid_request", remedy: expect.stringContaining("fanfare.v1") });
    expect(problem.detail).toContain("mqtt,fanfare.v2");
    expect(log.about("upgrade refused")).toHaveLength(1);
  });

  test("never compresses, even where the client offers to", async () => {
    const { url } = await serve();
    expect((await Client.connect(url, { perMessageDeflate: true })).ws.extensions).toBe("");
  });

  test("is refused to a page of another origin, with the setting to change", async () => {
    const { url, log } = await serve();
    const { status, problem } = await refused(url, { origin: "https://evil.example" });
    expect(status).toBe(403);
    expect(problem).toMatchObject({
      code: "origin_not_allowed",
      detail: expect.stringContaining("https://evil.example"),
      remedy: expect.stringContaining("allowedOrigins"),
    });
    expect(log.about("upgrade refused")[0]?.message).toContain("https://evil.example");
  });

  test("is possible for a page of the same origin, and of one that is allowed", async () => {
    const { url, port } = await serve({ allowedOrigins: ["https://app.example"] });
    await Client.connect(url, { origin: `http://localhost:${port}` });
    await Client.connect(url, { origin: "https://app.example" });
  });

  test("by another host name is refused where only this machine is answered", async () => {
    const { url } = await serve({ loopbackOnly: true });
    const { status, problem } = await refused(url, { headers: { host: "rebound.example" } });
    expect(status).toBe(421);
    expect(problem).toMatchObject({
      code: "host_not_allowed",
      detail: expect.stringContaining("rebound.example"),
    });
    await Client.connect(url);
  });

  test("is refused with 503 and Retry-After when there are as many connections as there may be", async () => {
    const { url } = await serve({ limits: { connections: 2 } });
    const [first] = await Promise.all([Client.connect(url), Client.open(url)]);
    const { status, headers, problem } = await refused(url);
    expect(status).toBe(503);
    expect(headers["retry-after"]).toBe("10");
    expect(problem).toMatchObject({ code: "too_many_connections", detail: expect.stringContaining("2") });
    await first.leave();
    await until(() => first.ws.readyState === first.ws.CLOSED, "the first has left");
    const third = await Client.open(url).catch(() => Client.open(url));
    await third.connect();
  });

  test("brings the channels that the server subscribes by itself, from the positions in connect", async () => {
    const { url, fanfare } = await serve({ rules: [{ channels: "broadcast", auto: true }] });
    const { epoch } = await fanfare.position("broadcast");
    await fanfare.publish("broadcast", "missed");
    const client = await Client.open(url);
    await client.connect({ since: [{ channel: "broadcast", epoch, offset: 0 }] });
    expect(await client.answers.next()).toEqual({
      type: "subscribed",
      channel: "broadcast",
      epoch,
      offset: 0,
      head: 1,
      recovered: true,
    });
    expect(await client.deliveries.next()).toMatchObject({ data: "missed", offset: 1 });
    expect(client.heard[0]?.type).toBe("connected");
  });
});

describe("a frame that is not part of the protocol closes with 4400 and a sentence:", () => {
  const malformed: [string, string | object, string][] = [
    ["no JSON", "hello", 'a frame must be JSON, not "hello"'],
    ["nothing", "", 'a frame must be JSON, not ""'],
    ["half of a frame", '{"type": "ping"', "must be JSON"],
    ["an array", "[]", "a frame must be a JSON object"],
    ["a number", "17", "a frame must be a JSON object"],
    ["null", "null", "a frame must be a JSON object"],
    ["no type", {}, 'a frame needs a "type"'],
    ["a type that is no text", { type: 4 }, 'a frame needs a "type"'],
    ["a type by inheritance only", '{"__proto__": {"type": "ping"}}', 'a frame needs a "type"'],
    ["an unknown type", { type: "dance" }, 'unknown frame type "dance"'],
    ["a type that objects inherit", { type: "constructor" }, 'unknown frame type "constructor"'],
    ["__proto__ as type", { type: "__proto__" }, 'unknown frame type "__proto__"'],
    ["a frame of the server", { type: "pong" }, 'unknown frame type "pong"'],
    ["a second connect", { type: "connect" }, "a second connect frame"],
    ["a subscribe without id", { type: "subscribe", channel: "a" }, "subscribe frame: id:"],
    ["a negative id", { type: "subscribe", id: -1, channel: "a" }, "subscribe frame: id:"],
    ["a fractional id", { type: "subscribe", id: 1.5, channel: "a" }, "subscribe frame: id:"],
    [
      "an id beyond 2^53 − 1",
      '{"type":"subscribe","id":9007199254740992,"channel":"a"}',
      "subscribe frame: id:",
    ],
    ["a text as id", { type: "unsubscribe", id: "1", channel: "a" }, "unsubscribe frame: id:"],
    ["a subscribe without channel", { type: "subscribe", id: 1 }, "subscribe frame: channel:"],
    ["a channel that is no text", { type: "subscribe", id: 1, channel: ["a"] }, "subscribe frame: channel:"],
    [
      "a position without offset",
      { type: "subscribe", id: 1, channel: "a", since: { epoch: "0123456789abcdef" } },
      "subscribe frame: since.offset:",
    ],
    [
      "a position without a valid epoch",
      { type: "subscribe", id: 1, channel: "a", since: { epoch: "XYZ", offset: 0 } },
      "subscribe frame: since.epoch:",
    ],
    ["an empty batch", { type: "subscribe", id: 1, channels: [] }, "subscribe frame: channels:"],
    [
      "a batch of 1,001",
      { type: "subscribe", id: 1, channels: Array.from({ length: 1001 }, (_, i) => ({ channel: `c${i}` })) },
      "subscribe frame: channels:",
    ],
    ["a batch that is no list", { type: "subscribe", id: 1, channels: "a" }, "subscribe frame: channels:"],
    ["a batch with a wrong item", { type: "subscribe", id: 1, channels: [{}] }, "channels.0.channel:"],
    ["a publish without channel", { type: "publish", id: 1, data: 1 }, "publish frame: channel:"],
    ["a publish with a number as key", { type: "publish", id: 1, channel: "a", data: 1, key: 1 }, "key:"],
    ["a publish without data", { type: "publish", id: 1, channel: "a" }, "publish frame: data:"],
    ["a lock without name", { type: "lock", id: 1 }, "lock frame: name:"],
    ["an unlock without token", { type: "unlock", id: 1, name: "a" }, "unlock frame: token:"],
    ["a next with a text as count", { type: "next", id: 1, name: "a", count: "2" }, "next frame: count:"],
  ];

  test("each of them", async () => {
    const { url, log } = await serve({ access: "open" });
    for (const [what, frame, reason] of malformed) {
      const client = await Client.connect(url);
      client.say(frame);
      const closed = await client.closed;
      expect(closed, what).toEqual({ code: CLOSE.malformed.code, reason: expect.stringContaining(reason) });
      expect(Buffer.byteLength(closed.reason), what).toBeLessThanOrEqual(123);
    }
    expect(log.lines.filter(({ level }) => level === "error")).toEqual([]);
  });

  test("a binary frame, even one that holds the text of a frame", async () => {
    const { url } = await serve();
    const client = await Client.connect(url);
    client.ws.send(Buffer.from('{"type":"ping"}'), { binary: true });
    expect(await client.closed).toEqual({
      code: 4400,
      reason: "binary frames are not part of the protocol",
    });
  });

  test.each(["ping", "subscribe", "publish", "unsubscribe"])("a %s before connect", async (type) => {
    const { url } = await serve({ access: "open" });
    const client = await Client.open(url);
    client.say({ type, id: 1, channel: "a", data: 1 });
    expect(await client.closed).toEqual({ code: 4400, reason: `a ${type} frame before connect` });
  });

  test("a connect with fields of a wrong form", async () => {
    const { url } = await serve();
    for (const fields of [{ session: 1 }, { session: "x".repeat(201) }, { since: {} }, { since: [{}] }]) {
      const client = await Client.open(url);
      client.say({ type: "connect", ...fields });
      expect(await client.closed).toMatchObject({
        code: 4400,
        reason: expect.stringMatching(/^connect frame: s/),
      });
    }
  });
});

describe("a conversation", () => {
  test("ignores fields that are not described", async () => {
    const { url } = await serve({ access: "open" });
    const client = await Client.open(url);
    await client.connect({ token: "t", csrf: "c", colour: "blue", constructor: 1 });
    expect(await client.ask({ type: "subscribe", channel: "a", colour: { deep: [1] } })).toMatchObject({
      type: "subscribed",
    });
    expect(
      await client.ask({ type: "publish", channel: "a", data: 1, user: "root", offset: 99 }),
    ).toMatchObject({
      type: "ok",
      offset: 1,
    });
    const message = await client.deliveries.next();
    expect(message).toEqual({
      type: "message",
      channel: "a",
      offset: 1,
      time: expect.any(Number),
      event: "message",
      data: 1,
    });
  });

  test("answers ping by pong", async () => {
    const { url } = await serve();
    const client = await Client.connect(url);
    await client.alive();
    await client.alive();
  });

  test("names the channel that is none, and lives on", async () => {
    const { url } = await serve();
    const client = await Client.connect(url);
    for (const [channel, why] of [
      ["a b", `the character " " at 1`],
      ["", "empty"],
      ["$own:x", "Fanfare's own"],
      ["a::b", "segment"],
      ["x".repeat(201), "201 characters"],
    ]) {
      for (const type of ["subscribe", "unsubscribe"]) {
        expect(await client.ask({ type, channel })).toEqual({
          type: "error",
          id: expect.any(Number),
          channel,
          code: "invalid_channel",
          message: expect.stringContaining(String(why)),
          remedy: ERRORS.invalid_channel.remedy,
        });
      }
    }
    await client.alive();
  });

  test("refuses a second subscription to a channel, and the first goes on", async () => {
    const { url, fanfare } = await serve();
    const client = await Client.connect(url);
    await client.subscribe("a");
    expect(await client.ask({ type: "subscribe", channel: "a" })).toMatchObject({
      type: "error",
      channel: "a",
      code: "already_subscribed",
    });
    await fanfare.publish("a", 1);
    expect(await client.offsets(1)).toEqual([1]);
  });

  test("refuses to unsubscribe from what is not subscribed", async () => {
    const { url } = await serve();
    const client = await Client.connect(url);
    expect(await client.ask({ type: "unsubscribe", channel: "a" })).toMatchObject({
      type: "error",
      channel: "a",
      code: "not_subscribed",
    });
    await client.alive();
  });

  test("refuses more subscriptions than a connection may have; giving one up makes room", async () => {
    const { url } = await serve({ limits: { subscriptionsPerConnection: 2 } });
    const client = await Client.connect(url);
    await client.subscribe("a");
    await client.subscribe("b");
    expect(await client.ask({ type: "subscribe", channel: "c" })).toMatchObject({
      code: "too_many_subscriptions",
      remedy: expect.stringContaining("limits.subscriptionsPerConnection"),
    });
    await client.ask({ type: "unsubscribe", channel: "a" });
    await client.subscribe("c");
  });

  test("answers each channel of a batch with the batch's id, then says ok; one error does not touch the others", async () => {
    const { url, fanfare } = await serve();
    const { epoch } = await fanfare.position("b");
    await fanfare.publish("b", "missed");
    const client = await Client.connect(url);
    await client.subscribe("c");
    client.say({
      type: "subscribe",
      id: 77,
      channels: [
        { channel: "a" },
        { channel: "not a name" },
        { channel: "b", since: { epoch, offset: 0 } },
        { channel: "c" },
        { channel: "a" },
      ],
    });
    const answers = await client.answers.take(6);
    expect(answers.at(-1)).toEqual({ type: "ok", id: 77 });
    expect(answers.every(({ id }) => id === 77)).toBe(true);
    const said = answers
      .slice(0, 5)
      .map((answer) =>
        answer.type === "error"
          ? `${answer.channel}: ${answer.code}`
          : answer.type === "subscribed"
            ? `${answer.channel}: ${answer.recovered}`
            : "",
      );
    expect(said.sort()).toEqual([
      "a: already_subscribed",
      "a: false",
      "b: true",
      "c: already_subscribed",
      "not a name: invalid_channel",
    ]);
    expect(await client.deliveries.next()).toMatchObject({ channel: "b", data: "missed" });
    await fanfare.publish("a", "live");
    expect(await client.deliveries.next()).toMatchObject({ channel: "a", data: "live" });
  });

  test("takes a batch of 1,000", async () => {
    const { url, fanfare } = await serve();
    const client = await Client.connect(url);
    const channels = Array.from({ length: 1000 }, (_, index) => ({ channel: `c:${index}` }));
    client.say({ type: "subscribe", id: 0, channels });
    const answers = await client.answers.take(1001);
    expect(answers.pop()).toEqual({ type: "ok", id: 0 });
    expect(new Set(answers.map((answer) => (answer.type === "subscribed" ? answer.channel : ""))).size).toBe(
      1000,
    );
    await fanfare.publish("c:999", "there");
    expect(await client.deliveries.next()).toMatchObject({ channel: "c:999", data: "there" });
  });

  test("answers 1,000 refusals of one batch, and the ok comes last", async () => {
    const { url } = await serve();
    const client = await Client.connect(url);
    client.say({ type: "subscribe", id: 5, channels: Array.from({ length: 1000 }, () => ({ channel: "" })) });
    const answers = await client.answers.take(1001);
    expect(answers.pop()).toEqual({ type: "ok", id: 5 });
    expect(answers.every(({ type }) => type === "error")).toBe(true);
    await client.alive();
  });
});

describe("the state", () => {
  test("comes with the subscription, and each change after it", async () => {
    const { url, fanfare } = await serve();
    await fanfare.setState("job:7", { done: 1, of: 3 });
    const client = await Client.connect(url);
    expect(await client.ask({ type: "subscribe", channel: "job:7" })).toMatchObject({
      offset: 1,
      state: { done: 1, of: 3 },
      stateOffset: 1,
    });
    await fanfare.patch("job:7", { done: 2, of: null });
    expect(await client.others.nextThat(({ type }) => type === "state")).toEqual({
      type: "state",
      channel: "job:7",
      from: 1,
      offset: 2,
      patch: { done: 2, of: null },
    });
    await fanfare.removeState("job:7");
    expect(await client.others.nextThat(({ type }) => type === "state")).toEqual({
      type: "state",
      channel: "job:7",
      from: 2,
      offset: 3,
      value: null,
    });
  });

  test("comes to who asks for it, though nothing was missed", async () => {
    const { url, fanfare } = await serve();
    const { channel, ...since } = await fanfare.setState("job:7", { done: 1 });
    const client = await Client.connect(url);
    expect(await client.ask({ type: "subscribe", channel, since, state: true })).toMatchObject({
      recovered: true,
      state: { done: 1 },
    });
  });

  test("is patched by a client that may, on the version that it expects", async () => {
    const { url, fanfare } = await serve({ access: "open" });
    const client = await Client.connect(url);
    const patch = (members: object) => client.ask({ type: "patch", channel: "job:7", ...members });
    const first = await patch({ patch: { done: 1 }, ifVersion: null });
    expect(first).toMatchObject({ type: "ok", channel: "job:7", offset: 1 });
    expect(await patch({ patch: { done: 2 }, ifVersion: null })).toMatchObject({
      type: "error",
      code: "version_mismatch",
    });
    expect(await patch({ patch: [1] })).toMatchObject({ type: "error", code: "invalid_value" });
    const keyed = { patch: { done: 3 }, key: "k" };
    expect(await patch(keyed)).toMatchObject({ type: "ok", offset: 2 });
    expect(await patch(keyed)).toMatchObject({ type: "ok", offset: 2 });
    expect(await fanfare.state("job:7")).toMatchObject({ offset: 2, state: { done: 3 } });
  });

  test("is not patched by a client that may not, which is disconnected", async () => {
    const { url } = await serve({ access: "listen" });
    const client = await Client.connect(url);
    client.say({ type: "patch", id: 1, channel: "a", patch: {} });
    const { code, reason } = await client.closed;
    expect(code).toBe(4403);
    expect(reason).toContain("lacks the action patch on a");
  });
});

describe("publishing", () => {
  test("is answered by the message's position, where everybody may", async () => {
    const { url, fanfare } = await serve({ access: "open" });
    const client = await Client.connect(url);
    await client.subscribe("chat");
    const { epoch } = await fanfare.position("chat");
    const answer = await client.ask({
      type: "publish",
      channel: "chat",
      event: "said",
      data: { text: "hi" },
      key: "k",
    });
    expect(answer).toEqual({ type: "ok", id: expect.any(Number), channel: "chat", epoch, offset: 1 });
    expect(await client.deliveries.next()).toMatchObject({
      event: "said",
      data: { text: "hi" },
      id: "k",
      offset: 1,
    });
  });

  test("twice with one key appends once; another message with that key is refused", async () => {
    const { url, fanfare } = await serve({ access: "open" });
    const client = await Client.connect(url);
    const frame = { type: "publish", channel: "chat", data: 1, key: "same" };
    const first = await client.ask(frame);
    expect(await client.ask(frame)).toMatchObject({ ...first, id: expect.any(Number) });
    expect(await client.ask({ ...frame, data: 2 })).toMatchObject({ type: "error", code: "key_reused" });
    expect((await fanfare.position("chat")).offset).toBe(1);
    await client.alive();
  });

  test.each([
    [
      "a number that is not exact",
      '{"type":"publish","id":1,"channel":"a","data":9007199254740993}',
      "invalid_value",
    ],
    ["an endless number", '{"type":"publish","id":1,"channel":"a","data":1e999}', "invalid_value"],
    ["33 levels", { data: JSON.parse("[".repeat(33) + "]".repeat(33)) as unknown }, "invalid_value"],
    ["an event of 201 characters", { data: 1, event: "x".repeat(201) }, "invalid_request"],
    ["an empty key", { data: 1, key: "" }, "invalid_request"],
    ["no channel name", { data: 1, channel: "a b" }, "invalid_channel"],
  ])("%s is refused, and the connection lives on", async (_, frame, code) => {
    const { url } = await serve({ access: "open" });
    const client = await Client.connect(url);
    client.say(typeof frame === "string" ? frame : { type: "publish", id: 1, channel: "a", ...frame });
    expect(await client.answers.next()).toMatchObject({ type: "error", id: 1, code });
    await client.alive();
  });

  test("data over the limit closes with 4413", async () => {
    const { url } = await serve({ access: "open", limits: { messageBytes: 1000 } });
    const client = await Client.connect(url);
    expect(await client.ask({ type: "publish", channel: "a", data: "x".repeat(998) })).toMatchObject({
      type: "ok",
    });
    client.say({ type: "publish", id: 9, channel: "a", data: "x".repeat(999) });
    expect(await client.closed).toEqual({ code: 4413, reason: expect.stringContaining("1001 bytes") });
  });

  test("where clients may only listen closes with 4403, naming the action", async () => {
    const { url } = await serve();
    const client = await Client.connect(url);
    client.say({ type: "publish", id: 1, channel: "a", data: 1 });
    expect(await client.closed).toEqual({
      code: 4403,
      reason: expect.stringContaining("lacks the action publish on a"),
    });
  });
});

describe("an error of the server's own", () => {
  test("closes with 1011, is logged, and harms nobody else", async () => {
    const { MemoryEngine } = await import("../../packages/server/src/engine/memory-engine.js");
    class Broken extends MemoryEngine {
      override append(): never {
        throw new TypeError("a bug");
      }
    }
    const { systemClock, systemRandom } = await import("../../packages/server/src/clock.js");
    const engine = new Broken({ clock: systemClock, random: systemRandom, allowIsolated: true });
    const { url, log } = await serve({ access: "open", engine });
    const [client, other] = await Promise.all([Client.connect(url), Client.connect(url)]);
    client.say({ type: "publish", id: 1, channel: "a", data: 1 });
    expect(await client.closed).toMatchObject({ code: 1011, reason: expect.stringContaining("log") });
    expect(log.lines.filter(({ level }) => level === "error")).toMatchObject([
      { fields: { err: expect.objectContaining({ message: "a bug" }) } },
    ]);
    await other.alive();
  });
});
