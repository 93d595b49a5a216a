import { describe, expect, test } from "vitest";
import type { Fetch } from "./client-options.js";
import { StreamSocket } from "./stream-socket.js";
import { FakeClock } from "./testing/fake-clock.js";
import { settled } from "./testing/scripted-server.js";

const EPOCH = "00000000000000a1";

/** A server that is played by the test: each stream takes what the test writes. */
function setUp() {
  const clock = new FakeClock();
  const calls: { path: string; init: RequestInit; body: unknown }[] = [];
  const streams: { say(name: string, data: object): void; raw(text: string): void; end(): void }[] = [];
  let answer: (path: string) => Response | null = () => null;
  const fetch: Fetch = async (url, init) => {
    calls.push({ path: url.pathname, init, body: JSON.parse(String(init.body)) });
    const other = answer(url.pathname);
    if (other) return other;
    let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
    const body = new ReadableStream<Uint8Array>({
      start(made) {
        controller = made;
      },
    });
    const raw = (text: string) => controller?.enqueue(new TextEncoder().encode(text));
    streams.push({
      raw,
      say: (name, data) => raw(`event: fanfare.${name}\ndata: ${JSON.stringify(data)}\n\n`),
      end: () => controller?.close(),
    });
    init.signal?.addEventListener("abort", () => controller?.error(new Error("aborted")));
    return new Response(body);
  };
  let csrf: string | undefined;
  const socket = new StreamSocket("wss://push.example.com/push/", fetch, clock, () => csrf);
  const heard: unknown[] = [];
  const closed: unknown[] = [];
  socket.onmessage = ({ data }: { data: string }) => void heard.push(JSON.parse(data));
  socket.onclose = (event: unknown) => void closed.push(event);
  const send = async (frame: object) => {
    socket.send(JSON.stringify(frame));
    await settle();
  };
  const stream = () => {
    const last = streams.at(-1);
    if (!last) throw new Error("there is no stream");
    return last;
  };
  const connect = async () => {
    await settled();
    await send({ type: "connect", token: "t" });
    stream().say("connected", { connection: "c1" });
    await settle();
  };
  const refuse = (status: number, problem: object | null) => {
    answer = () => new Response(JSON.stringify(problem), { status });
  };
  return {
    clock,
    socket,
    calls,
    streams,
    stream,
    heard,
    closed,
    send,
    connect,
    refuse,
    news: () => heard.splice(0),
    renewCsrf: (token: string) => {
      csrf = token;
    },
  };
}

