import { FanfareError } from "@fanfare/protocol";
import { describe, expect, test } from "vitest";
import { MemoryEngine } from "../../packages/server/src/index.js";
import { historyOf, post, problemOf, serve } from "../library/serve.js";

async function serving(options: Parameters<typeof serve>[0] = {}) {
  const served = await serve(options);
  const url = `${served.base}/messages`;
  const send = (messages: unknown) => post(url, { messages });
  const resultsOf = async (answer: Response) => {
    expect(answer.status).toBe(200);
    return ((await answer.json()) as { results: Record<string, unknown>[] }).results;
  };
  const held = async (channel: string) =>
    (await historyOf(await fetch(`${served.base}/channels/${channel}/messages?limit=1000`))).messages;
  return { ...served, url, send, resultsOf, held };
}

describe("a batch", () => {
  test("is appended in order, and answered with the position of each message", async () => {
    const { send, resultsOf, held } = await serving();
    const answer = await send([
      { channel: "a", data: 1 },
      { channel: "b", event: "said", data: { text: "hé" } },
      { channel: "a", data: null, id: "k" },
    ]);
    expect(answer.headers.get("content-type")).toBe("application/json");
    const epoch = expect.stringMatching(/^[0-9a-f]{16}$/);
    expect(await resultsOf(answer)).toEqual([
      { channel: "a", epoch, offset: 1 },
      { channel: "b", epoch, offset: 1 },
      { channel: "a", epoch, offset: 2 },
    ]);
    expect(await held("a")).toMatchObject([
      { data: 1, event: "message" },
      { data: null, id: "k" },
    ]);
    expect(await held("b")).toMatchObject([{ event: "said", data: { text: "hé" } }]);
  });

  test("of 1,000 messages keeps the order within each channel", async () => {
    const { send, resultsOf, held } = await serving({ rules: [{ channels: "**", history: 1000 }] });
    const messages = Array.from({ length: 1000 }, (_, index) => ({ channel: `c${index % 3}`, data: index }));
    expect(await resultsOf(await send(messages))).toHaveLength(1000);
    for (const remainder of [0, 1, 2]) {
      const wanted = messages.map(({ data }) => data).filter((data) => data % 3 === remainder);
      expect((await held(`c${remainder}`)).map(({ data }) => data)).toEqual(wanted);
    }
  });

  test("may be empty", async () => {
    const { send, resultsOf } = await serving();
    expect(await resultsOf(await send([]))).toEqual([]);
  });

  test("takes __proto__ as a key of data like any other, and of nothing else", async () => {
    const { url, resultsOf, base } = await serving();
    const message = '"channel":"a","data":{"__proto__":{"x":1}}';
    for (const [body, place] of [
      [`{"__proto__":1,"messages":[{${message}}]}`, "body"],
      [`{"messages":[{"__proto__":{"channel":"b"},${message}}]}`, "body.messages[0]"],
    ]) {
      expect(await problemOf(await post(url, body))).toMatchObject({
        code: "invalid_request",
        detail: `${place} has "__proto__", which is not known`,
      });
    }
    expect(await resultsOf(await post(url, `{"messages":[{${message}}]}`))).toMatchObject([{ offset: 1 }]);
    expect(await (await fetch(`${base}/channels/a/messages`)).text()).toContain(
      '"data":{"__proto__":{"x":1}}',
    );
  });

  const fine = { channel: "a", data: 1 };
  const deep = JSON.parse(`${"[".repeat(33)}${"]".repeat(33)}`) as unknown;
  test.each<[string, unknown, string, RegExp]>([
    ["a channel that is none", { channel: "a b", data: 1 }, "invalid_channel", /messages\[2\].*"a b"/],
    ["a channel that is missing", { data: 1 }, "invalid_request", /messages\[2\]\.channel is missing/],
    ["a channel of the server's own", { channel: "$a", data: 1 }, "invalid_channel", /messages\[2\].*\$/],
    ["no data", { channel: "a" }, "invalid_request", /messages\[2\].*data/],
    ["data that is too deep", { channel: "a", data: deep }, "invalid_value", /messages\[2\].*32 levels/],
    ["an event that is a number", { ...fine, event: 7 }, "invalid_request", /messages\[2\]\.event is 7/],
    ["an empty event", { ...fine, event: "" }, "invalid_request", /messages\[2\]: event is ""/],
    ["an empty id", { ...fine, id: "" }, "invalid_request", /messages\[2\]: id is ""/],
    ["a text", "x", "invalid_request", /messages\[2\] is "x"/],
    ["null", null, "invalid_request", /messages\[2\] is null/],
    [
      "data over the limit",
      { channel: "a", data: "x".repeat(1001) },
      "too_large",
      /messages\[2\].*1000 bytes/,
    ],
  ])("with %s is refused by its index, and nothing is appended", async (_name, wrong, code, detail) => {
    const { send, base } = await serving({ limits: { messageBytes: 1000 } });
    const problem = await problemOf(await send([fine, fine, wrong, fine, { channel: "$also wrong" }]));
    expect(problem).toMatchObject({ code, detail: expect.stringMatching(detail) });
    expect(await (await fetch(`${base}/channels`)).json()).toEqual({ channels: [], next: null });
  });

  test.each([
    ["a list", "[]", /body is an array/],
    ["no messages", "{}", /body\.messages is missing/],
    ["messages that are an object", '{"messages":{}}', /body\.messages is an object/],
    [
      "1,001 messages",
      JSON.stringify({ messages: Array(1001).fill(fine) }),
      /body\.messages is an array of 1001/,
    ],
  ])("that is %s is refused", async (_name, body, detail) => {
    const { url } = await serving();
    const problem = await problemOf(await post(url, body));
    expect(problem).toMatchObject({
      status: 400,
      code: "invalid_request",
      detail: expect.stringMatching(detail),
    });
  });

  test("of 1 MiB is taken, and of one byte more is not", async () => {
    const { url } = await serving();
    const body = (bytes: number) => JSON.stringify({ messages: [fine] }).padEnd(bytes);
    expect((await post(url, body(2 ** 20))).status).toBe(200);
    expect(await problemOf(await post(url, body(2 ** 20 + 1)))).toMatchObject({
      status: 413,
      code: "too_large",
    });
  });
});

