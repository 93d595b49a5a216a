/** Locks and sequences over real sockets: who holds what, what passes over to the next connection, and what is let go of. */
import { describe, expect, test, vi } from "vitest";
import { HostileEngine } from "../../packages/server/src/engine/hostile/hostile-engine.js";
import { MemoryEngine } from "../../packages/server/src/engine/memory/memory-engine.js";
import { type FanfareOptions, signToken } from "../../packages/server/src/index.js";
import { FakeClock } from "../../packages/server/src/testing/fake-clock.js";
import { lettingAllIn } from "../../packages/server/src/testing/let-in.js";
import { Client } from "./client.js";
import { EventStream } from "./event-stream.js";
import { serve as serveFanfare } from "./serving.js";
import { until } from "./waiting.js";

const SECRET = "the-secret-of-the-tests-0123456789abcdef";
const LOCK = { type: "lock", name: "order:42" };
const CHANNEL = "$lock:order:42";

async function serve(options: FanfareOptions = {}) {
  const serving = await serveFanfare(lettingAllIn(options));
  const connect = async (fields: object = {}) => {
    const client = await Client.open(serving.url);
    return Object.assign(client, { connected: await client.connect(fields) });
  };
  /** Resolves when nobody holds the lock. */
  const freed = () =>
    vi.waitUntil(async () => (await serving.fanfare.locks.get("order:42"))?.freed !== undefined);
  const gone = (connections: number) =>
    until(
      () => serving.fanfare.stats().connections === connections,
      "the server has noticed that one is gone",
    );
  return { ...serving, connect, freed, gone };
}

