/** What typed channels let through, over every way in. */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import {
  type ChannelDefinitions,
  createFanfare,
  defineChannels,
  type FanfareOptions,
} from "../../packages/server/src/index.js";
import { Client } from "../library/client.js";
import { make, post, problemOf, serve } from "../library/serve.js";
import { withArktype, withValibot, withZod } from "./channels.js";

const LIBRARIES: [string, ChannelDefinitions][] = [
  ["zod", withZod],
  ["valibot", withValibot],
  ["arktype", withArktype],
];
const WRONG_PRICE = /order:42: data\.lines\[1\]\.price: .*number/;
const wrong = { lines: [{ price: 1 }, { price: "2" }] };

/** The library as an application in JavaScript sees it. */
const untyped = (options: FanfareOptions) => make(options);

describe.each(LIBRARIES)("with %s", (_, channels) => {
  test("what fits is published as it was given", async () => {
    const fanfare = untyped({ channels });
    const data = { lines: [{ price: 1, colour: "red" }] };
    await fanfare.publish("order:42", data);
    await fanfare.publish("order:latest", 42);
    await fanfare.publish("chat:a", { text: "hello" }, { event: "said" });
    await fanfare.publish("chat:a", null, { event: "left" });
    expect((await fanfare.history("order:42")).messages).toMatchObject([{ data }]);
  });

  test("what does not fit is refused, naming the place and what was expected", async () => {
    const fanfare = untyped({ channels });
    await expect(fanfare.publish("order:42", wrong)).rejects.toMatchObject({
      code: "invalid_data",
      status: 422,
      message: expect.stringMatching(WRONG_PRICE),
    });
    await expect(fanfare.publish("order:latest", "42")).rejects.toMatchObject({
      code: "invalid_data",
      message: expect.stringMatching(/^order:latest: data: .*number/),
    });
    await expect(fanfare.publish("chat:a", { text: 1 }, { event: "said" })).rejects.toMatchObject({
      message: expect.stringMatching(/data\.text: .*string/),
    });
    expect((await fanfare.history("order:42")).head).toBe(0);
  });

  test("an event that is not defined is refused", async () => {
    const fanfare = untyped({ channels });
    await expect(fanfare.publish("chat:a", { text: "hello" })).rejects.toMatchObject({
      code: "invalid_data",
      message: 'chat:a has no event "message"',
      remedy: expect.stringContaining('"said", "left"'),
    });
  });

  test("a state is checked as it would be after the change", async () => {
    const fanfare = untyped({ channels });
    await expect(fanfare.states.patch("order:42", { note: "hi" })).rejects.toMatchObject({
      code: "invalid_data",
      message: expect.stringMatching(/order:42: state\.total: /),
    });
    await fanfare.states.set("order:42", { total: 1 });
    await fanfare.states.patch("order:42", { note: "hi" });
    await expect(fanfare.states.patch("order:42", { total: null })).rejects.toMatchObject({
      code: "invalid_data",
    });
    expect(await fanfare.states.get("order:42")).toMatchObject({ state: { total: 1, note: "hi" } });
    await fanfare.states.remove("order:42");
  });
});

