import { CLOSE } from "@fanfare/protocol";
import { describe, expect, test } from "vitest";
import { Client } from "./client.js";
import { serve } from "./serving.js";

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
    [
      "a subscribe without the number of the request",
      { type: "subscribe", channel: "a" },
      "subscribe frame: request:",
    ],
    ["a negative number", { type: "subscribe", request: -1, channel: "a" }, "subscribe frame: request:"],
    ["a fractional number", { type: "subscribe", request: 1.5, channel: "a" }, "subscribe frame: request:"],
    [
      "a number beyond 2^53 − 1",
      '{"type":"subscribe","request":9007199254740992,"channel":"a"}',
      "subscribe frame: request:",
    ],
    ["a text as number", { type: "unsubscribe", request: "1", channel: "a" }, "unsubscribe frame: request:"],
    ["a subscribe without channel", { type: "subscribe", request: 1 }, "subscribe frame: channel:"],
    [
      "a channel that is no text",
      { type: "subscribe", request: 1, channel: ["a"] },
      "subscribe frame: channel:",
    ],
    [
      "a position without offset",
      { type: "subscribe", request: 1, channel: "a", since: { epoch: "0123456789abcdef" } },
      "subscribe frame: since.offset:",
    ],
    [
      "a position without a valid epoch",
      { type: "subscribe", request: 1, channel: "a", since: { epoch: "XYZ", offset: 0 } },
      "subscribe frame: since.epoch:",
    ],
    ["an empty batch", { type: "subscribe", request: 1, channels: [] }, "subscribe frame: channels:"],
    [
      "a batch of 1,001",
      {
        type: "subscribe",
        request: 1,
        channels: Array.from({ length: 1001 }, (_, i) => ({ channel: `c${i}` })),
      },
      "subscribe frame: channels:",
    ],
    [
      "a batch that is no list",
      { type: "subscribe", request: 1, channels: "a" },
      "subscribe frame: channels:",
    ],
    ["a batch with a wrong item", { type: "subscribe", request: 1, channels: [{}] }, "channels.0.channel:"],
    ["a publish without channel", { type: "publish", request: 1, data: 1 }, "publish frame: channel:"],
    ["a publish with a number as id", { type: "publish", request: 1, channel: "a", data: 1, id: 1 }, "id:"],
    ["a publish without data", { type: "publish", request: 1, channel: "a" }, "publish frame: data:"],
    ["a lock without name", { type: "lock", request: 1 }, "lock frame: name:"],
    ["an unlock without token", { type: "unlock", request: 1, name: "a" }, "unlock frame: token:"],
    [
      "a next with a text as count",
      { type: "next", request: 1, name: "a", count: "2" },
      "next frame: count:",
    ],
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

  test("a frame that is too large, which is counted as such", async () => {
    const { url, http } = await serve({ access: "open" });
    const client = await Client.connect(url);
    client.ws.send("x".repeat(10_000_000));
    expect(await client.closed).toMatchObject({ code: CLOSE.frameTooBig.code });
    const figures = await (await fetch(`${http}/metrics`)).text();
    expect(figures).toContain('fanfare_packets_refused_total{reason="too_large"} 1\n');
    expect(figures).toContain('fanfare_packets_refused_total{reason="malformed"} 0\n');
  });

  test.each(["ping", "subscribe", "publish", "unsubscribe"])("a %s before connect", async (type) => {
    const { url } = await serve({ access: "open" });
    const client = await Client.open(url);
    client.say({ type, request: 1, channel: "a", data: 1 });
    expect(await client.closed).toEqual({ code: 4400, reason: `a ${type} frame before connect` });
  });

  const positionsOf = (count: number) =>
    Array.from({ length: count }, (_, n) => ({ channel: `c${n}`, epoch: "0123456789abcdef", offset: n }));

  test("a connect with fields of a wrong form", async () => {
    const { url } = await serve();
    const tooMany = { since: positionsOf(1001) };
    const noText = { since: [{ ...positionsOf(1)[0], channel: 1 }] };
    const wrong = [{ session: 1 }, { session: "x".repeat(201) }, { since: {} }, { since: [{}] }];
    for (const fields of [...wrong, tooMany, noText]) {
      const client = await Client.open(url);
      client.say({ type: "connect", ...fields });
      expect(await client.closed).toMatchObject({
        code: 4400,
        reason: expect.stringMatching(/^connect frame: s/),
      });
    }
  });

  test("but not a connect with as many positions as there may be, or a session of 200 characters", async () => {
    const { url } = await serve({ access: "open", limits: { messageBytes: 2 ** 20 } });
    for (const fields of [{ since: positionsOf(1000) }, { since: [] }, { session: "x".repeat(200) }]) {
      const client = await Client.open(url);
      expect(await client.connect(fields)).toMatchObject({ resumed: false });
    }
  });
});

test("a frame may have 32 KiB however small messages have to be; of a publish only its message counts", async () => {
  const { url } = await serve({ access: "open", limits: { messageBytes: 1000 } });
  const client = await Client.connect(url);
  const taken = { type: "subscribe", channel: "a", padding: "x".repeat(32_000) };
  expect(await client.ask(taken)).toMatchObject({ type: "subscribed" });
  const padding = "x".repeat(33_000);
  for (const change of [
    { type: "publish", data: 1 },
    { type: "patch", patch: { a: 1 } },
  ]) {
    expect(await client.ask({ ...change, channel: "a", padding })).toMatchObject({ type: "ok" });
  }
  client.say({ type: "subscribe", request: 9, channel: "b", padding });
  expect(await client.closed).toMatchObject({ code: CLOSE.tooBig.code });
});
