/** Locks: one holder at a time, each with a greater token than those before, and everybody who watches sees who it is. */

import { FanfareError, type LockHolder, ownChannel, parseChannelName } from "@fanfare/protocol";
import { describe, expect, test } from "vitest";
import type { Logs } from "../engine/engine.js";
import { MemoryEngine } from "../engine/memory/memory-engine.js";
import { aHub, type HubForTests, type HubOptionsForTests, until } from "../testing/a-hub.js";
import { changedEngine } from "../testing/changed-engine.js";
import { FakeClock, turns } from "../testing/fake-clock.js";
import { type LockInput, Locks } from "./locks.js";

const NAME = parseChannelName("order:42");
const CHANNEL = ownChannel("lock", NAME);
const START = new FakeClock().now();
const DAY_MS = 86_400_000;

const alice: LockHolder = { user: "alice", session: "a" };
const bob: LockHolder = { user: "bob", session: "b" };

function setUp(options?: HubOptionsForTests) {
  const node = aHub(options);
  const { locks } = node;
  return {
    ...node,
    locks,
    take: (holder: LockHolder, input: LockInput = {}) => locks.take(NAME, { holder, ...input }),
    release: (holder: LockHolder | null, token: number) => locks.release(NAME, { holder, token }),
    look: async () => (await locks.look(NAME)).record,
  };
}

/** Everything that a watcher of the lock is told. */
async function watch({ open }: HubForTests) {
  const watcher = open();
  watcher.connection.subscribe(CHANNEL, { request: 1, since: undefined });
  await turns(2);
  return watcher;
}

