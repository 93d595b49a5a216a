import { describe, expect, test } from "vitest";
import type { Position } from "../../packages/server/src/index.js";
import { LISTEN } from "../../packages/server/src/testing/let-in.js";
import { historyOf, post, problemOf, serve } from "../library/serve.js";

const BOM = "\ufeff";

describe("publishing over HTTP", () => {
  test("answers 201 with the position, and the message is in the history", async () => {
    const { messages } = await serve();
    const answer = await post(messages, { event: "said", data: { text: "hé" } });
    expect(answer.status).toBe(201);
    expect(answer.headers.get("content-type")).toBe("application/json");
    const position = (await answer.json()) as Position;
    expect(position).toEqual({ channel: "a", epoch: expect.stringMatching(/^[0-9a-f]{16}$/), offset: 1 });
    const history = await (await fetch(messages)).json();
    expect(history).toEqual({
      channel: "a",
      epoch: position.epoch,
      first: 1,
      head: 1,
      messages: [{ channel: "a", offset: 1, time: expect.any(Number), event: "said", data: { text: "hé" } }],
    });
  });

  test.each([
    ["order:42", "order:42"],
    ["order%3A42", "order:42"],
    ["order%3a42", "order:42"],
    ["a@b,c;d=e~f.-_", "a@b,c;d=e~f.-_"],
    ["a%40b", "a@b"],
  ])("the channel %s in the address is %s", async (written, channel) => {
    const { base } = await serve();
    const answer = await post(`${base}/channels/${written}/messages`, { data: 1 });
    expect(await answer.json()).toMatchObject({ channel, offset: 1 });
  });

  test.each([
    "a%ZZ",
    "a%",
    "%E0%A4%A",
    "a%2Fb",
    "a%253Ab",
    "a%20b",
    "a%00b",
    "a%0d%0aX",
    "%ff",
    "$fanfare",
    ":a",
    "a:",
    "a+b",
    "x".repeat(201),
  ])("the channel %s is refused with 400 and a plain sentence", async (written) => {
    const { base } = await serve();
    const answer = await post(`${base}/channels/${written}/messages`, { data: 1 });
    expect(answer.status).toBe(400);
    const { code, detail } = await problemOf(answer);
    expect(code).toBe("invalid_channel");
    expect(detail).toMatch(/^[\x20-\x7e…]+$/);
  });

  test.each<[string, unknown]>([
    ["null", null],
    ["false", false],
    ["an empty text", ""],
    ["an empty list", []],
    ["a fraction", 0.1],
    ["the largest safe integer", Number.MAX_SAFE_INTEGER],
    ["32 levels", nested(32)],
  ])("%s is data", async (_name, data) => {
    const { messages } = await serve();
    expect((await post(messages, { data })).status).toBe(201);
    const { messages: held } = await historyOf(await fetch(messages));
    expect(held).toMatchObject([{ data }]);
  });

  test("__proto__ is a key like any other, at every depth", async () => {
    const { messages } = await serve();
    const data = '{"__proto__":{"__proto__":1},"constructor":2}';
    expect((await post(messages, `{"data":${data}}`)).status).toBe(201);
    expect(await (await fetch(messages)).text()).toContain(`"data":${data}`);
  });

  test.each([
    ["no data", "{}", "invalid_request", /data is missing/],
    ["an integer of 64 bits", '{"data":{"id":9007199254740993}}', "invalid_value", /data\.id/],
    ["a number without end", '{"data":[1e999]}', "invalid_value", /data\[0\]/],
    ["33 levels", JSON.stringify({ data: nested(33) }), "invalid_value", /32 levels/],
    ["a list", "[]", "invalid_request", /body is an array/],
    ["a list of endless depth", `${"[".repeat(34_000)}${"]".repeat(34_000)}`, "invalid_request", /an array/],
    ["null", "null", "invalid_request", /body is null/],
    [
      "an event of endless depth",
      `{"event":${"[".repeat(9000)}${"]".repeat(9000)}}`,
      "invalid_request",
      /event/,
    ],
    ["an event that is a number", '{"data":1,"event":7}', "invalid_request", /body\.event is 7/],
    ["an event that is null", '{"data":1,"event":null}', "invalid_request", /body\.event is null/],
    ["an empty event", '{"data":1,"event":""}', "invalid_request", /event is ""/],
    [
      "a long event",
      JSON.stringify({ data: 1, event: "e".repeat(201) }),
      "invalid_request",
      /201 characters/,
    ],
    ["nothing", "", "invalid_json", /the body is empty/],
    ["half of a body", '{"data":', "invalid_json", /no JSON/],
    ["something behind the body", '{"data":1} x', "invalid_json", /no JSON/],
    ["control characters", "\u001b[31m\u009b\u202e", "invalid_json", /^[\x20-\x7e\ufffd]+$/],
  ])("%s is refused with 400 %#", async (_name, body, code, detail) => {
    const { messages } = await serve();
    const answer = await post(messages, body);
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ code, detail: expect.stringMatching(detail) });
    expect(await (await fetch(messages)).json()).toMatchObject({ head: 0 });
  });

  test("bytes that are no UTF-8 are refused, and a byte order mark is not", async () => {
    const { messages } = await serve();
    const answer = await post(messages, Buffer.from('{"data":"\xff"}', "latin1"));
    expect(await answer.json()).toMatchObject({ code: "invalid_json", detail: "the body is no valid UTF-8" });
    expect((await post(messages, `${BOM}{"data":1}`)).status).toBe(201);
  });

  test("a compressed body is refused by its name", async () => {
    const { messages } = await serve();
    const answer = await post(messages, { data: 1 }, { "Content-Encoding": "gzip" });
    expect(answer.status).toBe(415);
    expect((await problemOf(answer)).detail).toContain('"gzip"');
  });

  test("what is too large as data is refused, whatever it is as text", async () => {
    const { messages } = await serve({ limits: { messageBytes: 1000 } });
    expect((await post(messages, { data: "x".repeat(998) })).status).toBe(201);
    // As some JSON writers spell it: six bytes for each character of two.
    expect((await post(messages, `{"data":"${"\\u00e9".repeat(499)}"}`)).status).toBe(201);
    for (const body of [{ data: "x".repeat(999) }, { data: "é".repeat(500) }]) {
      const answer = await post(messages, body);
      expect(answer.status).toBe(413);
      expect(await answer.json()).toMatchObject({
        code: "too_large",
        detail: expect.stringContaining("1000 bytes"),
      });
    }
  });

  test("where only listening is allowed, publishing is forbidden and says what to do", async () => {
    const { messages } = await serve({ anonymous: LISTEN });
    const answer = await post(messages, { data: 1 });
    expect(answer.status).toBe(403);
    expect(await answer.json()).toMatchObject({
      code: "forbidden",
      detail: "Anonymous clients may not publish on a (allowed: subscribe, history).",
      remedy: expect.stringContaining('access: "open"'),
    });
    expect((await fetch(messages)).status).toBe(200);
  });
});

