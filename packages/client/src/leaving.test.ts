/** What the server still has is not forgotten: leaving channels, and asking again for what was refused for a while. */
import { expect, test, vi } from "vitest";
import { live, setUp } from "./testing/a-client.js";
import { type AnyFrame, EPOCH, settled } from "./testing/scripted-server.js";

const refusal = (fields: object) => ({ type: "error", message: "no", remedy: "ask", ...fields });
const names = (frame: AnyFrame | undefined) => frame?.channels;
const ignore = () => {};

/** A client that is live on some channels. */
async function liveOn(count: number) {
  const all = setUp();
  all.client.on("error", ignore);
  const heard: string[] = [];
  const open = Array.from({ length: count }, (_, index) =>
    all.client.subscribe(`c:${index}`, ({ channel }) => heard.push(channel)),
  );
  const socket = all.server.welcome();
  for (let index = 0; index < count; index++) all.server.subscribed(`c:${index}`);
  socket.news();
  const leaveAll = async () => {
    for (const { unsubscribe } of open) unsubscribe();
    await settled();
  };
  return { ...all, socket, heard, leaveAll };
}

test("channels that are left in one go are left in one frame, of at most 1,000", async () => {
  const { socket, leaveAll } = await liveOn(1500);
  await leaveAll();
  const news = socket.news();
  expect(news.map(({ type, channels }) => [type, (channels as unknown[]).length])).toEqual([
    ["unsubscribe", 1000],
    ["unsubscribe", 500],
  ]);
});

test("a request to leave that is refused is repeated until it is confirmed, later each time", async () => {
  const { socket, leaveAll, clock } = await liveOn(2);
  await leaveAll();
  for (const ms of [1250, 2500, 5000]) {
    const [frame] = socket.news();
    expect(names(frame)).toEqual(["c:0", "c:1"]);
    socket.say(refusal({ request: frame?.request, code: "rate_limited", retryAfterSeconds: 0.1 }));
    clock.advance(ms - 1);
    expect(socket.news()).toEqual([]);
    clock.advance(1);
  }
  socket.say({ type: "ok", request: socket.news()[0]?.request });
  clock.advance(60_000);
  expect(socket.news().filter(({ type }) => type !== "ping")).toEqual([]);
});

test("what is left and opened again while the server still has it waits until it has left", async () => {
  const { client, server, socket, leaveAll, clock } = await liveOn(1);
  await leaveAll();
  const heard: number[] = [];
  client.subscribe("c:0", ({ offset }) => heard.push(offset));
  await settled();
  const [left, asked] = socket.news();
  socket.say(refusal({ request: left?.request, code: "rate_limited", retryAfterSeconds: 1 }));
  socket.say(refusal({ request: asked?.request, channel: "c:0", code: "already_subscribed" }));
  server.message("c:0", 1);
  await settled();
  expect(socket.news()).toEqual([]);
  clock.advance(1500);
  expect(socket.news().map(({ type }) => type)).toEqual(["unsubscribe", "subscribe"]);
  server.subscribed("c:0", { offset: 1 });
  server.message("c:0", 2);
  expect(heard).toEqual([2]);
});

/** Left, opened again, and the request to leave is refused while the one to subscribe is on its way. */
async function leftAndAskedFor() {
  const all = await liveOn(1);
  await all.leaveAll();
  const again = all.client.subscribe("c:0", ignore);
  await settled();
  const [left, asked] = all.socket.news();
  all.socket.say(refusal({ request: left?.request, code: "rate_limited" }));
  return { ...all, again, asked };
}

test("what was subscribed after a request to leave that is refused stays subscribed", async () => {
  const { server, socket, clock } = await leftAndAskedFor();
  // As after a reconnect, where the server had nothing to leave.
  server.subscribed("c:0");
  clock.advance(5000);
  expect(socket.news()).toEqual([]);
});

test("a request to leave is not repeated while a later one to subscribe waits for its answer", async () => {
  const { server, socket, clock } = await leftAndAskedFor();
  clock.advance(5000);
  expect(socket.news()).toEqual([]);
  server.subscribed("c:0");
  clock.advance(5000);
  expect(socket.news()).toEqual([]);
});

test("what the server may still have is left, though it was opened and left again meanwhile, and all that was refused", async () => {
  const { socket, clock, again, asked } = await leftAndAskedFor();
  socket.say(refusal({ request: asked?.request, code: "rate_limited" }));
  again.unsubscribe();
  clock.advance(5000);
  expect(socket.news()).toMatchObject([{ type: "unsubscribe", channels: ["c:0"] }]);
});