describe("a lock", () => {
  test("is held by one at a time; whoever else asks is told by whom, and until when", async () => {
    const { take, release, look, locks } = setUp();
    expect(await look()).toBeNull();
    const held = await take(alice, { leaseSeconds: 5, info: { form: "invoice" } });
    const expires = START + 5000;
    expect(held).toEqual({ token: START, expires, time: START, durable: false });
    const record = {
      token: START,
      holder: alice,
      since: START,
      expires,
      leaseSeconds: 5,
      info: { form: "invoice" },
    };
    expect(await look()).toEqual(record);
    await expect(take(bob)).rejects.toMatchObject({
      code: "locked",
      status: 409,
      message: 'order:42 is locked by "alice" until 2026-01-01T00:00:05.000Z',
      retryAfterSeconds: 5,
      lock: record,
      time: START,
    });
    await release(alice, held.token);
    expect(await look()).toEqual({ token: START, freed: START });
    expect(await take(bob)).toMatchObject({ token: START + 1, expires: START + 30_000 });
    expect(locks.size).toBe(1);
  });

  test("tells its watchers who takes it, renews it and lets go of it, and newcomers who holds it", async () => {
    const node = setUp();
    const watcher = await watch(node);
    const { token } = await node.take(alice, { leaseSeconds: 1 });
    await turns(2);
    await node.clock.forward(500);
    await node.take(alice, { token });
    await turns(2);
    const late = await watch(node);
    await node.release(alice, token);
    await turns(2);
    const holder = { holder: alice, since: START, leaseSeconds: 1 };
    expect(watcher.frames.slice(1)).toMatchObject([
      { value: { token, ...holder, expires: START + 1000 } },
      { value: { token, ...holder, expires: START + 1500 } },
      { value: { token, freed: START + 500 } },
    ]);
    expect(late.frames[0]).toMatchObject({ state: { token, ...holder } });
  });

  test("is free when its lease ends, and its watchers are told at that moment", async () => {
    const node = setUp();
    const watcher = await watch(node);
    await node.take(alice, { leaseSeconds: 1 });
    await node.clock.forward(999);
    await turns(2);
    expect(watcher.frames).toHaveLength(2);
    await node.clock.forward(1);
    await turns(4);
    expect(watcher.frames.at(-1)).toMatchObject({ value: { token: START, freed: START + 1000 } });
    expect([node.locks.size, node.hub.counters.leasesEnded]).toEqual([0, 1]);
    expect(await node.take(bob)).toMatchObject({ token: START + 1000 });
  });

  test("that is renewed in time stays, with the same token, the lease and the words it had", async () => {
    const { take, look, clock } = setUp();
    const { token } = await take(alice, { leaseSeconds: 1, info: "typing" });
    for (let second = 0; second < 5; second++) {
      await clock.forward(900);
      expect(await take(alice, { token })).toMatchObject({ token, expires: clock.now() + 1000 });
    }
    expect(await look()).toMatchObject({ since: START, info: "typing", leaseSeconds: 1 });
    await take(alice, { token, info: null, leaseSeconds: 2 });
    expect(await look()).toEqual({
      token,
      holder: alice,
      since: START,
      expires: clock.now() + 2000,
      leaseSeconds: 2,
    });
  });

  test("cannot be renewed or let go of by somebody else, with another token, or when it is lost", async () => {
    const { take, release, clock } = setUp();
    const { token } = await take(alice, { leaseSeconds: 1 });
    const lost = { code: "lock_lost", status: 409, lock: { holder: alice } };
    for (const [holder, given] of [
      [bob, token],
      [{ user: "alice" }, token],
      [{ user: "alice", session: "another" }, token],
      [alice, token + 1],
      [alice, token - 1],
    ] as const) {
      await expect(take(holder, { token: given })).rejects.toMatchObject(lost);
      await expect(release(holder, given)).rejects.toMatchObject(lost);
    }
    await clock.forward(1000);
    const gone = { code: "lock_lost", lock: { token, freed: START + 1000 } };
    await expect(take(alice, { token })).rejects.toMatchObject(gone);
    await expect(release(alice, token)).rejects.toMatchObject(gone);
    const later = await take(bob);
    await expect(release(alice, token)).rejects.toMatchObject({ message: /held by "bob"/ });
    await release(null, later.token);
  });

  test("taken without a session is renewed with its token only", async () => {
    const { take } = setUp();
    const key = { key: "orders" };
    const { token } = await take(key);
    await expect(take(key)).rejects.toMatchObject({ code: "locked", message: /by the key "orders"/ });
    expect(await take(key, { token })).toMatchObject({ token });
  });

  test.each<[string, LockInput, string, RegExp]>([
    ["a short lease", { leaseSeconds: 0.999 }, "invalid_request", /leaseSeconds is 0.999/],
    ["half a second", { leaseSeconds: 1.5 }, "invalid_request", /leaseSeconds is 1.5/],
    ["a lease of more than a day", { leaseSeconds: 86_401 }, "invalid_request", /leaseSeconds is 86401/],
    ["what is no token", { token: -1 }, "invalid_request", /token is -1/],
    ["long words", { info: "x".repeat(1023) }, "too_large", /info is 1025 bytes/],
    ["a null within the words", { info: { a: { b: null } } }, "invalid_value", /info.a.b/],
    ["what is no JSON", { info: Number.NaN }, "invalid_value", /info/],
  ])("refuses %s", async (_, input, code, message) => {
    const { take, look } = setUp();
    await expect(take(alice, input)).rejects.toMatchObject({ code, message });
    expect(await look()).toBeNull();
  });
});