describe("typed channels", () => {
  test("are checked over HTTP", async () => {
    const { base } = await serve({ channels: withZod });
    const answer = await post(`${base}/channels/order:42/messages`, { data: wrong });
    expect(answer.status).toBe(422);
    expect(await problemOf(answer)).toMatchObject({
      code: "invalid_data",
      detail: expect.stringMatching(WRONG_PRICE),
    });
    const patch = await fetch(`${base}/channels/order:42/state`, {
      method: "PATCH",
      body: '{"total":"1"}',
      headers: { "Content-Type": "application/json" },
    });
    expect([patch.status, (await problemOf(patch)).detail]).toEqual([
      422,
      expect.stringMatching(/state\.total: .*number/),
    ]);
  });

  test("are checked over sockets, and the connection goes on", async () => {
    const { base } = await serve({ channels: withZod });
    const client = await Client.connect(base);
    client.send({ type: "publish", request: 1, channel: "order:42", data: wrong });
    expect(await client.next("error")).toMatchObject({
      request: 1,
      code: "invalid_data",
      message: expect.stringMatching(WRONG_PRICE),
    });
    client.send({ type: "patch", request: 2, channel: "order:42", patch: { total: "1" } });
    expect(await client.next("error")).toMatchObject({ request: 2, code: "invalid_data" });
    client.send({ type: "publish", request: 3, channel: "order:42", data: { lines: [] } });
    expect(await client.next("ok")).toMatchObject({ request: 3, offset: 1 });
    client.close();
  });

  test("of a batch are all checked before anything is appended", async () => {
    const { base, fanfare } = await serve({ channels: withZod });
    const fine = { channel: "order:latest", data: 1 };
    const messages = [
      fine,
      { channel: "name:a", data: "free" },
      { channel: "order:42", data: wrong },
      { ...fine, data: "" },
    ];
    const answer = await post(`${base}/messages`, { messages });
    expect(await problemOf(answer)).toMatchObject({
      code: "invalid_data",
      detail: expect.stringMatching(/^messages\[2\]: order:42: data\.lines\[1\]\.price/),
    });
    const taken = [fine, { channel: "name:a", data: "taken" }, { channel: "order:42", data: wrong }];
    expect(await problemOf(await post(`${base}/messages`, { messages: taken }))).toMatchObject({
      detail: "messages[1]: name:a: data: is taken",
    });
    expect((await fanfare.position("order:latest")).offset).toBe(0);
    const both = [fine, { channel: "name:a", data: "free" }];
    expect(await (await post(`${base}/messages`, { messages: both })).json()).toMatchObject({
      results: [{ offset: 1 }, { offset: 1 }],
    });
  });

  test("whose check takes its time keep the order of the calls", async () => {
    const fanfare = untyped({ channels: { a: withZod["name:{id}"] } });
    const calls = ["1", "taken", "2", "3"].map((name) => fanfare.publish("a", name));
    const many = fanfare.publishMany([
      { channel: "a", data: "4" },
      { channel: "b", data: 1 },
      { channel: "a", data: "5" },
    ]);
    const after = [fanfare.publish("a", "6"), fanfare.publish("b", 2)];
    await expect(calls[1]).rejects.toMatchObject({ message: "a: data: is taken" });
    await Promise.all([calls[0], calls[2], calls[3], many, ...after]);
    const dataOf = async (channel: string) =>
      (await fanfare.history(channel)).messages.map(({ data }) => data);
    expect(await dataOf("a")).toEqual(["1", "2", "3", "4", "5", "6"]);
    expect(await dataOf("b")).toEqual([1, 2]);
  });

  test("carry what was sent, not what a schema makes of it", async () => {
    const fanfare = untyped({ channels: withZod });
    await fanfare.publish("when", "2030-01-01");
    expect((await fanfare.history("when")).messages).toMatchObject([{ data: "2030-01-01" }]);
  });

  test("do not concern channels that are not defined", async () => {
    const fanfare = untyped({ channels: withZod });
    await fanfare.publish("other", wrong);
    await fanfare.publish("order:42:lines", wrong);
    await fanfare.states.patch("chat:a", { anything: 1 });
  });

  test("tell no more than three issues of a value", async () => {
    const fanfare = untyped({ channels: withZod });
    const lines = Array.from({ length: 5 }, () => ({}));
    await expect(fanfare.publish("order:42", { lines })).rejects.toMatchObject({
      message: expect.stringMatching(/lines\[0\].*; .*lines\[1\].*; .*lines\[2\].*; and 2 more$/),
    });
  });

  test.each<[string, object, RegExp]>([
    ["a name with a star", { "order:*": {} }, /"order:\*" is no name of channels/],
    ["a parameter within a segment", { "order-{id}": {} }, /is no name of channels/],
    ["a segment that is empty", { "order:": {} }, /is no name of channels/],
    ["two for the same channels", { "order:{id}": {}, "order:{number}": {} }, /are for the same channels/],
    ["both message and messages", { a: { message: z.null(), messages: {} } }, /both message and messages/],
    ["a member that is not known", { a: { mesage: z.null() } }, /"mesage", which is not known/],
    ["what is no schema", { a: { state: { type: "object" } } }, /"a" has a schema that is none/],
  ])("are refused at the start with %s", (_, channels, message) => {
    const given = channels as ChannelDefinitions;
    expect(() => createFanfare({ channels: given })).toThrow(message);
  });
});

test("a typed Fanfare knows what its channels carry", async () => {
  const fanfare = createFanfare({ access: "open", channels: withZod });
  const channels = defineChannels(withZod);
  expect(channels).toBe(withZod);
  const compiled = () => {
    // @ts-expect-error there is no such channel
    fanfare.publish("ordr:42", 1);
    // @ts-expect-error the price is missing
    fanfare.publish("order:42", { lines: [{}] });
    // @ts-expect-error no event of this channel is called message
    fanfare.publish("chat:a", { text: "hello" });
    // @ts-expect-error total is a number
    fanfare.states.patch("order:42", { total: "1" });
    // @ts-expect-error total cannot be removed
    fanfare.states.patch("order:42", { total: null });
    // @ts-expect-error total is missing
    fanfare.states.set("order:42", { note: "x" });
    // @ts-expect-error the data of left is null
    fanfare.publishMany([{ channel: "chat:a", event: "left", data: 1 }]);
    // @ts-expect-error of two definitions
    fanfare.publishMany({ channels: ["order:1", "when"], data: { lines: [] } });
  };
  expect(compiled).toBeTypeOf("function");
  await fanfare.publish("chat:a", { text: "hello" }, { event: "said" });
  await fanfare.publishMany([
    { channel: "order:1", data: { lines: [] } },
    { channel: "chat:a", event: "left", data: null, id: "k" },
  ]);
  await fanfare.publishMany({ channels: ["order:1", "order:2"], data: { lines: [] } });
  await fanfare.states.patch("order:1", { total: 3, note: null });
  const total: number | undefined = (await fanfare.states.get("order:1"))?.state.total;
  expect(total).toBe(3);
  const texts = (await fanfare.history("chat:a")).messages.map(
    (message) => message.event === "said" && message.data.text,
  );
  expect(texts).toEqual(["hello", false]);
  await fanfare.close();
});
