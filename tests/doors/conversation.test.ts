import { ERRORS } from "@fanfare/protocol";
import { describe, expect, test } from "vitest";
import { MemoryEngine } from "../../packages/server/src/engine/memory/memory-engine.js";
import { changedEngine } from "../../packages/server/src/testing/changed-engine.js";
import { Client } from "./client.js";
import { serve } from "./serving.js";

describe("a conversation", () => {
  test("ignores fields that are not described", async () => {
    const { url } = await serve({ access: "open" });
    const client = await Client.open(url);
    await client.connect({ csrf: "c", colour: "blue", constructor: 1 });
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

  test("leaves many channels in one frame, which may be repeated", async () => {
    const { url, fanfare } = await serve({ rates: { framesPerConnection: 20 } });
    const client = await Client.connect(url);
    const channels = Array.from({ length: 200 }, (_, index) => `order:${index}`);
    const items = channels.map((channel) => ({ channel }));
    client.say({ type: "subscribe", request: 1, channels: [...items, { channel: "kept" }] });
    await client.answers.nextThat(({ type }) => type === "ok");
    for (let request = 2; request < 4; request++) {
      client.say({ type: "unsubscribe", request, channels: [...channels, "never:heard"] });
      expect(await client.answers.next()).toEqual({ type: "ok", request });
    }
    for (const channel of [...channels, "kept"]) await fanfare.publish(channel, 1);
    expect(await client.deliveries.next()).toMatchObject({ channel: "kept" });
    client.say({ type: "unsubscribe", request: 4, channels: ["kept", "a b"] });
    expect(await client.answers.next()).toMatchObject({ type: "error", request: 4, code: "invalid_channel" });
    await fanfare.publish("kept", 2);
    expect(await client.deliveries.next()).toMatchObject({ channel: "kept", offset: 2 });
  });

  test("that leaves a channel before its answer is told of both", async () => {
    const { url } = await serve();
    const client = await Client.connect(url);
    client.say({ type: "subscribe", request: 1, channels: [{ channel: "a" }, { channel: "b" }] });
    client.say({ type: "unsubscribe", request: 2, channels: ["a", "b"] });
    const answers = await client.answers.take(4);
    expect(answers.map(({ type, request }) => `${type} ${request}`).sort()).toEqual(
      [
        "ok 1",
        "ok 2",
        ...(answers.some(({ type }) => type === "error")
          ? ["error 1", "error 1"]
          : ["subscribed 1", "subscribed 1"]),
      ].sort(),
    );
  });

  test.each([[[]], [Array.from({ length: 1001 }, (_, n) => `c:${n}`)], ["a"], [[1]]])(
    "that leaves %j in one frame is closed as malformed",
    async (channels) => {
      const { url } = await serve();
      const client = await Client.connect(url);
      client.say({ type: "unsubscribe", request: 1, channels });
      expect(await client.closed).toMatchObject({ code: 4400, reason: expect.stringContaining("channels") });
    },
  );

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
          request: expect.any(Number),
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

  test("answers each channel of a batch with the batch's number, then says ok; one error does not touch the others", async () => {
    const { url, fanfare } = await serve();
    const { epoch } = await fanfare.position("b");
    await fanfare.publish("b", "missed");
    const client = await Client.connect(url);
    await client.subscribe("c");
    client.say({
      type: "subscribe",
      request: 77,
      channels: [
        { channel: "a" },
        { channel: "not a name" },
        { channel: "b", since: { epoch, offset: 0 } },
        { channel: "c" },
        { channel: "a" },
      ],
    });
    const answers = await client.answers.take(6);
    expect(answers.at(-1)).toEqual({ type: "ok", request: 77 });
    expect(answers.every(({ request }) => request === 77)).toBe(true);
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
    client.say({ type: "subscribe", request: 0, channels });
    const answers = await client.answers.take(1001);
    expect(answers.pop()).toEqual({ type: "ok", request: 0 });
    expect(new Set(answers.map((answer) => (answer.type === "subscribed" ? answer.channel : ""))).size).toBe(
      1000,
    );
    await fanfare.publish("c:999", "there");
    expect(await client.deliveries.next()).toMatchObject({ channel: "c:999", data: "there" });
  });

  test("answers 1,000 refusals of one batch, and the ok comes last", async () => {
    const { url } = await serve();
    const client = await Client.connect(url);
    client.say({
      type: "subscribe",
      request: 5,
      channels: Array.from({ length: 1000 }, () => ({ channel: "" })),
    });
    const answers = await client.answers.take(1001);
    expect(answers.pop()).toEqual({ type: "ok", request: 5 });
    expect(answers.every(({ type }) => type === "error")).toBe(true);
    await client.alive();
  });
});

describe("an error of the server's own", () => {
  test("closes with 1011, is logged, and harms nobody else", async () => {
    const append = () => {
      throw new TypeError("a bug");
    };
    const engine = changedEngine(new MemoryEngine({ allowIsolated: true }), { logs: { append } });
    const { url, log } = await serve({ access: "open", engine });
    const [client, other] = await Promise.all([Client.connect(url), Client.connect(url)]);
    client.say({ type: "publish", request: 1, channel: "a", data: 1 });
    expect(await client.closed).toMatchObject({ code: 1011, reason: expect.stringContaining("log") });
    expect(log.lines.filter(({ level }) => level === "error")).toMatchObject([
      { fields: { err: expect.objectContaining({ message: "a bug" }) } },
    ]);
    await other.alive();
  });
});
