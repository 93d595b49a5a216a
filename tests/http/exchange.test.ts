/** A request and its answer are the same to the API whichever way they come: over a Node server, or through `fanfare.fetch`. */
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, test, vi } from "vitest";
import { createFanfare, type Fanfare } from "../../packages/server/src/library/fanfare.js";
import { serve } from "../doors/serving.js";

interface Way {
  readonly fanfare: Fanfare;
  readonly call: (path: string, init?: RequestInit) => Promise<Response>;
}

const OPTIONS = { access: "open", allowedOrigins: ["https://page.example"] } as const;

const ways: Record<string, () => Promise<Way>> = {
  "over a Node server": async () => {
    const { fanfare, http } = await serve(OPTIONS);
    return { fanfare, call: (path, init) => fetch(`${http}${path}`, init) };
  },
  "through fanfare.fetch": async () => {
    const fanfare = createFanfare({ ...OPTIONS, logger: silent });
    const call: Way["call"] = (path, init) =>
      fanfare.fetch(new Request(`http://localhost/push${path}`, init));
    return { fanfare, call };
  },
};
const silent = { debug() {}, info() {}, warn() {}, error() {} };

const encoder = new TextEncoder();
const json = { "content-type": "application/json" };
const MESSAGES = "/channels/news/messages";

/** A body that comes in these pieces, with turns of the event loop between them. */
function inPieces(pieces: readonly string[], end: (controller: ReadableStreamDefaultController) => void) {
  let next = 0;
  return new ReadableStream({
    async pull(controller) {
      await pause();
      const piece = pieces[next++];
      if (piece === undefined) end(controller);
      else controller.enqueue(encoder.encode(piece));
    },
  });
}

const posting = (body: BodyInit, headers: HeadersInit = json): RequestInit & { duplex: "half" } => ({
  method: "POST",
  headers,
  body,
  duplex: "half",
});