test("what the server may still have is left when the channel is refused for good", async () => {
  const { socket, clock, asked } = await leftAndAskedFor();
  clock.advance(5000);
  socket.say(refusal({ request: asked?.request, channel: "c:0", code: "too_many_subscriptions" }));
  await settled();
  expect(socket.news()).toMatchObject([{ type: "unsubscribe", channels: ["c:0"] }]);
});

test("a channel that the server says is subscribed, and is not heard, is left and asked for anew", async () => {
  const { client, server } = setUp();
  const onError = vi.fn();
  const heard: number[] = [];
  client.subscribe("news", ({ offset }) => heard.push(offset), { onError });
  const socket = server.welcome();
  socket.say(refusal({ request: 1, channel: "news", code: "already_subscribed" }));
  await settled();
  expect(socket.sent.slice(2)).toMatchObject([
    { type: "unsubscribe", channels: ["news"] },
    { type: "subscribe", channels: [{ channel: "news" }] },
  ]);
  server.subscribed("news", { offset: 4 });
  server.message("news", 5);
  expect([heard, onError.mock.calls.length]).toEqual([[5], 0]);
});

test("channels that are refused for a while are asked for together, with one timer", async () => {
  const { client, server, clock } = setUp();
  client.on("error", ignore);
  for (let index = 0; index < 300; index++) client.subscribe(`c:${index}`, ignore);
  const socket = server.welcome();
  socket.news();
  for (let round = 0, request = 1; round < 4; round++) {
    const before = clock.pending;
    for (let index = 0; index < 300; index++) {
      socket.say(refusal({ request, channel: `c:${index}`, code: "rate_limited", retryAfterSeconds: 0.1 }));
    }
    expect(clock.pending).toBe(before + 1);
    clock.advance(1250 * 2 ** round);
    const asked = socket.news().filter(({ type }) => type === "subscribe");
    expect(asked.map((frame) => (names(frame) as unknown[]).length)).toEqual([300]);
    request = asked[0]?.request as number;
  }
});

test.each([0, -5, Number.NaN, "soon", null, 1e12, {}])(
  "a retryAfterSeconds of %j makes the client wait, and not for ever",
  (retryAfterSeconds) => {
    const { client, server, clock } = setUp();
    client.subscribe("a", ignore, { onError: ignore });
    const socket = server.welcome();
    socket.news();
    // As it comes over the wire.
    socket.say(
      JSON.stringify(refusal({ request: 1, channel: "a", code: "rate_limited", retryAfterSeconds })),
    );
    clock.advance(999);
    expect(socket.news()).toEqual([]);
    for (let answered = 0; answered < 45; answered++) {
      clock.advance(10_000);
      socket.say({ type: "pong" });
    }
    expect(socket.news().filter(({ type }) => type === "subscribe")).toHaveLength(1);
  },
);

test("a refusal that passes is told once: to a handler, and to the client for all without one", async () => {
  const { client, server, clock } = setUp();
  const onError = vi.fn();
  const onClientError = vi.fn();
  client.on("error", onClientError);
  client.subscribe("a", ignore, { onError });
  for (const name of ["b", "c", "d"]) client.subscribe(name, ignore);
  const socket = server.welcome();
  for (let round = 0; round < 4; round++) {
    const request = socket.sent.findLast(({ type }) => type === "subscribe")?.request;
    for (const channel of ["b", "a", "c", "d"]) {
      socket.say(refusal({ request, channel, code: "rate_limited", retryAfterSeconds: 1 }));
    }
    clock.advance(12_000);
    socket.say({ type: "pong" });
  }
  expect([onError.mock.calls.length, onClientError.mock.calls.length]).toEqual([1, 1]);
});

test("what found no room is asked for again when something was left, and not before", async () => {
  const { client, server, clock, subscription } = await live();
  const heard: number[] = [];
  const onError = vi.fn();
  client.subscribe("more", ({ offset }) => heard.push(offset), { onError });
  await settled();
  const { socket } = server;
  const request = socket.news()[0]?.request;
  socket.say(refusal({ request, channel: "more", code: "too_many_subscriptions" }));
  clock.advance(14_000);
  expect([socket.news(), onError.mock.calls.length]).toEqual([[], 1]);
  subscription.unsubscribe();
  await settled();
  const [left] = socket.news();
  expect(names(left)).toEqual(["news"]);
  socket.say({ type: "ok", request: left?.request });
  expect(socket.news()).toMatchObject([{ type: "subscribe", channels: [{ channel: "more" }] }]);
  server.subscribed("more");
  server.message("more", 1);
  expect(heard).toEqual([1]);
});

