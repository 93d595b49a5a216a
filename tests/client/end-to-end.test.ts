/** The client and the server together, over real sockets. */
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import type { Client, ClientOptions, Gap, Message, Subscribed } from "../../packages/client/src/index.js";
import { LISTEN } from "../../packages/server/src/testing/let-in.js";
import { TcpProxy } from "./proxy.js";
import { clientOf, eventually, inState, Recorder, type RunningServer, serve } from "./world.js";

const cleanUps: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function server(...args: Parameters<typeof serve>): Promise<RunningServer> {
  const running = await serve(...args);
  cleanUps.push(() => running.close());
  return running;
}
function client(url: string, options: ClientOptions = {}): Client {
  // No jitter, so that a test does not wait longer than it has to.
  const made = clientOf(url, { random: () => 0, ...options });
  cleanUps.push(() => made.close());
  return made;
}
async function proxied(running: RunningServer) {
  const proxy = await TcpProxy.to(running.port);
  cleanUps.push(() => proxy.close());
  return { proxy, url: running.url.replace(String(running.port), String(proxy.port)) };
}

/** A WebSocket that tells what is sent. */
function recording(tell: (frame: { type: string }) => void) {
  return class extends WebSocket {
    constructor(url: string, protocol: string) {
      super(url, protocol);
      const send = this.send.bind(this);
      this.send = (data: string) => {
        tell(JSON.parse(data));
        send(data);
      };
    }
  };
}

/** Listens, and records everything. */
function follow(from: Client, channel: string, since?: Subscribed["position"]) {
  const messages = new Recorder<Message>();
  const gaps = new Recorder<Gap>();
  const starts = new Recorder<Subscribed>();
  const errors = new Recorder<Error>();
  const subscription = from.subscribe(channel, messages.add, {
    onGap: gaps.add,
    onSubscribed: starts.add,
    onError: errors.add,
    ...(since && { since }),
  });
  return { messages, gaps, starts, errors, subscription };
}
const offsets = (messages: readonly Message[]) => messages.map(({ offset }) => offset);