describe("a lock", () => {
  test("is taken, renewed and let go of; whoever finds it held is told by whom, and stays connected", async () => {
    const { connect } = await serve();
    const [one, two] = [await connect(), await connect()];
    const held = await one.ask({ ...LOCK, leaseSeconds: 5, info: "typing" });
    expect(held).toEqual({
      type: "ok",
      request: 1,
      name: "order:42",
      token: expect.any(Number),
      expires: expect.any(Number),
      time: expect.any(Number),
      durable: false,
    });
    const { token = 0, expires = 0, time = 0 } = held.type === "ok" ? held : {};
    expect(expires - time).toBeLessThanOrEqual(5000);
    const holder = { session: one.connected.connection };
    expect(await two.ask(LOCK)).toMatchObject({
      type: "error",
      code: "locked",
      lock: { token, holder, expires, info: "typing" },
      time: expect.any(Number),
      retryAfterSeconds: expect.any(Number),
    });
    expect(await one.ask({ ...LOCK, token })).toMatchObject({ type: "ok", token });
    expect(await two.ask({ type: "unlock", name: "order:42", token })).toMatchObject({ code: "lock_lost" });
    expect(await one.ask({ type: "unlock", name: "order:42", token })).toEqual({
      type: "ok",
      request: 3,
      name: "order:42",
    });
    const next = await two.ask(LOCK);
    expect(next.type === "ok" && (next.token ?? 0) > token).toBe(true);
    await one.alive();
  });

  test("is seen by those who subscribe to its channel, which nobody else can write to", async () => {
    const { connect, fanfare, http } = await serve();
    const [holder, watcher] = [await connect(), await connect()];
    const subscribed = await watcher.subscribe(CHANNEL);
    expect(subscribed).not.toHaveProperty("state");
    await holder.ask(LOCK);
    const state = await watcher.others.nextThat(({ type }) => type === "state");
    expect(state).toMatchObject({
      channel: CHANNEL,
      value: { holder: { session: holder.connected.connection } },
    });
    const late = await connect();
    expect(await late.subscribe(CHANNEL)).toMatchObject({ state: { holder: {} } });
    expect(await late.ask({ type: "unsubscribe", channel: CHANNEL })).toMatchObject({ type: "ok" });

    const refused = { code: "invalid_channel" };
    expect(await late.ask({ type: "publish", channel: CHANNEL, data: 1 })).toMatchObject(refused);
    expect(await late.ask({ type: "patch", channel: CHANNEL, patch: { token: 0 } })).toMatchObject(refused);
    expect(await late.ask({ ...LOCK, name: CHANNEL })).toMatchObject(refused);
    expect(await late.ask({ type: "subscribe", channel: "$other:order:42" })).toMatchObject(refused);
    for (const [method, path] of [
      ["POST", "messages"],
      ["PATCH", "state"],
      ["PUT", "state"],
      ["DELETE", "state"],
    ]) {
      const body = method === "DELETE" ? null : "{}";
      const answer = await fetch(`${http}/channels/${CHANNEL}/${path}`, { method: method ?? "", body });
      expect([method, answer.status, ((await answer.json()) as { code: string }).code]).toEqual([
        method,
        400,
        "invalid_channel",
      ]);
    }
    await expect(fanfare.states.set(CHANNEL, {})).rejects.toMatchObject(refused);
    await expect(fanfare.publish(CHANNEL, 1)).rejects.toMatchObject(refused);
  });

  test("is seen on a stream of events, too", async () => {
    const { connect, http } = await serve();
    const stream = await EventStream.open(`${http}/sse?channel=${encodeURIComponent(CHANNEL)}`);
    await stream.next("subscribed");
    await (await connect()).ask(LOCK);
    const { data } = await stream.deliveries.next();
    expect(JSON.parse(data)).toMatchObject({ channel: CHANNEL, value: { holder: {} } });
    stream.vanish();
  });

  test.each([1000, 1001, undefined])("is free when its holder closes with %s", async (code) => {
    const { connect, freed } = await serve();
    const holder = await connect();
    await holder.ask(LOCK);
    if (code === 1001) holder.ws.close(1001, "the page was left");
    else holder.ws.close(code);
    await freed();
  });

  test("is free when its holder is sent away, or its user logs out", async () => {
    const { connect, freed, fanfare, http } = await serve({ tokens: { secrets: [SECRET] } });
    const grants = [{ channels: "**", actions: ["lock" as const] }];
    const { token } = await signToken({ secret: SECRET, user: "alice", grants });
    const alice = await connect({ token });
    await alice.ask(LOCK);
    expect(await fanfare.locks.get("order:42")).toMatchObject({ holder: { user: "alice" } });
    await fanfare.logOut("alice");
    await freed();
    const other = await connect();
    await other.ask(LOCK);
    await fetch(`${http}/connections/${other.connected.connection}`, { method: "DELETE" });
    await freed();
  });

  test("passes over to the connection that goes on with the session, and is free when that one leaves", async () => {
    const { connect, freed, gone } = await serve();
    const [holder, other] = [await connect(), await connect()];
    const held = await holder.ask(LOCK);
    const token = held.type === "ok" ? held.token : 0;
    holder.vanish();
    await gone(1);
    expect(await other.ask(LOCK)).toMatchObject({ code: "locked" });
    const again = await connect({ session: holder.connected.session });
    expect(again.connected.resumed).toBe(true);
    expect(await again.ask({ ...LOCK, token })).toMatchObject({ type: "ok", token });
    // Or it did not hear that it was given the lock.
    expect(await again.ask(LOCK)).toMatchObject({ type: "ok", token });
    await again.leave();
    await freed();
    expect(await other.ask(LOCK)).toMatchObject({ type: "ok" });
  });

  test("stays with a session that is taken over while its connection is open", async () => {
    const { connect, freed } = await serve();
    const holder = await connect();
    const held = await holder.ask(LOCK);
    const again = await connect({ session: holder.connected.session });
    await holder.closed;
    expect(await again.ask({ ...LOCK, token: held.type === "ok" ? held.token : 0 })).toMatchObject({
      type: "ok",
    });
    await again.leave();
    await freed();
  });

  test("taken on one node is free when its session goes on on another and ends there", async () => {
    const engine = new MemoryEngine({ allowIsolated: true });
    const [one, two] = await Promise.all([serve({ engine }), serve({ engine })]);
    const holder = await one.connect();
    await holder.ask(LOCK);
    const again = await two.connect({ session: holder.connected.session });
    expect(again.connected.resumed).toBe(true);
    await again.leave();
    await two.freed();
  });

  test("stays with a session that went on on another node, though its first connection ends cleanly after that", async () => {
    const clock = new FakeClock();
    const memory = new MemoryEngine({ clock, allowIsolated: true });
    // The first node does not hear that the session was resumed.
    const engine = new HostileEngine(memory, { clock, random: () => 0, drop: 1 });
    const taking = vi.spyOn(memory.sessions, "take");
    const [one, two] = await Promise.all([serve({ engine, clock }), serve({ engine, clock })]);
    const holder = await one.connect();
    const held = await holder.ask(LOCK);
    const again = await two.connect({ session: holder.connected.session });
    const asked = taking.mock.calls.length;
    await holder.leave();
    await until(() => taking.mock.calls.length > asked, "the first node has asked for the session");
    await again.alive();
    expect(await again.ask({ ...LOCK, token: held.type === "ok" ? held.token : 0 })).toMatchObject({
      type: "ok",
    });
  });

  test("of a client that is gone without a word is free when its lease ends, and its watchers are told", async () => {
    const clock = new FakeClock();
    const { connect, gone } = await serve({ clock });
    const [holder, watcher] = [await connect(), await connect()];
    await watcher.subscribe(CHANNEL);
    await holder.ask({ ...LOCK, leaseSeconds: 5 });
    await watcher.others.nextThat(({ type }) => type === "state");
    holder.vanish();
    await gone(1);
    clock.advance(4999);
    expect(await watcher.ask(LOCK)).toMatchObject({ code: "locked", retryAfterSeconds: 0.001 });
    clock.advance(1);
    expect(await watcher.others.nextThat(({ type }) => type === "state")).toMatchObject({
      value: { freed: clock.now() },
    });
  });

  test("is let go of and not renewed by a session that may not lock any more; it is not sent away for that", async () => {
    const grants = (actions: ["lock"] | ["publish"]) => [{ channels: "**", actions }];
    const { connect, fanfare } = await serve({ anonymous: grants(["lock"]) });
    const holder = await connect();
    const held = await holder.ask(LOCK);
    const token = held.type === "ok" ? held.token : 0;
    fanfare.reload({ anonymous: grants(["publish"]) });
    expect(await holder.ask({ ...LOCK, token })).toMatchObject({ code: "lock_lost" });
    expect(await holder.ask({ type: "unlock", name: "order:42", token })).toMatchObject({ type: "ok" });
    expect(await holder.ask(LOCK)).toMatchObject({ code: "forbidden" });
    await holder.alive();
  });

  test("is one of so many that a connection may hold", async () => {
    const { connect } = await serve({ limits: { locksPerConnection: 1 } });
    const holder = await connect();
    await holder.ask(LOCK);
    expect(await holder.ask({ type: "lock", name: "b" })).toMatchObject({ code: "too_many_locks" });
  });
});