describe.each(Object.entries(ways))("%s", (_name, open) => {
  test("a body in pieces is read whole, and the answer says where it stands", async () => {
    const { fanfare, call } = await open();
    const answer = await call(
      MESSAGES,
      posting(inPieces(['{"da', 'ta": "gr', "üß", ' dich"}'], (body) => body.close())),
    );
    expect(answer.status).toBe(201);
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(await answer.json()).toMatchObject({ channel: "news", offset: 1 });
    const { messages } = await fanfare.history("news");
    expect(messages).toMatchObject([{ data: "grüß dich" }]);
  });

  test.each([
    ["no body", "", 400, "invalid_json"],
    ["no JSON", "{", 400, "invalid_json"],
    ["too large", JSON.stringify({ data: "x".repeat(600_000) }), 413, "too_large"],
  ])("a body that is %s is refused, and the next request is answered", async (_what, body, status, code) => {
    const { call } = await open();
    const refused = await call(MESSAGES, posting(body));
    expect(refused.status).toBe(status);
    expect(refused.headers.get("content-type")).toMatch(/^application\/problem\+json/);
    expect(await refused.json()).toMatchObject({ code });
    expect((await call("/health")).status).toBe(200);
  });

  test("a body that breaks off is published by no one, and harms no other request", async () => {
    const { fanfare, call } = await open();
    const broken = call(
      MESSAGES,
      posting(inPieces(['{"data": '], (body) => body.error(new Error("gone")))),
    ).then(
      ({ status }) => status,
      () => 400,
    );
    expect(await broken).toBe(400);
    expect((await call("/health")).status).toBe(200);
    expect((await fanfare.history("news")).messages).toEqual([]);
  });

  test("a page that may call is answered with the headers that its browser wants, beside JSON and beside a refusal", async () => {
    const { call } = await open();
    const headers = { ...json, origin: "https://page.example" };
    for (const body of ['{"data": 1}', "{"]) {
      const answer = await call(MESSAGES, posting(body, headers));
      expect(answer.headers.get("access-control-allow-origin")).toBe("https://page.example");
    }
    const preflight = await call(MESSAGES, { method: "OPTIONS", headers });
    expect(preflight.status).toBe(204);
  });

  test("a page that may not call is refused", async () => {
    const { call } = await open();
    const answer = await call(MESSAGES, posting('{"data": 1}', { ...json, origin: "https://evil.example" }));
    expect(await answer.json()).toMatchObject({ code: "origin_not_allowed" });
  });

  test("a stream brings what is published, and ends when its reader leaves", async () => {
    const { fanfare, call } = await open();
    const stream = await call("/sse?channel=news");
    expect(stream.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    const until = async (wanted: string) => {
      while (!text.includes(wanted)) {
        const { value, done } = (await reader?.read()) ?? { done: true, value: "" };
        if (done) throw new Error(`the stream ended before ${wanted}`);
        text += value;
      }
    };
    await until("connected\n");
    await fanfare.publish("news", "hello");
    await until("hello");
    expect(fanfare.stats()).toMatchObject({ connections: 1 });
    await reader?.cancel();
    await vi.waitUntil(() => fanfare.stats().connections === 0);
  });

  test("a stream whose reader does not read is held back, and then has everything in order", async () => {
    const { fanfare, call } = await open();
    const stream = await call("/sse?channel=news");
    const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader();
    const count = 60;
    for (let each = 0; each < count; each++) await fanfare.publish("news", `${each}:${"x".repeat(20_000)}`);
    let text = "";
    while (!text.includes(`${count - 1}:x`)) text += (await reader?.read())?.value ?? "";
    const heard = [...text.matchAll(/"(\d+):x/g)].map(([, each]) => Number(each));
    const sorted = [...heard].sort((a, b) => a - b);
    expect(heard).toEqual(sorted);
    expect(heard.at(-1)).toBe(count - 1);
    await reader?.cancel();
  });
});

describe("through fanfare.fetch", () => {
  const make = () => createFanfare({ access: "open", logger: silent });
  const address = `http://localhost/push${MESSAGES}`;

  test.each<[string, (request: Request) => unknown]>([
    ["read", (request) => request.text()],
    ["begun to read", (request) => request.body?.getReader()],
  ])("a body that the application has %s is refused, with what to do", async (_what, readIt) => {
    const request = new Request(address, posting('{"data": 1}'));
    void readIt(request);
    const answer = await make().fetch(request);
    expect(await answer.json()).toMatchObject({
      status: 400,
      detail: expect.stringContaining("another part of the application has read the body"),
      remedy: expect.stringContaining("let Fanfare come before"),
    });
  });

  test("a request that is aborted before its body has come publishes nothing", async () => {
    const fanfare = make();
    const controller = new AbortController();
    const endless = new ReadableStream({
      pull: async (body) => {
        body.enqueue(encoder.encode('{"data": 1}'));
        controller.abort();
        await new Promise(() => {});
      },
    });
    for (const body of [endless, '{"data": 1}']) {
      const { signal } = controller;
      const answer = await fanfare.fetch(new Request(address, { ...posting(body), signal }));
      expect(await answer.json()).toMatchObject({ status: 400, code: "invalid_request" });
    }
    expect((await fanfare.history("news")).messages).toEqual([]);
  });

  test("a stream ends when its request is aborted, before it begins or later", async () => {
    const fanfare = make();
    const controller = new AbortController();
    for (const when of ["later", "before"]) {
      const { signal } = controller;
      const request = new Request("http://localhost/push/sse?channel=news", { signal });
      const { body } = await fanfare.fetch(request);
      if (when === "later") expect(fanfare.stats()).toMatchObject({ connections: 1 });
      controller.abort();
      await vi.waitUntil(() => fanfare.stats().connections === 0);
      await expect(new Response(body).text()).rejects.toThrow("cut off");
    }
  });
});