test("a handler that comes second to a refused channel is told why", async () => {
  const { client, server } = setUp();
  client.subscribe("a", ignore, { onError: ignore });
  server.welcome().say(refusal({ request: 1, channel: "a", code: "forbidden" }));
  const onError = vi.fn();
  const gone = vi.fn();
  client.subscribe("a", ignore, { onError });
  client.subscribe("a", ignore, { onError: gone }).unsubscribe();
  expect(onError).not.toHaveBeenCalled();
  await settled();
  expect(onError).toHaveBeenCalledWith(expect.objectContaining({ code: "forbidden", remedy: "ask" }));
  expect(gone).not.toHaveBeenCalled();
});

test("a channel that is granted later is heard: asked for again with each new token", async () => {
  const { client, server } = await live();
  const heard: number[] = [];
  client.subscribe("secret", ({ offset }) => heard.push(offset), { onError: ignore });
  await settled();
  const { socket } = server;
  socket.say(refusal({ request: socket.news()[0]?.request, channel: "secret", code: "forbidden" }));
  expect(socket.news()).toEqual([]);
  socket.say({ type: "token", expires: 2, time: 1 });
  expect(socket.news()).toMatchObject([{ type: "subscribe", channels: [{ channel: "secret" }] }]);
  server.subscribed("secret");
  server.message("secret", 1);
  socket.say({ type: "unsubscribed", channel: "secret", code: "forbidden" });
  socket.say({ type: "token", expires: 2, time: 1 });
  expect(socket.news()).toMatchObject([{ type: "subscribe", channels: [{ since: { epoch: EPOCH } }] }]);
  expect(heard).toEqual([1]);
});

test("new tokens never make the client ask so often that the server would close the connection", async () => {
  const { client, server, clock } = setUp();
  client.on("error", ignore);
  for (let index = 0; index < 14; index++) client.subscribe(`c:${index}`, ignore);
  const socket = server.welcome();
  let forbidden = 0;
  const refuseAll = () => {
    for (const frame of socket.news().filter(({ type }) => type === "subscribe")) {
      for (const { channel } of frame.channels as AnyFrame[]) {
        forbidden++;
        socket.say(refusal({ request: frame.request, channel, code: "forbidden" }));
      }
    }
  };
  refuseAll();
  for (let token = 0; token < 10; token++) {
    socket.say({ type: "token", expires: 2, time: 1 });
    refuseAll();
  }
  expect(forbidden).toBeLessThanOrEqual(20);
  for (let waited = 0; waited < 7; waited++) {
    clock.advance(10_000);
    socket.say({ type: "pong" });
  }
  socket.say({ type: "token", expires: 2, time: 1 });
  refuseAll();
  expect(forbidden).toBeGreaterThan(20);
});

test("all channels whose grants were taken away and given back are heard again, also more than may be forbidden in a minute", async () => {
  const { server, socket, client } = await liveOn(50);
  for (let index = 0; index < 50; index++) {
    socket.say({ type: "unsubscribed", channel: `c:${index}`, code: "forbidden" });
  }
  const subscribeAll = () => {
    let most = 0;
    for (let frames = socket.news(); frames.length > 0; frames = socket.news()) {
      for (const { request, channels } of frames) {
        const asked = channels as AnyFrame[];
        most = Math.max(most, asked.length);
        for (const { channel } of asked) server.subscribed(String(channel));
        socket.say({ type: "ok", request });
      }
    }
    return most;
  };
  socket.say({ type: "grants" });
  expect(subscribeAll()).toBeLessThanOrEqual(15);
  const heard: string[] = [];
  for (let index = 0; index < 50; index++)
    client.subscribe(`c:${index}`, ({ channel }) => heard.push(channel));
  await settled();
  for (let index = 0; index < 50; index++) server.message(`c:${index}`, 1);
  expect(new Set(heard).size).toBe(50);
});

test("a page from which many grants were taken comes back without being sent away for asking", async () => {
  const { server, socket, nextTry, clock } = await liveOn(50);
  for (let index = 0; index < 50; index++) {
    socket.say({ type: "unsubscribed", channel: `c:${index}`, code: "forbidden" });
  }
  socket.lose();
  nextTry();
  const next = server.welcome();
  const refuseAll = () => {
    let count = 0;
    for (const { request, channels } of next.news().filter(({ type }) => type === "subscribe")) {
      for (const { channel } of channels as AnyFrame[]) {
        count++;
        next.say(refusal({ request, channel, code: "forbidden" }));
      }
      next.say({ type: "ok", request });
    }
    return count;
  };
  expect(refuseAll()).toBe(15);
  expect(refuseAll()).toBe(0);
  for (let waited = 0; waited < 13; waited++) {
    clock.advance(5000);
    next.say({ type: "pong" });
  }
  expect(refuseAll()).toBe(15);
});