describe("a sequence", () => {
  test("gives each client numbers of its own, and tells those who subscribe the last one", async () => {
    const { connect } = await serve();
    const clients = [await connect(), await connect(), await connect()];
    const watcher = await connect();
    await watcher.subscribe("$sequence:invoice");
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        clients[index % 3]?.ask({ type: "next", name: "invoice", ...(index === 0 && { count: 3 }) }),
      ),
    );
    const numbers = answers.flatMap((answer) =>
      answer?.type === "ok" && answer.first && answer.last ? [answer.first, answer.last] : [],
    );
    expect(Math.max(...numbers)).toBe(32);
    expect(new Set(numbers).size).toBe(31);
    expect(answers[1]).toMatchObject({ name: "invoice", durable: false });
    await until(
      () => watcher.heard.some((frame) => frame.type === "state" && frame.value?.last === 32),
      "the watcher has been told the last number",
    );
  });

  test("gives the same numbers for the same key of a session, and another session others", async () => {
    const { connect } = await serve();
    const [one, two] = [await connect(), await connect()];
    const ask = { type: "next", name: "invoice", count: 2, id: "k" };
    expect(await one.ask(ask)).toMatchObject({ first: 1, last: 2 });
    expect(await two.ask(ask)).toMatchObject({ first: 3, last: 4 });
    expect(await one.ask(ask)).toMatchObject({ first: 1, last: 2 });
    expect(await one.ask({ ...ask, count: 0 })).toMatchObject({
      code: "invalid_request",
      message: /count is 0/,
    });
  });
});