describe("a message to many channels", () => {
  test("is appended to each, and answered in their order", async () => {
    const { url, resultsOf, held } = await serving();
    await post(url, { messages: [{ channel: "b", data: 0 }] });
    const message = { channels: ["a", "b", "c"], event: "closing", data: { minutes: 10 }, id: "k" };
    const answer = await resultsOf(await post(url, message));
    expect(answer).toMatchObject([
      { channel: "a", offset: 1 },
      { channel: "b", offset: 2 },
      { channel: "c", offset: 1 },
    ]);
    expect(await held("c")).toMatchObject([{ event: "closing", data: { minutes: 10 }, id: "k" }]);
    expect(await resultsOf(await post(url, message))).toEqual(answer);
    expect(await resultsOf(await post(url, { channels: [], data: 1 }))).toEqual([]);
  });

  test("that one channel refuses is appended to the others", async () => {
    const { url, resultsOf } = await serving();
    await post(url, { messages: [{ channel: "b", data: 0, id: "k" }] });
    expect(await resultsOf(await post(url, { channels: ["a", "b", "c"], data: 1, id: "k" }))).toMatchObject([
      { offset: 1 },
      { status: 422, code: "id_reused" },
      { offset: 1 },
    ]);
  });

  test.each([
    [
      "a channel that is none",
      { channels: ["a", "b c"], data: 1 },
      "invalid_channel",
      /^channels\[1\]: "b c"/,
    ],
    ["channels that are a text", { channels: "a", data: 1 }, "invalid_request", /body\.channels is "a"/],
    [
      "a channel that is a number",
      { channels: ["a", 1], data: 1 },
      "invalid_request",
      /body\.channels\[1\] is 1/,
    ],
    ["1,001 channels", { channels: Array(1001).fill("a"), data: 1 }, "invalid_request", /array of 1001/],
    ["no data", { channels: ["a"] }, "invalid_request", /data is missing/],
    [
      "data over the limit",
      { channels: ["a"], data: "x".repeat(70_000) },
      "too_large",
      /^data is 70002 bytes/,
    ],
    [
      "messages beside the channels",
      { channels: ["a"], data: 1, messages: [] },
      "invalid_request",
      /both messages and channels/,
    ],
  ])("with %s is refused, and nothing is appended", async (_name, body, code, detail) => {
    const { url, base } = await serving();
    expect(await problemOf(await post(url, body))).toMatchObject({
      code,
      detail: expect.stringMatching(detail),
    });
    expect(await (await fetch(`${base}/channels`)).json()).toEqual({ channels: [], next: null });
  });
});

describe("an idempotency key in a batch", () => {
  test("appends once, within a batch and across, and the same as a single message", async () => {
    const { send, resultsOf, messages, held } = await serving();
    const keyed = { channel: "a", data: 1, id: "k" };
    const [first, second] = await resultsOf(await send([keyed, keyed]));
    expect(second).toEqual(first);
    expect(await resultsOf(await send([keyed]))).toEqual([first]);
    expect((await post(messages, { data: 1 }, { "Idempotency-Key": "k" })).status).toBe(200);
    expect(await held("a")).toHaveLength(1);
  });

  test("that was used for another message is refused alone", async () => {
    const { send, resultsOf, held } = await serving();
    const results = await resultsOf(
      await send([
        { channel: "a", data: 1, id: "k" },
        { channel: "a", data: 2, id: "k" },
        { channel: "a", data: 3 },
      ]),
    );
    expect(results).toMatchObject([{ offset: 1 }, { status: 422, code: "id_reused" }, { offset: 2 }]);
    expect((await held("a")).map(({ data }) => data)).toEqual([1, 3]);
  });
});

describe("an engine that fails in a batch", () => {
  test("fails for the message only, and what it is stays inside", async () => {
    const engine = new MemoryEngine();
    const append = engine.logs.append.bind(engine.logs);
    engine.logs.append = async (channel, draft, retention) => {
      if (draft.json === "2")
        throw new FanfareError("unavailable", "the engine rests", { retryAfterSeconds: 1 });
      if (draft.json === "3") throw new TypeError("secret");
      return append(channel, draft, retention);
    };
    const { send, resultsOf } = await serving({ engine });
    const results = await resultsOf(await send([1, 2, 3, 4].map((data) => ({ channel: "a", data }))));
    expect(results).toMatchObject([
      { offset: 1 },
      { status: 503, code: "unavailable", detail: "the engine rests", retryAfterSeconds: 1 },
      { status: 500, code: "internal" },
      { offset: 2 },
    ]);
    expect(JSON.stringify(results)).not.toContain("secret");
  });
});
