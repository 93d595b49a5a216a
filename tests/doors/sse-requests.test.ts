import { describe, expect, test } from "vitest";
import { EventStream, listening, offsets } from "./event-stream.js";
import { serve } from "./serving.js";

const open = { access: "open" } as const;

describe("what is asked wrongly", () => {
  const many = Array.from({ length: 61 }, (_, index) => `channel=c${index}`).join("&");
  const cursor = "AAAAAA.0123456789abcdef.1";
  test.each([
    ["no channel", "", 400, "invalid_request", "channel is missing"],
    ["a name that is none", "channel=a%20b", 400, "invalid_channel", "a b"],
    ["a channel twice", "channel=a&channel=b&channel=a", 400, "invalid_request", "a is named twice"],
    ["too many channels", many, 400, "invalid_request", "channel"],
    ["an id that is none", "channel=a&lastEventId=7", 400, "invalid_position", "7"],
    [
      "the id of other channels",
      `channel=a&lastEventId=${cursor}`,
      400,
      "invalid_position",
      "other channels",
    ],
    ["positions for some channels", "channel=a&channel=b&since=", 400, "invalid_request", "1 times for 2"],
    ["a position that is none", "channel=a&since=x", 400, "invalid_position", "x"],
    ["a ticket that is none", "ticket=x", 401, "not_logged_in", "the ticket is not known"],
    ["two ways to say who", "channel=a&ticket=x&access_token=y", 400, "invalid_request", "several ways"],
    ["a parameter twice", "channel=a&ticket=x&ticket=y", 400, "invalid_request", "is given 2 times"],
  ])("is refused before the stream begins: %s", async (_name, query, status, code, part) => {
    const { http } = await serve(open);
    const answer = await fetch(`${http}/sse?${query}`);
    expect(answer.status).toBe(status);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    const problem = await answer.json();
    expect(problem).toMatchObject({ code, detail: expect.stringContaining(part) });
    expect(problem.remedy).not.toBe("");
  });

  test("by another method is told which there are; HEAD opens nothing", async () => {
    const { http, fanfare } = await serve(open);
    const put = await fetch(`${http}/sse`, { method: "PUT" });
    expect([put.status, put.headers.get("allow")]).toEqual([405, "GET, HEAD, POST"]);
    const head = await fetch(`${http}/sse?channel=a`, { method: "HEAD" });
    expect([head.status, head.headers.get("content-type")]).toEqual([
      200,
      "text/event-stream; charset=utf-8",
    ]);
    expect(fanfare.stats().connections).toBe(0);
  });

  test("a page of another origin that may come in is let read it", async () => {
    const origin = "https://app.example.com";
    const { http } = await serve({ ...open, allowedOrigins: [origin] });
    const { response } = await listening(http, "channel=a", { Origin: origin });
    expect(response.headers["access-control-allow-origin"]).toBe(origin);
    const preflight = await fetch(`${http}/sse?channel=a`, {
      method: "OPTIONS",
      headers: { Origin: origin },
    });
    expect(preflight.headers.get("access-control-allow-headers")).toContain("Last-Event-ID");
    await expect(listening(http, "channel=a", { Origin: "https://evil.example" })).rejects.toThrow(
      /origin_not_allowed/,
    );
  });

  test("too many connects from one address are refused with the time to wait", async () => {
    const { http } = await serve({
      ...open,
      rates: { connectsPerAddress: 2 },
      trustedProxies: ["127.0.0.1", "::1"],
    });
    const from = { "X-Forwarded-For": "203.0.113.7" };
    await listening(http, "channel=a", from);
    await listening(http, "channel=a", from);
    await expect(listening(http, "channel=a", from)).rejects.toThrow(/rate_limited/);
    await listening(http, "channel=a", { "X-Forwarded-For": "203.0.113.8" });
  });
});

describe("a stream for a client that keeps its positions", () => {
  const post = (http: string, channels: unknown) =>
    EventStream.open(`${http}/sse`, { method: "POST", body: { channels } });

  test("may carry nothing, and carries up to 1,000 channels", async () => {
    const { http, fanfare } = await serve(open);
    await (await post(http, [])).next("connected");
    const stream = await post(
      http,
      Array.from({ length: 1000 }, (_, index) => ({ channel: `c${index}` })),
    );
    for (let left = 1000; left > 0; left--) await stream.next("subscribed");
    await fanfare.publish("c999", 1);
    expect(await offsets(stream, 1)).toEqual(["c9991"]);
    expect(stream.lastEventId).toBe("");
    expect(stream.heard.some(({ name }) => name === "fanfare.cursor")).toBe(false);
  });

  test("goes on from positions, and has the state where it is asked for", async () => {
    const { http, fanfare } = await serve(open);
    const since = await fanfare.position("a");
    await fanfare.publish("a", 1);
    await fanfare.states.patch("b", { n: 1 });
    const there = await fanfare.position("b");
    const stream = await post(http, [
      { channel: "a", since },
      { channel: "b", since: there, state: true },
    ]);
    const answers = [await stream.next("subscribed"), await stream.next("subscribed")];
    expect(answers.every(({ recovered }) => recovered)).toBe(true);
    expect(answers.map(({ channel, state }) => [channel, state]).sort()).toEqual([
      ["a", undefined],
      ["b", { n: 1 }],
    ]);
    expect(await offsets(stream, 1)).toEqual(["a1"]);
  });

  test("tells each channel that is refused, and goes on with the others", async () => {
    const { http, fanfare } = await serve({ anonymous: [{ channels: "b", actions: ["subscribe"] }] });
    const since = { epoch: "0123456789abcdef", offset: 3 };
    const stream = await post(http, [{ channel: "a" }, { channel: "a b" }, { channel: "b", since }]);
    expect(await stream.next("error")).toMatchObject({ channel: "a", code: "forbidden" });
    expect(await stream.next("error")).toMatchObject({ channel: "a b", code: "invalid_channel" });
    expect(await stream.next("subscribed")).toMatchObject({
      recovered: false,
      reason: "not_allowed_history",
    });
    await fanfare.publish("b", 1);
    expect(await offsets(stream, 1)).toEqual(["b1"]);
  });
});
