import { ERRORS } from "@fanfare/protocol";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createClient } from "./client.js";
import { FakeClock } from "./testing/fake-clock.js";
import { EPOCH, FakePage, LATER_EPOCH, ScriptedServer, settled } from "./testing/scripted-server.js";
import type { ClientOptions, ConnectionState, Gap } from "./types.js";

function setUp(options: Partial<ClientOptions> = {}) {
  const clock = new FakeClock();
  const server = new ScriptedServer();
  const page = new FakePage();
  const client = createClient({
    url: "http://push.example.com/push",
    WebSocket: server.WebSocket,
    sse: false,
    clock,
    page,
    random: () => 0.5,
    ...options,
  });
  const states: ConnectionState[] = [];
  client.on("state", (state) => states.push(state));
  /** Lets time pass up to the next try. */
  const nextTry = () => {
    if (client.state.status === "reconnecting") clock.advance(client.state.retryAt - clock.now());
  };
  return { clock, server, page, client, nextTry, states, statuses: () => states.map(({ status }) => status) };
}

/** A client that is connected and live on `news`, and what its handler hears. */
async function live(options: Partial<ClientOptions> = {}) {
  const all = setUp(options);
  const heard: number[] = [];
  const subscription = all.client.subscribe("news", ({ offset }) => heard.push(offset));
  all.server.welcome();
  all.server.subscribed("news", { offset: 5 });
  await settled();
  all.server.socket.news();
  return { ...all, heard, subscription };
}

