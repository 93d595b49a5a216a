import { describe, expect, test } from "vitest";
import { LISTEN } from "../../packages/server/src/testing/let-in.js";
import { Client } from "./client.js";
import { serve } from "./serving.js";

describe("the state", () => {
  test("comes with the subscription, and each change after it", async () => {
    const { url, fanfare } = await serve();
    await fanfare.states.set("job:7", { done: 1, of: 3 });
    const client = await Client.connect(url);
    expect(await client.ask({ type: "subscribe", channel: "job:7" })).toMatchObject({
      offset: 1,
      state: { done: 1, of: 3 },
      stateOffset: 1,
    });
    await fanfare.states.patch("job:7", { done: 2, of: null });
    expect(await client.others.nextThat(({ type }) => type === "state")).toEqual({
      type: "state",
      channel: "job:7",
      from: 1,
      offset: 2,
      patch: { done: 2, of: null },
    });
    await fanfare.states.remove("job:7");
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
    const { channel, ...since } = await fanfare.states.set("job:7", { done: 1 });
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
    const keyed = { patch: { done: 3 }, id: "k" };
    expect(await patch(keyed)).toMatchObject({ type: "ok", offset: 2 });
    expect(await patch(keyed)).toMatchObject({ type: "ok", offset: 2 });
    expect(await fanfare.states.get("job:7")).toMatchObject({ offset: 2, state: { done: 3 } });
  });

  test("is not patched by a client that may not, which is told so", async () => {
    const { url } = await serve({ anonymous: LISTEN });
    const client = await Client.connect(url);
    expect(await client.ask({ type: "patch", channel: "a", patch: {} })).toMatchObject({
      code: "forbidden",
      channel: "a",
      message: expect.stringContaining("change the state of a"),
    });
    await client.alive();
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
      id: "k",
    });
    expect(answer).toEqual({ type: "ok", request: expect.any(Number), channel: "chat", epoch, offset: 1 });
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
    const frame = { type: "publish", channel: "chat", data: 1, id: "same" };
    const first = await client.ask(frame);
    expect(await client.ask(frame)).toMatchObject({ ...first, request: expect.any(Number) });
    expect(await client.ask({ ...frame, data: 2 })).toMatchObject({ type: "error", code: "id_reused" });
    expect((await fanfare.position("chat")).offset).toBe(1);
    await client.alive();
  });

  test.each([
    [
      "a number that is not exact",
      '{"type":"publish","request":1,"channel":"a","data":9007199254740993}',
      "invalid_value",
    ],
    ["an endless number", '{"type":"publish","request":1,"channel":"a","data":1e999}', "invalid_value"],
    ["33 levels", { data: JSON.parse("[".repeat(33) + "]".repeat(33)) as unknown }, "invalid_value"],
    ["an event of 201 characters", { data: 1, event: "x".repeat(201) }, "invalid_request"],
    ["an empty id", { data: 1, id: "" }, "invalid_request"],
    ["no channel name", { data: 1, channel: "a b" }, "invalid_channel"],
  ])("%s is refused, and the connection lives on", async (_, frame, code) => {
    const { url } = await serve({ access: "open" });
    const client = await Client.connect(url);
    client.say(typeof frame === "string" ? frame : { type: "publish", request: 1, channel: "a", ...frame });
    expect(await client.answers.next()).toMatchObject({ type: "error", request: 1, code });
    await client.alive();
  });

  test.each([
    ["a message", { type: "publish", channel: "a", data: "x".repeat(999) }, /^data is 1001 bytes/],
    ["a patch", { type: "patch", channel: "a", patch: { x: "x".repeat(1000) } }, /^patch is 1008 bytes/],
    [
      "a state",
      { type: "patch", channel: "full", patch: { y: "y" } },
      /^the state of full would be 1004 bytes/,
    ],
    ["the words about a lock", { type: "lock", name: "a", info: "x".repeat(1023) }, /^info is 1025 bytes/],
  ] as const)("%s over the limit is refused, and the connection lives on", async (_, frame, message) => {
    const { url, fanfare } = await serve({
      access: "open",
      limits: { messageBytes: 1000, stateBytes: 1000 },
    });
    await fanfare.states.set("full", { x: "x".repeat(988) });
    const client = await Client.connect(url);
    expect(await client.ask({ type: "publish", channel: "a", data: "x".repeat(998) })).toMatchObject({
      type: "ok",
    });
    expect(await client.ask(frame)).toMatchObject({
      type: "error",
      code: "too_large",
      message: expect.stringMatching(message),
    });
    await client.alive();
  });

  test("a frame of as many bytes as the server says is read, and one more closes with 1009", async () => {
    const { url } = await serve({ access: "open", limits: { messageBytes: 40_000, stateBytes: 1000 } });
    const client = await Client.open(url);
    const { frameBytes } = await client.connect();
    expect(frameBytes).toBe(40_000 + 4096);
    const frame = (length: number) => {
      const text = JSON.stringify({ type: "publish", request: 1, channel: "a", data: "" });
      return text.replace('""', `"${"x".repeat(length - text.length)}"`);
    };
    client.say(frame(Number(frameBytes)));
    expect(await client.answers.next()).toMatchObject({ type: "error", request: 1, code: "too_large" });
    client.say(frame(Number(frameBytes) + 1));
    expect(await client.closed).toMatchObject({ code: 1009 });
  });

  test("a limit for messages below 32 KiB is none for batches of subscribes and unsubscribes", async () => {
    const limits = { messageBytes: 1, stateBytes: 1 };
    const { url } = await serve({ access: "open", limits });
    const client = await Client.connect(url);
    const names = Array.from({ length: 320 }, (_, index) => `${index}-${"x".repeat(90)}`);
    const channels = names.map((channel) => ({ channel }));
    client.say({ type: "unsubscribe", request: 1, channels: names });
    expect(await client.answers.next()).toEqual({ type: "ok", request: 1 });
    expect(JSON.stringify({ type: "unsubscribe", request: 1, channels: names }).length).toBeGreaterThan(
      30_000,
    );
    client.say({ type: "subscribe", request: 2, channels: channels.slice(0, 200) });
    await client.alive();
  });

  test("where clients may only listen is refused for the call, naming the action", async () => {
    const { url, fanfare } = await serve();
    const client = await Client.connect(url);
    await client.subscribe("a");
    expect(await client.ask({ type: "publish", channel: "a", data: 1 })).toMatchObject({
      code: "forbidden",
      message: expect.stringContaining("publish on a"),
    });
    await fanfare.publish("a", 2);
    expect(await client.deliveries.next()).toMatchObject({ data: 2 });
  });

  test("or patching, locking and counting without the grant more than 20 times in a minute closes with 4403", async () => {
    const { url } = await serve();
    const client = await Client.connect(url);
    const frames = [
      { type: "publish", channel: "a", data: 1 },
      { type: "patch", channel: "a", patch: {} },
      { type: "lock", name: "a" },
      { type: "next", name: "a" },
    ] as const;
    for (let round = 0; round < 5; round++) {
      for (const frame of frames) {
        expect(await client.ask(frame)).toMatchObject({ code: "forbidden" });
      }
    }
    client.say({ type: "next", request: 99, name: "a" });
    expect(await client.closed).toEqual({ code: 4403, reason: expect.stringContaining("take numbers of a") });
  });
});
