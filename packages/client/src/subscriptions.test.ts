import { ERRORS } from "@fanfare/protocol";
import { describe, expect, test, vi } from "vitest";
import { live, setUp } from "./testing/a-client.js";
import { EPOCH, settled } from "./testing/scripted-server.js";

describe("subscribing", () => {
  test("sends what a page subscribes in one go in one frame", async () => {
    const { client, server } = setUp();
    client.connect();
    const socket = server.welcome();
    client.subscribe("a", () => {});
    // As `publish` on the server answers it.
    const published = { channel: "b", epoch: EPOCH, offset: 3 };
    client.subscribe("b", () => {}, { since: published });
    client.subscribe("a", () => {});
    await settled();
    expect(socket.sent.slice(1)).toEqual([
      {
        type: "subscribe",
        request: 1,
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
    expect(new Set(frames.map(({ request }) => request)).size).toBe(3);
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
    expect(client.connection.status).toBe("idle");
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
    await settled();
    expect(server.socket.news()).toMatchObject([{ type: "unsubscribe", channels: ["news"] }]);
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
    expect(socket.sent.slice(1).map(({ type, request }) => [type, request])).toEqual([
      ["subscribe", 1],
      ["unsubscribe", 2],
      ["subscribe", 3],
    ]);
    socket.say({
      type: "subscribed",
      request: 1,
      channel: "news",
      epoch: EPOCH,
      offset: 1,
      head: 1,
      recovered: false,
    });
    server.message("news", 2);
    socket.say({
      type: "error",
      request: 1,
      channel: "news",
      code: "not_subscribed",
      message: "",
      remedy: "",
    });
    socket.say({ type: "ok", request: 2 });
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
    await settled();
    expect(server.socket.sent.at(-1)).toMatchObject({ type: "unsubscribe", channels: ["a"] });
    server.subscribed("b", { offset: 3 });
    expect(client.connection.status).toBe("closed");
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
      request: 1,
      channel: "broadcast",
      code: "already_subscribed",
      message: "",
      remedy: "",
    };
    socket.say(already);
    socket.say({ ...auto, channel: "broadcast" });
    socket.say({ ...auto, channel: "unwanted" });
    await settled();
    expect(socket.sent.slice(2)).toMatchObject([
      { type: "unsubscribe", channels: ["broadcast", "unwanted"] },
      { type: "subscribe", channels: [{ channel: "broadcast", since: { offset: 2 } }] },
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
    publisher: expect.any(String),
    since: [{ channel: "broadcast", epoch: EPOCH, offset: 5 }],
  });
  second.say({ ...auto, offset: 5, head: 6, recovered: true });
  second.say({
    type: "error",
    request: 2,
    channel: "broadcast",
    code: "already_subscribed",
    message: "",
    remedy: "",
  });
  server.message("broadcast", 6);
  expect(heard).toEqual([5, 6]);
  expect(second.sent.map(({ type }) => type)).toEqual(["connect", "subscribe"]);
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
  expect(server.socket.sent.at(-1)).toMatchObject({ type: "unsubscribe", channels: ["news"] });
});
