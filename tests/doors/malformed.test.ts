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