describe("a subscription", () => {
  test("hears what is published, and knows where it stands", async () => {
    const { url, fanfare } = await server();
    const { messages, starts, subscription } = follow(client(url), "order:42");
    const [start] = await starts.atLeast(1);
    expect(start).toMatchObject({ channel: "order:42", recovered: false, reason: null });
    const published = await fanfare.publish("order:42", { status: "paid" }, { event: "paid", id: "k1" });
    const [message] = await messages.atLeast(1);
    expect(message).toMatchObject({
      type: "message",
      channel: "order:42",
      offset: 1,
      event: "paid",
      data: { status: "paid" },
      id: "k1",
    });
    expect(subscription.position).toEqual({ epoch: published.epoch, offset: 1 });
  });

  test("goes on from a position of the history", async () => {
    const { url, fanfare } = await server();
    for (const data of [1, 2, 3]) await fanfare.publish("news", data);
    const { epoch, messages: held } = await fanfare.history("news");
    const since = { epoch, offset: held[0]?.offset ?? 0 };
    const { messages, starts } = follow(client(url), "news", since);
    expect(offsets(await messages.atLeast(2))).toEqual([2, 3]);
    expect(starts.items).toMatchObject([{ position: since, recovered: true }]);
  });

  test("learns which messages the log no longer holds", async () => {
    const { url, fanfare } = await server({ rules: [{ channels: "news", history: 2 }] });
    const { epoch } = await fanfare.publish("news", 1);
    for (let offset = 2; offset <= 6; offset++) await fanfare.publish("news", offset);
    const { messages, gaps } = follow(client(url), "news", { epoch, offset: 1 });
    expect(offsets(await messages.atLeast(2))).toEqual([5, 6]);
    expect(gaps.items).toEqual([{ type: "gap", channel: "news", reason: "evicted", from: 2, to: 4 }]);
  });

  test("is shared by handlers, and ends with the last", async () => {
    const { url, fanfare } = await server();
    const sent = new Recorder<{ type: string; channel?: string }>();
    const from = client(url, { WebSocket: recording(sent.add) });
    const first = follow(from, "news");
    await first.starts.atLeast(1);
    for (const data of [1, 2]) await fanfare.publish("news", data);
    await first.messages.atLeast(2);
    const second = follow(from, "news");
    const third = follow(from, "news", { epoch: first.subscription.position?.epoch ?? "", offset: 0 });
    await third.messages.atLeast(2);
    await second.starts.atLeast(1);
    await fanfare.publish("news", 3);
    await Promise.all([first.messages.atLeast(3), second.messages.atLeast(1), third.messages.atLeast(3)]);
    expect([first, second, third].map(({ messages }) => offsets(messages.items))).toEqual([
      [1, 2, 3],
      [3],
      [1, 2, 3],
    ]);
    const before = sent.items.length;
    for (const { subscription } of [first, second, third]) subscription.unsubscribe();
    await Promise.resolve();
    expect(sent.items.slice(before)).toMatchObject([{ type: "unsubscribe", channels: ["news"] }]);
    await fanfare.publish("news", 4);
    // The answer to a later question says that what came before it is done.
    await from.publish("other", 1);
    expect(first.messages.items).toHaveLength(3);
    expect(from.connection.status).toBe("connected");
  });

  test("works for thousands of channels on one connection, as far as the server allows", async () => {
    const { url, fanfare } = await server({
      limits: { subscriptionsPerConnection: 2500 },
      rates: { subscriptionsPerConnection: 0 },
    });
    const from = client(url);
    const starts = new Recorder<Subscribed>();
    const heard = new Recorder<Message>();
    for (let index = 0; index < 2400; index++) {
      from.subscribe(`row:${index}:${"x".repeat(100)}`, heard.add, { onSubscribed: starts.add });
    }
    await starts.atLeast(2400);
    await fanfare.publish(`row:2399:${"x".repeat(100)}`, 1);
    await heard.atLeast(1);
    expect(fanfare.stats().connections).toBe(1);
  });

  test("that is refused says why, and does not disturb the others", async () => {
    const { url, fanfare } = await server({ limits: { subscriptionsPerConnection: 1 } });
    const from = client(url);
    const good = follow(from, "good");
    const refused = follow(from, "too:many");
    const [error] = await refused.errors.atLeast(1);
    expect(error).toMatchObject({ code: "too_many_subscriptions", remedy: expect.any(String) });
    await good.starts.atLeast(1);
    await fanfare.publish("good", 1);
    await good.messages.atLeast(1);
    expect(from.connection.status).toBe("connected");
  });

  test("to a channel that the server subscribes by itself has all it asked for", async () => {
    const { url, fanfare } = await server({ rules: [{ channels: "broadcast", auto: true }] });
    const { epoch } = await fanfare.publish("broadcast", 1);
    await fanfare.publish("broadcast", 2);
    const from = client(url);
    const older = follow(from, "broadcast", { epoch, offset: 0 });
    const newer = follow(from, "broadcast");
    await older.messages.atLeast(2);
    await newer.starts.atLeast(1);
    await fanfare.publish("broadcast", 3);
    await newer.messages.atLeast(1);
    expect(offsets(await older.messages.atLeast(3))).toEqual([1, 2, 3]);
    expect(offsets(newer.messages.items)).toEqual([3]);
    expect([older.errors.items, newer.errors.items]).toEqual([[], []]);
  });
});

describe("the iterator", () => {
  test("gives messages in order until the loop ends", async () => {
    const { url, fanfare } = await server();
    const from = client(url);
    const { epoch } = await fanfare.publish("news", 1);
    await fanfare.publish("news", 2);
    const heard: unknown[] = [];
    for await (const item of from.messages("news", { since: { epoch, offset: 0 } })) {
      if (item.type === "message") heard.push(item.data);
      if (heard.length === 2) break;
    }
    expect(heard).toEqual([1, 2]);
  });
});

describe("publishing", () => {
  test("answers with the position, and with the same again for the same key", async () => {
    const { url, fanfare } = await server();
    const from = client(url);
    from.connect();
    await inState(from, "connected");
    const first = await from.publish("chat", { text: "hello" }, { id: "k" });
    expect(await from.publish("chat", { text: "hello" }, { id: "k" })).toEqual(first);
    await expect(from.publish("chat", { text: "other" }, { id: "k" })).rejects.toMatchObject({
      code: "id_reused",
    });
    await expect(from.publish("chat", undefined)).rejects.toMatchObject({ code: "invalid_value" });
    expect((await fanfare.history("chat")).head).toBe(1);
  });

  test("where it is not allowed is rejected, and says what to do; the connection goes on", async () => {
    const { url } = await server({ anonymous: LISTEN });
    const from = client(url);
    from.connect();
    await inState(from, "connected");
    const refused = { code: "forbidden", remedy: expect.any(String) };
    await expect(from.publish("chat", 1)).rejects.toMatchObject(refused);
    await expect(from.patch("chat", { n: 1 })).rejects.toMatchObject(refused);
    await expect(from.lock("chat")).rejects.toMatchObject(refused);
    await expect(from.next("chat")).rejects.toMatchObject(refused);
    expect(from.connection.status).toBe("connected");
  });
});