/** Streams of the platform take a few turns. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((done) => setImmediate(done));
}

test("connects by a stream without channels, with what says who it is", async () => {
  const { connect, calls, news } = setUp();
  await connect();
  expect(calls).toMatchObject([{ path: "/push/sse", body: { channels: [] }, init: { method: "POST" } }]);
  expect(calls[0]?.init.headers).toMatchObject({ Authorization: "Bearer t" });
  expect(news()).toEqual([{ type: "connected", resumed: false, connection: "c1" }]);
});

test("what is subscribed in one go is one more stream, which goes on where channels were", async () => {
  const { connect, send, stream, calls, news } = setUp();
  await connect();
  news();
  await send({ type: "subscribe", request: 1, channels: [{ channel: "a" }] });
  stream().say("connected", { connection: "c2" });
  stream().say("subscribed", { channel: "a", epoch: EPOCH, offset: 4, head: 4, recovered: false });
  stream().raw('data: {"channel":"a","offset":5,"da');
  stream().raw('ta":"é"}\n\n: keep-alive\n\n');
  await settle();
  expect(news().slice(1)).toEqual([
    { type: "subscribed", request: 1, channel: "a", epoch: EPOCH, offset: 4, head: 4, recovered: false },
    { type: "message", channel: "a", offset: 5, data: "é" },
  ]);
  const before = calls.length;
  void send({ type: "subscribe", request: 2, channels: [{ channel: "b" }] });
  await send({
    type: "subscribe",
    request: 3,
    channels: [{ channel: "c", since: { epoch: EPOCH, offset: 1 } }],
  });
  expect(calls).toHaveLength(before + 1);
  expect(calls.at(-1)?.body).toEqual({
    channels: [
      { channel: "a", since: { epoch: EPOCH, offset: 5 } },
      { channel: "b" },
      { channel: "c", since: { epoch: EPOCH, offset: 1 } },
    ],
  });
  stream().say("subscribed", { channel: "a", epoch: EPOCH, offset: 5, head: 5, recovered: true });
  stream().say("error", { channel: "b", code: "forbidden", message: "no", remedy: "Ask." });
  await settle();
  expect(news()).toEqual([
    { type: "error", request: 2, channel: "b", code: "forbidden", message: "no", remedy: "Ask." },
  ]);
});

test("a state that is said again, and who is there, leave the position where it is", async () => {
  const { connect, send, stream, calls } = setUp();
  await connect();
  await send({ type: "subscribe", request: 1, channels: [{ channel: "a" }] });
  stream().say("subscribed", { channel: "a", epoch: EPOCH, offset: 4, head: 4, recovered: false });
  stream().say("state", { channel: "a", from: 2, offset: 2, value: { n: 1 } });
  stream().say("presence", { channel: "a", joined: [] });
  await settle();
  await send({ type: "subscribe", request: 2, channels: [{ channel: "b" }] });
  expect(calls.at(-1)?.body).toMatchObject({ channels: [{ channel: "a", since: { offset: 4 } }, {}] });
});

describe("a channel that cannot go on in the next stream", () => {
  test.each([
    [
      "of the same log",
      { epoch: EPOCH, offset: 9, reason: "evicted" },
      { from: 5, to: 9, reason: "evicted" },
    ],
    [
      "of another log",
      { epoch: "00000000000000b2", offset: 2, reason: "restarted" },
      { from: 1, to: 2, reason: "restarted" },
    ],
  ])("has a gap: %s", async (_name, start, gap) => {
    const { connect, send, stream, news } = setUp();
    await connect();
    await send({ type: "subscribe", request: 1, channels: [{ channel: "a" }] });
    stream().say("subscribed", { channel: "a", epoch: EPOCH, offset: 4, head: 4, recovered: false });
    await settle();
    await send({ type: "subscribe", request: 2, channels: [{ channel: "b" }] });
    news();
    stream().say("subscribed", {
      channel: "a",
      head: 9,
      recovered: false,
      state: { n: 1 },
      stateOffset: 2,
      ...start,
    });
    await settle();
    expect(news()).toEqual([
      { type: "gap", channel: "a", epoch: start.epoch, ...gap },
      { type: "state", channel: "a", from: 2, offset: 2, value: { n: 1 } },
    ]);
  });

  test("and has no state is told the gap only", async () => {
    const { connect, send, stream, news } = setUp();
    await connect();
    await send({ type: "subscribe", request: 1, channels: [{ channel: "a" }] });
    stream().say("subscribed", { channel: "a", epoch: EPOCH, offset: 4, head: 4, recovered: false });
    await settle();
    await send({ type: "subscribe", request: 2, channels: [{ channel: "b" }] });
    news();
    const start = { channel: "a", epoch: EPOCH, offset: 9, head: 9, recovered: false, reason: "evicted" };
    stream().say("subscribed", start);
    await settle();
    expect(news()).toMatchObject([{ type: "gap", from: 5, to: 9 }]);
  });
});

test.each([{}, { token: "t" }, { csrf: "c" }, { publisher: "p".repeat(32) }])(
  "a client that gives %j sends that in headers, and nothing else",
  async (given: { token?: string; csrf?: string; publisher?: string }) => {
    const { calls, send, renewCsrf } = setUp();
    await settled();
    const { token, csrf, publisher } = given;
    if (csrf) renewCsrf(csrf);
    await send({ type: "connect", token, publisher });
    const headers = new Headers(calls[0]?.init.headers);
    expect(["Authorization", "X-Csrf-Token", "Fanfare-Publisher"].map((name) => headers.get(name))).toEqual([
      token ? `Bearer ${token}` : null,
      csrf ?? null,
      publisher ?? null,
    ]);
  },
);

test("each request carries the CSRF token of its time", async () => {
  const { connect, send, calls, refuse, renewCsrf } = setUp();
  renewCsrf("first");
  await connect();
  refuse(403, { code: "forbidden", detail: "no", remedy: "" });
  await send({ type: "publish", request: 1, channel: "a", data: 1 });
  renewCsrf("second");
  await send({ type: "publish", request: 2, channel: "a", data: 2 });
  await send({ type: "patch", request: 3, channel: "a", patch: {}, id: "k" });
  expect(calls.map(({ init }) => new Headers(init.headers).get("X-Csrf-Token"))).toEqual([
    "first",
    "first",
    "second",
    "second",
  ]);
});

test.each(["ü€", "a\nb", " a", "a ", ""])(
  "the id %j, which no header carries, needs a WebSocket",
  async (id) => {
    const { connect, send, calls, closed, news, refuse } = setUp();
    await connect();
    news();
    await send({ type: "patch", request: 1, channel: "a", patch: {}, id });
    expect(news()).toMatchObject([
      {
        type: "error",
        request: 1,
        channel: "a",
        code: "needs_websocket",
        message: expect.stringContaining(`no header can carry the id ${JSON.stringify(id)}`),
      },
    ]);
    refuse(200, { results: [{ epoch: EPOCH, offset: 5 }] });
    await send({ type: "publish", request: 2, channel: "a", data: 1, id });
    expect(news()).toEqual([{ type: "ok", request: 2, channel: "a", epoch: EPOCH, offset: 5 }]);
    expect([calls.length, closed]).toEqual([2, []]);
  },
);

test.each([
  ["anonymous", undefined, "forbidden"],
  ["with a token", "t", "not_logged_in"],
])("a call that HTTP wants a log-in for is refused to a client that is %s", async (_who, token, code) => {
  const { send, stream, news, refuse } = setUp();
  await settled();
  await send({ type: "connect", token });
  stream().say("connected", { connection: "c1" });
  await settle();
  news();
  refuse(401, { code: "not_logged_in", detail: "who are you", remedy: "Say it." });
  await send({ type: "publish", request: 1, channel: "a", data: 1 });
  expect(news()).toMatchObject([{ type: "error", request: 1, code, message: "who are you" }]);
});

describe("is lost", () => {
  test("when the stream ends", async () => {
    const { connect, stream, closed, socket } = setUp();
    await connect();
    stream().end();
    await settle();
    expect([closed, socket.readyState]).toEqual([[{ code: 1006, reason: "" }], 3]);
  });

  test("as the server says", async () => {
    const { connect, stream, closed, news } = setUp();
    await connect();
    news();
    stream().say("closed", { code: 1012, reason: "the server stops", retryAfterSeconds: 1.5 });
    await settle();
    expect(news()).toEqual([{ type: "goodbye", retryAfterSeconds: 1.5 }]);
    expect(closed).toEqual([{ code: 1012, reason: "the server stops" }]);
  });

  test.each([
    [400, 4400],
    [401, 4401],
    [429, 4429],
    [503, 1006],
    [404, 1006],
  ])("when a stream is answered with %i, with %i", async (status, code) => {
    const { send, refuse, closed } = setUp();
    refuse(status, { code: "x", detail: "why", remedy: "" });
    await settled();
    await send({ type: "connect" });
    expect(closed).toEqual([{ code, reason: "why" }]);
  });

  test("when something on the way answers", async () => {
    const { send, refuse, closed } = setUp();
    refuse(400, null);
    await settled();
    await send({ type: "connect" });
    expect(closed).toEqual([{ code: 1006, reason: "The server answered 400." }]);
  });

  test("when nothing came for 30 seconds, which a ping finds out", async () => {
    const { connect, clock, send, stream, closed, news } = setUp();
    await connect();
    news();
    clock.advance(25_000);
    await send({ type: "ping" });
    expect(news()).toEqual([{ type: "pong" }]);
    stream().raw(": keep-alive\n\n");
    await settle();
    clock.advance(30_000);
    await send({ type: "ping" });
    expect(news()).toEqual([{ type: "pong" }]);
    clock.advance(1);
    await send({ type: "ping" });
    expect(closed).toEqual([{ code: 1006, reason: "The server has fallen silent." }]);
  });
});

test("a stream that falls silent is lost, whatever becomes of the time of day", async () => {
  const { connect, send, clock, closed } = setUp();
  await connect();
  clock.set(-3_600_000);
  clock.advance(30_001);
  await send({ type: "ping" });
  expect(closed).toEqual([{ code: 1006, reason: "The server has fallen silent." }]);
});

describe("JSON of something on the way, which is no problem of ours,", () => {
  const body = { message: "Service Unavailable" };

  test("refuses a call for a while, and the connection goes on", async () => {
    const { connect, refuse, send, news, closed } = setUp();
    await connect();
    news();
    refuse(503, body);
    await send({ type: "publish", request: 7, channel: "a", data: 1, id: "k" });
    expect(news()).toMatchObject([{ type: "error", request: 7, code: "unavailable" }]);
    expect(closed).toEqual([]);
  });

  test.each([400, 403, 503])("with %i ends no connection for good", async (status) => {
    const { send, refuse, closed } = setUp();
    await settled();
    refuse(status, body);
    await send({ type: "connect" });
    expect(closed).toEqual([{ code: 1006, reason: `The server answered ${status}.` }]);
  });
});

test("a new token goes with another stream", async () => {
  const { connect, send, calls, stream, news } = setUp();
  await connect();
  news();
  await send({ type: "token", token: "t2" });
  expect(calls.at(-1)?.init.headers).toMatchObject({ Authorization: "Bearer t2" });
  stream().say("connected", { connection: "c2", expires: 9, time: 1 });
  await settle();
  expect(news()).toMatchObject([{ type: "token", expires: 9, time: 1 }]);
});

test("a change of the state is a PATCH, with the version that it is for", async () => {
  const { connect, send, calls, refuse, news } = setUp();
  await connect();
  news();
  refuse(412, { code: "version_mismatch", detail: "another", remedy: "Read it." });
  const ifVersion = { epoch: EPOCH, offset: 3 };
  await send({ type: "patch", request: 7, channel: "a", patch: { n: 1 }, ifVersion, id: "k" });
  expect(calls.at(-1)).toMatchObject({
    path: "/push/channels/a/state",
    init: { method: "PATCH" },
    body: { n: 1 },
  });
  expect(calls.at(-1)?.init.headers).toMatchObject({ "If-Match": `"${EPOCH}:3"`, "Idempotency-Key": "k" });
  expect(news()).toEqual([
    {
      type: "error",
      request: 7,
      channel: "a",
      code: "version_mismatch",
      message: "another",
      remedy: "Read it.",
    },
  ]);
});

test("requests go one after the other, and a lost one is the end of the connection", async () => {
  const { connect, send, calls, closed, streams, socket } = setUp();
  await connect();
  void send({ type: "publish", request: 1, channel: "a", data: 1 });
  await send({ type: "publish", request: 2, channel: "a", data: 2 });
  expect(calls.slice(1)).toMatchObject([{ path: "/push/channels/a/messages", body: { data: 1 } }]);
  expect(socket.asking).toBe(2);
  streams.at(-1)?.end();
  await settle();
  expect(closed).toEqual([{ code: 1006, reason: "" }]);
  expect([calls.length, socket.asking]).toEqual([2, 0]);
});

test("what needs a connection of its own is refused, saying so", async () => {
  const { connect, send, news } = setUp();
  await connect();
  news();
  await send({ type: "lock", request: 8, channel: "a" });
  expect(news()).toMatchObject([{ type: "error", request: 8, code: "needs_websocket" }]);
});

test("every request carries cookies, also to another origin, as a WebSocket does", async () => {
  const { connect, send, calls } = setUp();
  await connect();
  await send({ type: "publish", request: 1, channel: "a", data: 1 });
  expect(calls.map(({ init }) => init.credentials)).toEqual(["include", "include"]);
});