describe("the session that holds it", () => {
  test("is given the same lock when it asks again, since it may not have heard the answer", async () => {
    const { take, clock } = setUp();
    const first = await take(alice);
    await clock.forward(1000);
    expect(await take(alice)).toMatchObject({ token: first.token, expires: START + 31_000 });
  });

  test("lets go of all of its locks when it ends, and of nobody else's", async () => {
    const { locks, take, look } = setUp();
    const other = parseChannelName("order:7");
    await take(alice);
    await locks.take(other, { holder: alice });
    await locks.take(parseChannelName("order:8"), { holder: bob });
    locks.sessionEnded("a");
    await until(() => locks.size === 1);
    expect(await look()).toMatchObject({ freed: START });
    expect(await locks.look(other)).toMatchObject({ record: { freed: START } });
    expect(await locks.look(parseChannelName("order:8"))).toMatchObject({ record: { holder: bob } });
  });

  test("holds nothing that it was granted after it had ended", async () => {
    const { locks, take, look } = setUp();
    const taking = take(alice);
    locks.sessionEnded("a");
    await taking;
    expect(await look()).toMatchObject({ freed: START });
    expect([locks.size, locks.mostOfASession]).toEqual([0, 0]);
  });

  test("holds so many at most; those that are on their way count, those that it let go of do not", async () => {
    const { locks } = setUp({ limits: { locksPerConnection: 2 } });
    const names = ["a", "b", "c"].map(parseChannelName);
    const tries = await Promise.allSettled(names.map((name) => locks.take(name, { holder: alice })));
    expect(tries.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected"]);
    expect(tries[2]).toMatchObject({ reason: { code: "too_many_locks", status: 429 } });
    const [a = NAME, , c = NAME] = names;
    const { token } = await locks.take(a, { holder: alice });
    await locks.release(a, { holder: alice, token });
    await locks.take(c, { holder: alice });
    await locks.take(a, { holder: bob });
    expect(locks.mostOfASession).toBe(2);
  });
});

describe("a lock that this node looks after", () => {
  test("is no longer looked after once its holder has learned that it is lost", async () => {
    const node = setUp();
    const { token } = await node.take(alice);
    // On another node.
    await new Locks(node.hub).break(NAME);
    expect(node.locks.size).toBe(1);
    await expect(node.take(alice, { token })).rejects.toMatchObject({ code: "lock_lost" });
    expect(node.locks.size).toBe(0);
  });

  test("is freed when its lease ends, also where it could not be let go of before", async () => {
    let broken = false;
    const clock = new FakeClock();
    const memory = new MemoryEngine({ clock, allowIsolated: true });
    const state: Logs["state"] = async (channel) => {
      if (broken) throw new FanfareError("unavailable", "broken");
      return await memory.logs.state(channel);
    };
    const node = setUp({ clock, engine: changedEngine(memory, { logs: { state } }) });
    const { token } = await node.take(alice, { leaseSeconds: 1 });
    broken = true;
    await expect(node.release(alice, token)).rejects.toMatchObject({ code: "unavailable" });
    broken = false;
    expect(node.locks.size).toBe(1);
    await node.clock.forward(1000);
    await until(() => node.locks.size === 0);
    expect(await node.look()).toMatchObject({ freed: START + 1000 });
  });
});

describe("time", () => {
  test("that is set back by a day lets no lock last longer than its lease, and no token shrink", async () => {
    const { take, clock, look } = setUp();
    const { token } = await take(alice, { leaseSeconds: 1 });
    clock.setBack(DAY_MS);
    await expect(take(bob)).rejects.toMatchObject({ code: "locked" });
    await clock.forward(1000);
    await turns(2);
    expect(await look()).toMatchObject({ token, freed: START - DAY_MS + 1000 });
    expect(await take(bob)).toMatchObject({ token: token + 1 });
  });
});

describe("two nodes whose clocks differ by minutes", () => {
  const MINUTES_MS = 5 * 60_000;

  /** The engine has a third clock. All go on together. */
  function twoNodes() {
    const clock = new FakeClock();
    const engine = new MemoryEngine({ clock, allowIsolated: true });
    const clocks = [new FakeClock(START + MINUTES_MS), new FakeClock(START - MINUTES_MS)] as const;
    const [early, late] = [setUp({ engine, clock: clocks[0] }), setUp({ engine, clock: clocks[1] })];
    const forward = async (ms: number) => {
      clock.advance(ms);
      for (const each of clocks) await each.forward(ms);
    };
    return { early, late, forward };
  }

  test("agree on who holds a lock, and until when, by the time of the engine", async () => {
    const { early, late, forward } = twoNodes();
    const held = await early.take(alice, { leaseSeconds: 60 });
    expect(held).toMatchObject({ expires: START + 60_000, time: START });
    await forward(59_000);
    const record = { holder: alice, token: held.token, expires: START + 60_000 };
    for (const node of [early, late]) {
      expect(await node.locks.look(NAME)).toMatchObject({ record, time: START + 59_000 });
      await expect(node.take(bob)).rejects.toMatchObject({ code: "locked", time: START + 59_000 });
    }
    expect(await late.take(alice, { token: held.token })).toMatchObject({ expires: START + 119_000 });
    await forward(59_999);
    await expect(early.take(bob)).rejects.toMatchObject({ code: "locked", retryAfterSeconds: 0.001 });
    await forward(1);
    for (const node of [early, late]) {
      expect(await node.look()).toEqual({ token: held.token, freed: START + 119_000 });
    }
    expect(await early.take(bob)).toMatchObject({ time: START + 119_000, token: START + 119_000 });
  });

  test("write down that a lease has ended when it has, and not before", async () => {
    const { early, late, forward } = twoNodes();
    const watcher = await watch(early);
    for (const [index, node] of [early, late].entries()) {
      const { token } = await node.take(alice, { leaseSeconds: 10 });
      const ends = START + 10_000 * (index + 1);
      await forward(9_999);
      expect(watcher.frames.at(-1)).toMatchObject({ value: { token, expires: ends } });
      await forward(1);
      await until(() => node.locks.size === 0);
      await turns(2);
      expect(watcher.frames.at(-1)).toMatchObject({ value: { token, freed: ends } });
    }
  });

  test("break a lock, and let go of it, at the time of the engine", async () => {
    const { early, late, forward } = twoNodes();
    const first = await early.take(alice);
    await forward(1000);
    expect(await late.locks.break(NAME)).toBe(true);
    expect(await early.look()).toEqual({ token: first.token, freed: START + 1000 });
    const second = await late.take(bob);
    await forward(1000);
    await early.release(bob, second.token);
    expect(await late.look()).toEqual({ token: second.token, freed: START + 2000 });
  });

  test("take away the record of a free lock when it has been free for a day of the engine", async () => {
    const { early, late, forward } = twoNodes();
    const { token } = await early.take(alice);
    await early.release(alice, token);
    early.locks.startUpkeep();
    late.locks.startUpkeep();
    await turns(4);
    await forward(DAY_MS - 600_000);
    await turns(4);
    expect(await late.look()).toEqual({ token, freed: START });
    await forward(600_000);
    await turns(4);
    expect(await late.look()).toBeNull();
    early.close();
    late.close();
  });
});

describe("the upkeep", () => {
  const engine = (clock: FakeClock) => new MemoryEngine({ clock, allowIsolated: true });

  test("finds the locks of a node that is gone, and frees them when their leases end", async () => {
    const clock = new FakeClock();
    const shared = engine(clock);
    const gone = setUp({ engine: shared, clock });
    await gone.take(alice, { leaseSeconds: 5 });
    await gone.locks.take(parseChannelName("order:7"), { holder: alice, leaseSeconds: 1 });
    gone.close();
    clock.advance(2000);
    const node = setUp({ engine: shared, clock });
    const watcher = await watch(node);
    node.locks.startUpkeep();
    await until(() => node.locks.size === 2);
    await clock.forward(1);
    await until(() => node.locks.size === 1);
    await clock.forward(2999);
    await until(() => node.locks.size === 0);
    await turns(2);
    expect(watcher.frames.at(-1)).toMatchObject({ value: { freed: START + 5000 } });
    expect(await node.locks.look(parseChannelName("order:7"))).toMatchObject({
      record: { freed: START + 2000 },
    });
    node.close();
  });

  test("takes away the record of a lock that nobody has held for a day; later tokens are greater all the same", async () => {
    const node = setUp();
    node.locks.startUpkeep();
    const { token } = await node.take(alice);
    await node.release(alice, token);
    await node.clock.forward(DAY_MS - 600_000, 600_000);
    await turns(4);
    expect(await node.look()).toEqual({ token, freed: START });
    await node.clock.forward(600_000);
    await turns(4);
    expect(await node.look()).toBeNull();
    expect((await node.take(bob)).token).toBe(START + DAY_MS);
    node.close();
  });

  test("tries again where the engine could not be reached", async () => {
    let broken = false;
    const clock = new FakeClock();
    const inner = engine(clock);
    const state: Logs["state"] = async (channel) => {
      if (broken) throw new Error("broken");
      return await inner.logs.state(channel);
    };
    const node = setUp({ clock, engine: changedEngine(inner, { logs: { state } }) });
    await node.take(alice, { leaseSeconds: 1 });
    broken = true;
    await node.clock.forward(1000);
    await turns(2);
    broken = false;
    expect(node.locks.size).toBe(1);
    await node.clock.forward(5000);
    await until(() => node.locks.size === 0);
    expect(await node.look()).toMatchObject({ freed: START + 6000 });
  });
});

test.each([
  [{ user: "alice", session: "s" }, '"alice"'],
  [{ key: "orders" }, 'the key "orders"'],
  [{ session: "s" }, "the session s"],
  [{}, "somebody"],
])("the refusal names who holds the lock: %j", async (holder, name) => {
  const { locks } = aHub();
  await locks.take(parseChannelName("order:1"), { holder });
  const taking = locks.take(parseChannelName("order:1"), { holder: { user: "bob" } });
  await expect(taking).rejects.toThrow(name);
});