describe("a connection that is lost", () => {
  test("comes back with its session, and nothing is missed or doubled", async () => {
    const running = await server();
    const { proxy, url } = await proxied(running);
    const from = client(url);
    const { messages, starts, gaps } = follow(from, "news");
    await starts.atLeast(1);
    await running.fanfare.publish("news", 1);
    await messages.atLeast(1);
    proxy.cut();
    await inState(from, "reconnecting");
    await running.fanfare.publish("news", 2);
    expect(await inState(from, "connected")).toMatchObject({ resumed: true });
    await running.fanfare.publish("news", 3);
    expect(offsets(await messages.atLeast(3))).toEqual([1, 2, 3]);
    expect(starts.items[1]).toMatchObject({ recovered: true });
    expect(gaps.items).toEqual([]);
  });

  test("is recovered even when nothing had been sent before it was lost", async () => {
    const running = await server();
    const { proxy, url } = await proxied(running);
    const from = client(url);
    const { messages, starts } = follow(from, "quiet");
    await starts.atLeast(1);
    proxy.cut();
    await inState(from, "reconnecting");
    await running.fanfare.publish("quiet", 1);
    expect(offsets(await messages.atLeast(1))).toEqual([1]);
    expect(starts.items[1]).toMatchObject({ recovered: true });
  });

  test.each(["client", "server"] as const)("is noticed when only the %s hears of it", async (side) => {
    const running = await server();
    const { proxy, url } = await proxied(running);
    const from = client(url);
    const { messages, starts } = follow(from, "news");
    await starts.atLeast(1);
    proxy.halfClose(side);
    await starts.atLeast(2);
    await running.fanfare.publish("news", 1);
    expect(offsets(await messages.atLeast(1))).toEqual([1]);
  });

  test("that stood still for long goes on, and knows what it missed", async () => {
    const running = await server({ rules: [{ channels: "news", history: 5 }] });
    const { proxy, url } = await proxied(running);
    const from = client(url);
    const { messages, starts, gaps } = follow(from, "news");
    await starts.atLeast(1);
    proxy.stall();
    // More than all the buffers on the way take.
    const count = 500;
    for (let offset = 1; offset <= count; offset++) await running.fanfare.publish("news", "x".repeat(60_000));
    proxy.heal();
    await gaps.atLeast(1);
    await running.fanfare.publish("news", "last");
    await eventually(() => messages.items.at(-1)?.offset === count + 1, "the last message is to arrive");
    const missing = gaps.items.flatMap(({ from: first, to: last }) =>
      Array.from({ length: (last ?? 0) - (first ?? 0) + 1 }, (_, index) => (first ?? 0) + index),
    );
    const all = [...offsets(messages.items), ...missing].sort((a, b) => a - b);
    expect(all).toEqual(Array.from({ length: count + 1 }, (_, index) => index + 1));
    expect(starts.items).toHaveLength(1);
  });

  test("a page that closes ends its session at once", async () => {
    const { url } = await server();
    const from = client(url);
    const { starts } = follow(from, "news");
    await starts.atLeast(1);
    from.close();
    from.connect();
    expect(await inState(from, "connected")).toMatchObject({ resumed: false });
    await starts.atLeast(2);
    expect(starts.items[1]).toMatchObject({ recovered: true });
  });
});

describe("a server that restarts", () => {
  test("is obeyed: the client comes back when the goodbye said, and is told what it lost", async () => {
    const before = await serve();
    const from = client(before.url);
    const { messages, starts, gaps } = follow(from, "news");
    await starts.atLeast(1);
    await before.fanfare.publish("news", "before");
    await messages.atLeast(1);
    const waiting = inState(from, "reconnecting");
    const saidAt = Date.now();
    await before.close();
    const { retryAt, reason } = await waiting;
    expect(reason).toBe("the server stops or restarts");
    // The server asks for 0.2 to 1.2 seconds; the client's own jitter is 0 here.
    expect(retryAt - saidAt).toBeGreaterThanOrEqual(200);
    const { fanfare } = await server({}, before.port);
    expect(await inState(from, "connected")).toMatchObject({ resumed: false });
    expect(Date.now()).toBeGreaterThanOrEqual(retryAt);
    await gaps.atLeast(1);
    expect(gaps.items).toEqual([{ type: "gap", channel: "news", reason: "restarted", from: null, to: null }]);
    expect(starts.items[1]).toMatchObject({ recovered: false, reason: "restarted" });
    await fanfare.publish("news", "after");
    expect((await messages.atLeast(2)).map(({ data }) => data)).toEqual(["before", "after"]);
  });
});