describe("an idempotency key", () => {
  test("appends once: 201, then 200 with the same position", async () => {
    const { messages } = await serve();
    const first = await post(messages, { data: [1] }, { "Idempotency-Key": "k1" });
    const again = await post(messages, { data: [1] }, { "Idempotency-Key": "k1" });
    expect([first.status, again.status]).toEqual([201, 200]);
    expect(await again.json()).toEqual(await first.json());
    expect(await (await fetch(messages)).json()).toMatchObject({ head: 1, messages: [{ id: "k1" }] });
  });

  test("appends once when the same request is sent many times at once", async () => {
    const { messages } = await serve();
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => post(messages, { data: 1 }, { "Idempotency-Key": "k1" })),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(await (await fetch(messages)).json()).toMatchObject({ head: 1 });
  });

  test("refuses another message, or another event, with 422", async () => {
    const { messages } = await serve();
    await post(messages, { data: 1 }, { "Idempotency-Key": "k1" });
    for (const body of [{ data: 2 }, { data: 1, event: "e" }]) {
      const answer = await post(messages, body, { "Idempotency-Key": "k1" });
      expect(answer.status).toBe(422);
      expect(await answer.json()).toMatchObject({
        code: "id_reused",
        detail: expect.stringContaining('"k1"'),
      });
    }
  });

  test("counts for its channel only", async () => {
    const { base, messages } = await serve();
    await post(messages, { data: 1 }, { "Idempotency-Key": "k1" });
    const other = await post(`${base}/channels/b/messages`, { data: 2 }, { "Idempotency-Key": "k1" });
    expect(other.status).toBe(201);
  });

  test("has 1 to 200 characters", async () => {
    const { messages } = await serve();
    for (const [key, status] of [
      ["", 400],
      ["k".repeat(200), 201],
      ["k".repeat(201), 400],
    ] as const) {
      expect((await post(messages, { data: 1 }, { "Idempotency-Key": key })).status).toBe(status);
    }
  });
});

/** A value with so many levels of lists. */
function nested(levels: number): unknown {
  return levels === 0 ? 1 : [nested(levels - 1)];
}
