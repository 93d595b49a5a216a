import { describe, expect, test } from "vitest";
import { ClientError } from "./client-error.js";
import { messagesOf } from "./sequence.js";
import { live } from "./testing/a-client.js";
import { settled } from "./testing/scripted-server.js";
import type { Connection, Gap, Message, SubscribeOptions } from "./types.js";

/** A client of which only `subscribe` is used. */
function scripted() {
  let handler: (message: Message) => void = () => {};
  let options: SubscribeOptions = {};
  const calls = { ended: 0, told: [] as string[] };
  const listeners = new Set<() => void>();
  const client = {
    connection: { status: "connected" } as Connection,
    on(_event: string, listener: () => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    subscribe(channel: string, to: (message: Message) => void, given: SubscribeOptions) {
      handler = to;
      options = given;
      return { channel, position: null, unsubscribe: () => void calls.ended++ };
    },
    error: (error: Error) => void calls.told.push(error.message),
  } as unknown as Parameters<typeof messagesOf>[0];
  return {
    client,
    calls,
    options: () => options,
    message: (offset: number) => handler(message(offset)),
    gap: (gap: Partial<Gap>) => options.onGap?.({ ...GAP, ...gap }),
    fail: (error: Error) => options.onError?.(error),
    connection(now: Connection) {
      Object.assign(client, { connection: now });
      for (const listener of listeners) listener();
    },
    listeners,
  };
}
const GAP: Gap = { type: "gap", channel: "news", reason: "evicted", from: null, to: null };
const message = (offset: number): Message => ({
  type: "message",
  channel: "news",
  offset,
  time: 1,
  event: "message",
  data: offset,
});

test("delivers what came before and after it was asked, messages and gaps in one order", async () => {
  const server = scripted();
  const sequence = messagesOf(server.client, "news", {});
  server.message(1);
  server.gap({ from: 2, to: 3 });
  expect(await sequence.next()).toEqual({ done: false, value: message(1) });
  expect(await sequence.next()).toEqual({ done: false, value: { ...GAP, from: 2, to: 3 } });
  const later = sequence.next();
  server.message(4);
  expect(await later).toEqual({ done: false, value: message(4) });
});

test("hands the position on", () => {
  const server = scripted();
  const since = { epoch: "0123456789abcdef", offset: 3 };
  messagesOf(server.client, "news", { since });
  expect(server.options().since).toBe(since);
});

test("ends its subscription with the loop", async () => {
  const server = scripted();
  const sequence = messagesOf(server.client, "news", {});
  server.message(1);
  for await (const item of sequence) if (item.type === "message") break;
  expect(server.calls.ended).toBe(1);
  expect(await sequence.next()).toEqual({ done: true, value: undefined });
});

test("an end wakes a loop that waits", async () => {
  const server = scripted();
  const sequence = messagesOf(server.client, "news", {});
  const waiting = sequence.next();
  await sequence.return?.();
  expect(await waiting).toEqual({ done: true, value: undefined });
});

test("several that wait are all served", async () => {
  const server = scripted();
  const sequence = messagesOf(server.client, "news", {});
  const waiting = [sequence.next(), sequence.next()];
  server.message(1);
  server.message(2);
  expect(await Promise.all(waiting)).toEqual([
    { done: false, value: message(1) },
    { done: false, value: message(2) },
  ]);
});

test("throws what was refused, after what came before, and leaves", async () => {
  const server = scripted();
  const sequence = messagesOf(server.client, "news", {});
  server.message(1);
  server.fail(new Error("not for you"));
  expect((await sequence.next()).value).toEqual(message(1));
  await expect(sequence.next()).rejects.toThrow("not for you");
  expect(server.calls.ended).toBe(1);
  expect(await sequence.next()).toEqual({ done: true, value: undefined });
});

test.each([
  ["rate_limited", 2],
  ["unavailable", null],
  ["too_many_channels", null],
  ["insufficient_storage", null],
  ["internal", null],
  ["something_new", 1],
])("goes on after %s, which passes, and the client is told", async (code, retryAfterSeconds) => {
  const server = scripted();
  const sequence = messagesOf(server.client, "news", {});
  const waiting = sequence.next();
  server.fail(
    new ClientError(code, "not now", "Wait.", { retryAfterSeconds: retryAfterSeconds ?? undefined }),
  );
  server.message(1);
  expect((await waiting).value).toEqual(message(1));
  expect(server.calls).toEqual({ ended: 0, told: ["not now"] });
});

test.each(["forbidden", "too_many_subscriptions", "invalid_channel"])("ends with %s", async (code) => {
  const server = scripted();
  const sequence = messagesOf(server.client, "news", {});
  server.fail(new ClientError(code, "no", "Ask."));
  await expect(sequence.next()).rejects.toMatchObject({ code });
  expect(server.calls).toEqual({ ended: 1, told: [] });
});

test("a loop that is too slow keeps the oldest, and is told which it lost", async () => {
  const server = scripted();
  const sequence = messagesOf(server.client, "news", {});
  for (let offset = 1; offset <= 10_005; offset++) server.message(offset);
  const offsets: unknown[] = [];
  while (offsets.length < 10_000) offsets.push((await sequence.next()).value.offset);
  expect(offsets).toEqual(Array.from({ length: 10_000 }, (_, index) => index + 1));
  const gap = { type: "gap", channel: "news", reason: "too_slow", from: 10_001, to: 10_005 };
  expect((await sequence.next()).value).toEqual(gap);
  server.message(10_006);
  expect((await sequence.next()).value).toEqual(message(10_006));
});

const closed = (code: number | null): Connection => ({
  status: "closed",
  reason: "It is over.",
  remedy: "Call connect().",
  code,
});

describe("when the connection is closed", () => {
  test("by the page, a loop that waits ends, and leaves nothing behind", async () => {
    const server = scripted();
    const sequence = messagesOf(server.client, "news", {});
    const waiting = [sequence.next(), sequence.next()];
    server.connection(closed(null));
    expect(await Promise.all(waiting)).toEqual([1, 2].map(() => ({ done: true, value: undefined })));
    expect([server.calls.ended, server.listeners.size]).toEqual([1, 0]);
  });

  test("by the page, what has arrived comes first", async () => {
    const server = scripted();
    const sequence = messagesOf(server.client, "news", {});
    server.message(1);
    server.message(2);
    server.connection(closed(null));
    const offsets: unknown[] = [];
    for await (const item of sequence) if (item.type === "message") offsets.push(item.offset);
    expect(offsets).toEqual([1, 2]);
  });

  test("by the server for good, the loop throws what the page is to do", async () => {
    const server = scripted();
    const sequence = messagesOf(server.client, "news", {});
    server.message(1);
    server.connection(closed(4401));
    expect((await sequence.next()).value).toEqual(message(1));
    await expect(sequence.next()).rejects.toMatchObject({
      code: "not_connected",
      message: "It is over.",
      remedy: "Call connect().",
    });
    expect(await sequence.next()).toEqual({ done: true, value: undefined });
    expect([server.calls.ended, server.listeners.size]).toEqual([1, 0]);
  });

  test("and the page connects at once again, the loop goes on", async () => {
    const server = scripted();
    const sequence = messagesOf(server.client, "news", {});
    const waiting = sequence.next();
    server.connection(closed(4401));
    server.connection({ status: "connecting" });
    await settled();
    server.message(1);
    expect((await waiting).value).toEqual(message(1));
    expect(server.calls.ended).toBe(0);
  });

  test.each(["idle", "connecting", "reconnecting"] as const)(
    "not yet, but %s, the loop waits",
    async (status) => {
      const server = scripted();
      const sequence = messagesOf(server.client, "news", {});
      const waiting = sequence.next();
      server.connection({ status } as Connection);
      await settled();
      server.message(1);
      expect((await waiting).value).toEqual(message(1));
    },
  );

  test("a real client ends its loops, and has no subscription and no timer any more", async () => {
    const { client, server, clock } = await live();
    const loop = (async () => {
      for await (const _ of client.messages("other"));
      return "ended";
    })();
    await settled();
    server.subscribed("other");
    client.close();
    expect(await loop).toBe("ended");
    client.connect();
    server.welcome();
    expect(server.socket.sent.at(-1)).toMatchObject({ channels: [{ channel: "news" }] });
    client.close();
    expect(clock.pending).toBe(0);
  });
});