const reported = vi.fn();
beforeEach(() => {
  vi.stubGlobal("reportError", reported.mockClear());
  vi.spyOn(console, "warn").mockImplementation(() => {});
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

describe("connecting", () => {
  test("waits for the first subscription, or for the page's word", () => {
    const { server, client } = setUp();
    expect([server.sockets.length, client.state.status]).toEqual([0, "idle"]);
    client.connect();
    expect([server.sockets.length, client.state.status]).toEqual([1, "connecting"]);
    expect(server.socket).toMatchObject({ url: "ws://push.example.com/push", protocol: "fanfare.v1" });
  });

  test("says what it does, as events and as a value", () => {
    const { server, client, states, statuses, clock } = setUp();
    client.connect();
    server.welcome();
    const transport = "websocket";
    expect(client.state).toEqual({ status: "connected", connection: "c1", resumed: false, transport });
    server.socket.lose();
    expect(client.state).toMatchObject({ status: "reconnecting", attempt: 1, retryAt: clock.now() + 250 });
    clock.advance(250);
    server.welcome({ resumed: true });
    expect(client.state).toEqual({ status: "connected", connection: "c2", resumed: true, transport });
    client.close();
    expect(statuses()).toEqual([
      "connecting",
      "connected",
      "reconnecting",
      "connecting",
      "connected",
      "closed",
    ]);
    expect(states.at(-1)).toBe(client.state);
  });

  test("goes on with the session, unless the page had left", () => {
    const { server, client, clock } = setUp();
    client.connect();
    const first = server.welcome();
    expect(first.sent).toEqual([{ type: "connect" }]);
    first.lose();
    clock.advance(250);
    const second = server.welcome({ resumed: true });
    expect(second.sent[0]).toEqual({ type: "connect", session: "secret1" });
    client.close();
    expect(second.closedWith).toBe(1000);
    client.connect();
    expect(server.welcome().sent[0]).toEqual({ type: "connect" });
  });

  test("gives up a socket that never opens, without ending the session, and tries another", () => {
    const { server, client, clock } = setUp();
    client.connect();
    server.welcome().lose();
    clock.advance(250);
    const stuck = server.socket;
    clock.advance(10_000);
    expect(client.state.status).toBe("reconnecting");
    expect(stuck.closedWith, "1000, 1001 and an empty close would end the session").toBe(4000);
    clock.advance(1000);
    expect(server.sockets).toHaveLength(3);
    expect(server.welcome().sent[0]).toMatchObject({ session: "secret1" });
    stuck.open();
    stuck.say({ type: "connected", connection: "stale", session: "stale", resumed: false, ping: 15 });
    stuck.lose();
    expect(client.state).toMatchObject({ status: "connected", connection: "c3" });
  });

  test("tries again when the constructor throws, and says what it threw", () => {
    const { server, client, clock, nextTry } = setUp();
    server.refusal = new Error("blocked by the page's policy");
    client.connect();
    clock.advance(0);
    expect(client.state).toMatchObject({
      status: "reconnecting",
      why: "Error: blocked by the page's policy",
    });
    server.refusal = null;
    nextTry();
    expect(client.state.status).toBe("connecting");
    server.welcome();
    expect(client.state.status).toBe("connected");
  });

  test("a throw of the constructor does not count against a later try", () => {
    const { server, client, clock } = setUp();
    server.refusal = new Error("blocked");
    client.connect();
    client.close();
    server.refusal = null;
    client.connect();
    clock.advance(0);
    expect(client.state.status).toBe("connecting");
  });

  test("closing while it connects closes the socket, and leaves no timer behind", () => {
    const { server, client, clock } = setUp();
    client.subscribe("news", () => {});
    client.close();
    expect(server.socket.closedWith).toBe(1000);
    expect(clock.pending).toBe(0);
    server.socket.open();
    expect(server.socket.sent).toEqual([]);
    expect(client.state).toMatchObject({ status: "closed", code: null, remedy: "Call connect()." });
  });

  test("stays closed until the page says otherwise, and goes on where it was", async () => {
    const { client, server, heard, clock } = await live();
    server.message("news", 6);
    client.close();
    client.subscribe("other", () => {});
    await settled();
    clock.advance(3_600_000);
    expect(server.sockets).toHaveLength(1);
    client.connect();
    const socket = server.welcome();
    await settled();
    expect(socket.sent[1]).toMatchObject({
      type: "subscribe",
      channels: [{ channel: "news", since: { epoch: EPOCH, offset: 6 } }, { channel: "other" }],
    });
    server.subscribed("news");
    server.message("news", 7);
    expect(heard).toEqual([6, 7]);
  });

  test("stays away after a final close, with the server's words", async () => {
    const { client, server, clock } = await live();
    server.socket.lose(4401, "the token has expired");
    clock.advance(3_600_000);
    expect(client.state).toEqual({
      status: "closed",
      why: "the token has expired",
      remedy: "Log in again, then connect with the new token.",
      code: 4401,
    });
    expect([server.sockets.length, clock.pending]).toEqual([1, 0]);
  });

  test("waits as long as the goodbye asked", async () => {
    const { server, clock, client } = await live();
    server.socket.say({ type: "goodbye", retryAfter: 1.7 });
    server.socket.lose(1012, "the server restarts");
    expect(client.state).toMatchObject({ status: "reconnecting", retryAt: clock.now() + 1700 });
    clock.advance(1699);
    expect(server.sockets).toHaveLength(1);
    clock.advance(1);
    expect(server.sockets).toHaveLength(2);
  });

  test("notices a dead server by its own ping, and a slept timer does not count", async () => {
    const { server, clock, client } = await live();
    clock.advance(15_000);
    expect(server.socket.news()).toEqual([{ type: "ping" }]);
    server.socket.say({ type: "pong" });
    clock.advance(15_000);
    clock.sleep(600_000);
    expect(client.state.status).toBe("connected");
    server.socket.say({ type: "pong" });
    clock.advance(29_999);
    expect(client.state.status).toBe("connected");
    clock.advance(1);
    expect(client.state).toMatchObject({ status: "reconnecting", why: "The server has fallen silent." });
  });

  test("what is no frame makes it come back; frames that it does not know are left alone", async () => {
    const { server, client, nextTry, heard } = await live();
    server.socket.say({ type: "confetti", from: "a later server" });
    expect(client.state.status).toBe("connected");
    for (const text of ["<html>", "null", "7", '"text"']) {
      server.socket.say(text);
      expect(client.state).toMatchObject({
        status: "reconnecting",
        why: expect.stringContaining("no frame"),
      });
      nextTry();
      server.welcome();
      server.subscribed("news");
    }
    server.message("news", 6);
    expect(heard).toEqual([6]);
  });

  test("tells all listeners the newest state last, even when one of them changes it", () => {
    const { client, server } = setUp();
    const later: string[] = [];
    client.on("state", ({ status }) => status === "connected" && client.close());
    client.on("state", ({ status }) => later.push(status));
    client.connect();
    server.welcome();
    expect(later).toEqual(["connecting", "closed"]);
    expect(client.state.status).toBe("closed");
  });

  test("a state listener that throws is reported, and one that left hears nothing", () => {
    const { client } = setUp();
    const heard = vi.fn();
    client.on("state", () => {
      throw new Error("no");
    });
    client.on("state", heard)();
    client.connect();
    expect([reported.mock.calls.length, heard.mock.calls.length]).toEqual([1, 0]);
  });
});

describe("the token", () => {
  test("is said in connect", () => {
    const { client, server } = setUp({ token: "t1" });
    client.connect();
    server.socket.open();
    return settled().then(() => expect(server.socket.sent).toEqual([{ type: "connect", token: "t1" }]));
  });

  test("is asked for before every connect", async () => {
    let asked = 0;
    const { client, server, nextTry } = setUp({ getToken: () => `t${++asked}` });
    client.connect();
    server.socket.open();
    await settled();
    server.socket.lose();
    nextTry();
    server.socket.open();
    await settled();
    expect(server.sockets.map(({ sent }) => sent[0])).toEqual([
      { type: "connect", token: "t1" },
      { type: "connect", token: "t2" },
    ]);
  });

  test("that comes late serves the next connect, and is not asked for twice", async () => {
    const waiting: ((token: string) => void)[] = [];
    const { client, server, clock } = setUp({ getToken: () => new Promise((done) => waiting.push(done)) });
    client.connect();
    server.socket.open();
    await settled();
    clock.advance(10_000);
    clock.advance(250);
    server.socket.open();
    await settled();
    waiting[0]?.("late");
    await settled();
    expect(waiting).toHaveLength(1);
    expect(server.sockets.map(({ sent }) => sent)).toEqual([[], [{ type: "connect", token: "late" }]]);
  });

  test.each([
    ["rejects", () => Promise.reject(new Error("logged out"))],
    [
      "throws",
      () => {
        throw new Error("logged out");
      },
    ],
  ])("that cannot be had (getToken %s) is told, and tried again later", async (_how, getToken) => {
    const { client, server, nextTry } = setUp({ getToken });
    const errors: string[] = [];
    client.on("error", ({ message }) => errors.push(message));
    client.connect();
    server.socket.open();
    await settled();
    expect(errors).toEqual(["logged out"]);
    expect(client.state).toMatchObject({ status: "reconnecting", why: "The token could not be had." });
    nextTry();
    expect(server.sockets).toHaveLength(2);
  });
});

describe("subscribing", () => {
  test("sends what a page subscribes in one go in one frame", async () => {
    const { client, server } = setUp();
    client.connect();
    const socket = server.welcome();
    client.subscribe("a", () => {});
    client.subscribe("b", () => {}, { since: { epoch: EPOCH, offset: 3 } });
    client.subscribe("a", () => {});
    await settled();
    expect(socket.sent.slice(1)).toEqual([
      {
        type: "subscribe",
        id: 1,
        // What came before is not known, so the state has to be told.
        channels: [{ channel: "a" }, { channel: "b", since: { epoch: EPOCH, offset: 3 }, state: true }],
      },
    ]);
  });

  test("splits what is more than 1,000 channels", async () => {
    const { client, server } = setUp();
    for (let index = 0; index < 2500; index++) client.subscribe(`c:${index}`, () => {});
    const frames = server.welcome().sent.filter(({ type }) => type === "subscribe");
    expect(frames.map(({ channels }) => (channels as unknown[]).length)).toEqual([1000, 1000, 500]);
    expect(new Set(frames.map(({ id }) => id)).size).toBe(3);
  });

  test("refuses what the server would close the connection for", () => {
    const { client } = setUp();
    const { remedy } = ERRORS.invalid_channel;
    for (const name of ["", "a b", "a::b", "$x", "x".repeat(201)]) {
      expect(() => client.subscribe(name, () => {})).toThrow(
        expect.objectContaining({ code: "invalid_channel", remedy }),
      );
    }
    for (const since of [
      { epoch: EPOCH, offset: "17" },
      { epoch: EPOCH, offset: -1 },
      { epoch: "x", offset: 1 },
    ]) {
      expect(() => client.subscribe("news", () => {}, { since: since as never })).toThrow(
        expect.objectContaining({ code: "invalid_position", remedy: ERRORS.invalid_position.remedy }),
      );
    }
    expect(client.state.status).toBe("idle");
  });

  test("the last handler to leave unsubscribes, once", async () => {
    const { client, server, subscription, heard } = await live();
    const second: number[] = [];
    const other = client.subscribe("news", ({ offset }) => second.push(offset));
    await settled();
    server.message("news", 6);
    subscription.unsubscribe();
    subscription.unsubscribe();
    server.message("news", 7);
    expect(server.socket.news()).toEqual([]);
    other.unsubscribe();
    other.unsubscribe();
    expect(server.socket.news()).toMatchObject([{ type: "unsubscribe", channel: "news" }]);
    server.message("news", 8);
    expect([heard, second, other.position]).toEqual([[6], [6, 7], { epoch: EPOCH, offset: 7 }]);
  });

  test("answers to a subscription that was left do not count for the next one", async () => {
    const { client, server } = setUp();
    client.connect();
    const socket = server.welcome();
    const first = vi.fn();
    const second = vi.fn();
    const errors = vi.fn();
    client.on("error", errors);
    client.subscribe("news", first).unsubscribe();
    const left = client.subscribe("news", first);
    await settled();
    left.unsubscribe();
    client.subscribe("news", second);
    await settled();
    expect(socket.sent.slice(1).map(({ type, id }) => [type, id])).toEqual([
      ["subscribe", 1],
      ["unsubscribe", 2],
      ["subscribe", 3],
    ]);
    socket.say({
      type: "subscribed",
      id: 1,
      channel: "news",
      epoch: EPOCH,
      offset: 1,
      head: 1,
      recovered: false,
    });
    server.message("news", 2);
    socket.say({ type: "error", id: 1, channel: "news", code: "not_subscribed", message: "", remedy: "" });
    socket.say({ type: "ok", id: 2 });
    server.subscribed("news", { offset: 2 });
    server.message("news", 3);
    expect([first.mock.calls.length, second.mock.calls.length, errors.mock.calls.length]).toEqual([0, 1, 0]);
  });

  test("a handler may leave, and subscribe again, in the middle of a message", async () => {
    const { client, server, subscription } = await live();
    const heard: number[] = [];
    const again = client.subscribe("news", () => {
      again.unsubscribe();
      subscription.unsubscribe();
      client.subscribe("news", ({ offset }) => heard.push(offset));
    });
    await settled();
    server.message("news", 6);
    await settled();
    expect(server.socket.news()).toMatchObject([{ type: "unsubscribe" }, { type: "subscribe" }]);
    server.subscribed("news", { offset: 6 });
    server.message("news", 7);
    expect(heard).toEqual([7]);
  });

  test("a handler that joins is told of its start after subscribe has returned", async () => {
    const { client } = await live();
    const starts: unknown[] = [];
    const joined = client.subscribe("news", () => {}, { onSubscribed: () => starts.push(joined.position) });
    expect(starts).toEqual([]);
    await settled();
    expect(starts).toEqual([{ epoch: EPOCH, offset: 5 }]);
  });

  test("a handler that joins with an earlier position makes the client ask again", async () => {
    const { client, server, heard } = await live();
    const second: number[] = [];
    client.subscribe("news", ({ offset }) => second.push(offset), { since: { epoch: EPOCH, offset: 3 } });
    await settled();
    expect(server.socket.news()).toMatchObject([
      { type: "unsubscribe" },
      { type: "subscribe", channels: [{ since: { offset: 3 } }] },
    ]);
    server.message("news", 6);
    server.subscribed("news", { head: 6 });
    for (const offset of [4, 5, 6, 7]) server.message("news", offset);
    expect([heard, second]).toEqual([
      [6, 7],
      [4, 5, 6, 7],
    ]);
  });

  test("a handler that joins with a position while the question is under way loses nothing", async () => {
    const { client, server } = setUp();
    client.subscribe("news", () => {});
    server.welcome();
    const heard: number[] = [];
    const onGap = vi.fn();
    client.subscribe("news", ({ offset }) => heard.push(offset), {
      since: { epoch: EPOCH, offset: 3 },
      onGap,
    });
    await settled();
    server.subscribed("news", { offset: 8 });
    expect(server.socket.sent.slice(-2)).toMatchObject([
      { type: "unsubscribe" },
      { type: "subscribe", channels: [{ since: { offset: 3 } }] },
    ]);
    server.subscribed("news", { head: 8 });
    server.message("news", 4);
    expect([heard, onGap.mock.calls.length]).toEqual([[4], 0]);
  });

  test("a page that leaves or closes inside of its callbacks breaks nothing", async () => {
    const { client, server, clock } = setUp();
    const subscription = client.subscribe("a", () => {}, { onSubscribed: () => subscription.unsubscribe() });
    client.subscribe("b", () => {}, { onSubscribed: () => client.close() });
    server.welcome();
    server.subscribed("a");
    expect(server.socket.sent.at(-1)).toMatchObject({ type: "unsubscribe", channel: "a" });
    server.subscribed("b", { offset: 3 });
    expect(client.state.status).toBe("closed");
    client.connect();
    server.welcome();
    await settled();
    expect(server.socket.sent.at(-1)).toMatchObject({ channels: [{ channel: "b", since: { offset: 3 } }] });
    expect(clock.pending).toBe(1);
  });

  test("a server that subscribes by itself is answered: wanted channels are live, others are left", async () => {
    const { client, server } = setUp();
    const heard: number[] = [];
    const onError = vi.fn();
    client.subscribe("broadcast", ({ offset }) => heard.push(offset), {
      since: { epoch: EPOCH, offset: 2 },
      onError,
    });
    const socket = server.welcome();
    const auto = { type: "subscribed", epoch: EPOCH, offset: 4, head: 4, recovered: false };
    const already = {
      type: "error",
      id: 1,
      channel: "broadcast",
      code: "already_subscribed",
      message: "",
      remedy: "",
    };
    socket.say(already);
    socket.say({ ...auto, channel: "broadcast" });
    socket.say({ ...auto, channel: "unwanted" });
    expect(socket.sent.slice(2)).toMatchObject([
      { type: "unsubscribe", channel: "broadcast" },
      { type: "subscribe", channels: [{ channel: "broadcast", since: { offset: 2 } }] },
      { type: "unsubscribe", channel: "unwanted" },
    ]);
    server.subscribed("broadcast", { head: 4 });
    for (const offset of [3, 4, 5]) server.message("broadcast", offset);
    expect([heard, onError.mock.calls.length]).toEqual([[3, 4, 5], 0]);
  });
});

test("a channel that the server subscribes by itself goes on with the connect frame after a reconnect", async () => {
  const { client, server } = setUp();
  const heard: number[] = [];
  client.subscribe("broadcast", ({ offset }) => heard.push(offset));
  const auto = { type: "subscribed", channel: "broadcast", epoch: EPOCH };
  const first = server.welcome();
  first.say({ ...auto, offset: 4, head: 4, recovered: false });
  server.message("broadcast", 5);
  first.lose();
  client.connect();
  const second = server.welcome();
  expect(second.sent[0]).toEqual({
    type: "connect",
    session: expect.any(String),
    since: [{ channel: "broadcast", epoch: EPOCH, offset: 5 }],
  });
  second.say({ ...auto, offset: 5, head: 6, recovered: true });
  second.say({
    type: "error",
    id: 2,
    channel: "broadcast",
    code: "already_subscribed",
    message: "",
    remedy: "",
  });
  server.message("broadcast", 6);
  expect(heard).toEqual([5, 6]);
  expect(second.sent.map(({ type }) => type)).toEqual(["connect", "subscribe"]);
});

describe("what is refused", () => {
  const refusal = (fields: object) => ({ type: "error", message: "no", remedy: "ask", ...fields });

  test("is told to the channel's handlers, or else to the client's, or else reported", async () => {
    const { client, server } = setUp();
    const onError = vi.fn();
    const onClientError = vi.fn();
    client.subscribe("a", () => {}, { onError });
    client.subscribe("b", () => {});
    const socket = server.welcome();
    socket.say(refusal({ id: 1, channel: "a", code: "forbidden" }));
    expect(onError).toHaveBeenCalledWith(
      expect.objectContaining({ code: "forbidden", message: "no", remedy: "ask", retryAfter: null }),
    );
    socket.say(refusal({ id: 1, channel: "b", code: "forbidden" }));
    expect(reported).toHaveBeenCalledTimes(1);
    client.on("error", onClientError);
    socket.say(refusal({ code: "rate_limited" }));
    expect(onClientError).toHaveBeenCalledTimes(1);
    expect(client.state.status).toBe("connected");
  });

  test("as a whole batch is told to each of its channels", () => {
    const { client, server } = setUp();
    const onError = vi.fn();
    for (const name of ["a", "b"]) client.subscribe(name, () => {}, { onError });
    server.welcome().say(refusal({ id: 1, code: "invalid_request" }));
    expect(onError).toHaveBeenCalledTimes(2);
  });

  test("is asked again after a reconnect", async () => {
    const { client, server, clock, nextTry } = setUp();
    client.subscribe("a", () => {}, { onError: () => {} });
    server.welcome().say(refusal({ id: 1, channel: "a", code: "forbidden" }));
    clock.advance(14_000);
    expect(server.socket.sent).toHaveLength(2);
    server.socket.lose();
    nextTry();
    expect(server.welcome().sent[1]).toMatchObject({ type: "subscribe" });
  });

  test.each([
    ["after the time that the server names", { code: "rate_limited", retryAfter: 2 }, 2000],
    ["after a while, where it may pass", { code: "unavailable" }, 5000],
  ])("is asked again %s", (_when, fields, ms) => {
    const { client, server, clock } = setUp();
    client.subscribe("a", () => {}, { onError: () => {} });
    const socket = server.welcome();
    socket.say(refusal({ id: 1, channel: "a", ...fields }));
    clock.advance(ms - 1);
    expect(socket.sent).toHaveLength(2);
    clock.advance(1);
    expect(socket.sent[2]).toMatchObject({ type: "subscribe", channels: [{ channel: "a" }] });
  });

  test("leaves no timer behind when the page leaves or closes", async () => {
    const { client, server, clock } = setUp();
    const a = client.subscribe("a", () => {}, { onError: () => {} });
    client.subscribe("b", () => {}, { onError: () => {} });
    const socket = server.welcome();
    for (const channel of ["a", "b"]) socket.say(refusal({ id: 1, channel, code: "unavailable" }));
    a.unsubscribe();
    client.close();
    expect(clock.pending).toBe(0);
  });

  test("and ended by the server is told, and heard no more", async () => {
    const { client, server, heard } = await live();
    const onError = vi.fn();
    client.on("error", onError);
    server.socket.say({ type: "unsubscribed", channel: "news", code: "forbidden" });
    server.message("news", 6);
    expect([onError.mock.calls[0]?.[0].code, heard]).toEqual(["forbidden", []]);
  });

  test("makes it come back slower, where the connection is closed for it", async () => {
    const { client, server, clock } = await live();
    client.on("error", () => {});
    server.socket.say(refusal({ code: "rate_limited", retryAfter: 20 }));
    server.socket.lose(4429);
    expect(client.state).toMatchObject({ status: "reconnecting", retryAt: clock.now() + 20_000 });
  });
});

describe("gaps", () => {
  const gap = { type: "gap", channel: "news", epoch: EPOCH, from: 6, to: 8, reason: "too_slow" };

  test("go to the handler, or else to the client's listeners, or else to the console", async () => {
    const { client, server } = await live();
    const gaps: Gap[] = [];
    server.socket.say(gap);
    expect(console.warn).toHaveBeenCalledTimes(1);
    const off = client.on("gap", (each) => {
      gaps.push(each);
      off();
    });
    server.socket.say({ ...gap, from: 9, to: 9 });
    expect(gaps).toEqual([{ type: "gap", channel: "news", reason: "too_slow", from: 9, to: 9 }]);
    expect(console.warn, "a listener that leaves has listened").toHaveBeenCalledTimes(1);
  });

  test("move the position, also into another log", async () => {
    const { server, nextTry, client } = await live();
    client.on("gap", () => {});
    server.socket.say({ ...gap, epoch: LATER_EPOCH, from: 1, to: 2, reason: "epoch_changed" });
    server.socket.lose();
    nextTry();
    expect(server.welcome().sent[1]).toMatchObject({
      channels: [{ since: { epoch: LATER_EPOCH, offset: 2 } }],
    });
  });
});

describe("publishing", () => {
  test("answers with the position", async () => {
    const { client, server } = await live();
    const published = client.publish("chat", { text: "hello" }, { event: "said", key: "k1" });
    const [frame] = server.socket.news();
    expect(frame).toMatchObject({
      type: "publish",
      channel: "chat",
      event: "said",
      data: { text: "hello" },
      key: "k1",
    });
    server.socket.say({ type: "ok", id: frame?.id, channel: "chat", epoch: EPOCH, offset: 9 });
    expect(await published).toEqual({ epoch: EPOCH, offset: 9 });
  });

  test("a handler that is none, and an event that there is not, are refused", () => {
    const { client } = setUp();
    const nothing = JSON.parse("null");
    expect(() => client.subscribe("a", nothing)).toThrow(
      expect.objectContaining({ code: "invalid_request", message: "the handler is null" }),
    );
    expect(() => client.on(JSON.parse('"message"'), () => {})).toThrow(
      expect.objectContaining({
        code: "invalid_request",
        message: '"message" is no event of a client',
        remedy: expect.stringMatching(/^Use state, .*subscribe/),
      }),
    );
  });

  test("is refused without a connection, for what is no channel, and for what is no JSON", async () => {
    const { client } = setUp();
    await expect(client.publish("chat", 1)).rejects.toMatchObject({ code: "not_connected" });
    const connected = await live();
    await expect(connected.client.publish("a b", 1)).rejects.toMatchObject({ code: "invalid_channel" });
    await expect(connected.client.publish("chat", 1n)).rejects.toThrow(TypeError);
    await expect(connected.client.publish("chat", undefined)).rejects.toMatchObject({
      code: "invalid_value",
    });
    expect(connected.server.socket.news()).toEqual([]);
  });

  test("is rejected with the server's words", async () => {
    const { client, server } = await live();
    const published = client.publish("chat", 1);
    const id = server.socket.news()[0]?.id;
    server.socket.say({ type: "error", id, channel: "chat", code: "key_reused", message: "m", remedy: "r" });
    await expect(published).rejects.toMatchObject({ code: "key_reused", message: "m", remedy: "r" });
  });

  test.each([
    ["the connection is lost", ({ server }: Awaited<ReturnType<typeof live>>) => server.socket.lose()],
    ["the server falls silent", ({ clock }: Awaited<ReturnType<typeof live>>) => clock.advance(30_000)],
    ["the page closes the client", ({ client }: Awaited<ReturnType<typeof live>>) => client.close()],
    ["the page is left", ({ page }: Awaited<ReturnType<typeof live>>) => page.fire("pagehide")],
  ])("never stays open: when %s it is rejected", async (_when, end) => {
    const all = await live();
    const published = all.client.publish("chat", 1);
    end(all);
    await expect(published).rejects.toMatchObject({ code: "not_connected" });
  });
});

describe("the page", () => {
  test("asks for a sign of life when it wakes, and tries again at once when it waits", async () => {
    const { page, server, clock, client } = await live();
    page.fire("visible");
    expect(server.socket.news()).toEqual([{ type: "ping" }]);
    clock.advance(3000);
    expect(client.state.status).toBe("reconnecting");
    page.fire("online");
    expect(client.state.status).toBe("connecting");
  });

  test("says goodbye when it is left, and goes on where it was when it comes back", async () => {
    const { page, server, client, heard, clock } = await live();
    server.message("news", 6);
    page.fire("pagehide");
    expect(server.socket.closedWith, "an open socket keeps a page out of the back-forward cache").toBe(1000);
    expect([client.state.status, clock.pending]).toEqual(["idle", 0]);
    page.fire("pageshow");
    page.fire("visible");
    expect(server.sockets).toHaveLength(2);
    const socket = server.welcome();
    expect(socket.sent[0]).toEqual({ type: "connect" });
    expect(socket.sent[1]).toMatchObject({ channels: [{ since: { epoch: EPOCH, offset: 6 } }] });
    server.subscribed("news");
    for (const offset of [6, 7]) server.message("news", offset);
    expect(heard).toEqual([6, 7]);
  });

  test("is let go of when the client is closed", async () => {
    const { page, client } = await live();
    expect(page.listeners).toHaveLength(5);
    client.close();
    expect(page.listeners).toHaveLength(0);
    client.connect();
    expect(page.listeners).toHaveLength(5);
  });
});

test("a message that falls between subscribing and loading is not missed", async () => {
  const { client, server } = setUp();
  let stock = 1;
  const shown: unknown[] = [];
  client.subscribe("stock", ({ data }) => shown.push(data), {
    snapshot: async () => {
      const loaded = stock;
      await settled();
      shown.push(loaded);
    },
  });
  server.welcome();
  server.subscribed("stock", { offset: 1 });
  await Promise.resolve();
  stock = 2;
  server.message("stock", 2, 2);
  await settled();
  await settled();
  expect(shown).toEqual([1, 2]);
});

test("the iterator goes through reconnects and gaps, and ends its subscription", async () => {
  const { client, server, nextTry } = setUp();
  const sequence = client.messages<number>("news");
  server.welcome();
  server.subscribed("news");
  server.message("news", 1);
  server.socket.lose();
  nextTry();
  server.welcome();
  server.subscribed("news", { offset: 3, recovered: false, reason: "evicted" });
  server.message("news", 4);
  expect((await sequence.next()).value).toMatchObject({ type: "message", offset: 1 });
  expect((await sequence.next()).value).toMatchObject({ type: "gap", from: 2, to: 3, reason: "evicted" });
  expect((await sequence.next()).value).toMatchObject({ type: "message", offset: 4 });
  await sequence.return?.();
  expect(server.socket.sent.at(-1)).toMatchObject({ type: "unsubscribe", channel: "news" });
});
