/** Locks: one holder at a time, each with a greater token than those before, and everybody who watches sees who it is. */
import { type LockHolder, ownChannel, parseChannelName } from "@fanfare/protocol";
import { describe, expect, test } from "vitest";
import { MemoryEngine } from "../engine/memory-engine.js";
import { aHub, type HubForTests, type HubOptionsForTests, until } from "../testing/a-hub.js";
import { FakeClock, turns } from "../testing/fake-clock.js";
import { ForwardingEngine } from "../testing/forwarding-engine.js";
import type { LockInput } from "./locks.js";

const NAME = parseChannelName("order:42");
const CHANNEL = ownChannel("lock", NAME);
const START = new FakeClock().now();
const DAY_MS = 86_400_000;

const alice: LockHolder = { user: "alice", session: "a" };
const bob: LockHolder = { user: "bob", session: "b" };

function setUp(options?: HubOptionsForTests) {
  const node = aHub(options);
  const { locks } = node.hub;
  return {
    ...node,
    locks,
    take: (holder: LockHolder, input: LockInput = {}) => locks.take(NAME, { holder, ...input }),
    release: (holder: LockHolder | null, token: number) => locks.release(NAME, { holder, token }),
    look: () => locks.look(NAME),
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
    const held = await take(alice, { leaseMs: 5000, info: { form: "invoice" } });
    const expires = START + 5000;
    expect(held).toEqual({ token: START, expires, time: START, durable: false });
    const record = {
      token: START,
      holder: alice,
      since: START,
      expires,
      leaseMs: 5000,
      info: { form: "invoice" },
    };
    expect(await look()).toEqual(record);
    await expect(take(bob)).rejects.toMatchObject({
      code: "locked",
      status: 409,
      message: 'order:42 is locked by "alice" until 2026-01-01T00:00:05.000Z',
      retryAfter: 5,
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
    const { token } = await node.take(alice, { leaseMs: 1000 });
    await turns(2);
    await node.clock.forward(500);
    await node.take(alice, { token });
    await turns(2);
    const late = await watch(node);
    await node.release(alice, token);
    await turns(2);
    const holder = { holder: alice, since: START, leaseMs: 1000 };
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
    await node.take(alice, { leaseMs: 1000 });
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
    const { token } = await take(alice, { leaseMs: 1000, info: "typing" });
    for (let second = 0; second < 5; second++) {
      await clock.forward(900);
      expect(await take(alice, { token })).toMatchObject({ token, expires: clock.now() + 1000 });
    }
    expect(await look()).toMatchObject({ since: START, info: "typing", leaseMs: 1000 });
    await take(alice, { token, info: null, leaseMs: 2000 });
    expect(await look()).toEqual({
      token,
      holder: alice,
      since: START,
      expires: clock.now() + 2000,
      leaseMs: 2000,
    });
  });

  test("cannot be renewed or let go of by somebody else, with another token, or when it is lost", async () => {
    const { take, release, clock } = setUp();
    const { token } = await take(alice, { leaseMs: 1000 });
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
    ["a short lease", { leaseMs: 999 }, "invalid_request", /leaseMs is 999/],
    ["half a millisecond", { leaseMs: 1000.5 }, "invalid_request", /leaseMs is 1000.5/],
    ["a lease of more than a day", { leaseMs: DAY_MS + 1 }, "invalid_request", /leaseMs is 86400001/],
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
    expect(await locks.look(other)).toMatchObject({ freed: START });
    expect(await locks.look(parseChannelName("order:8"))).toMatchObject({ holder: bob });
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

describe("time", () => {
  test("that is set back by a day lets no lock last longer than its lease, and no token shrink", async () => {
    const { take, clock, look } = setUp();
    const { token } = await take(alice, { leaseMs: 1000 });
    clock.setBack(DAY_MS);
    await expect(take(bob)).rejects.toMatchObject({ code: "locked" });
    await clock.forward(1000);
    await turns(2);
    expect(await look()).toMatchObject({ token, freed: START - DAY_MS + 1000 });
    expect(await take(bob)).toMatchObject({ token: token + 1 });
  });
});

describe("the upkeep", () => {
  const engine = () => new MemoryEngine({ allowIsolated: true });

  test("finds the locks of a node that is gone, and frees them when their leases end", async () => {
    const shared = engine();
    const clock = new FakeClock();
    const gone = setUp({ engine: shared, clock });
    await gone.take(alice, { leaseMs: 5000 });
    await gone.locks.take(parseChannelName("order:7"), { holder: alice, leaseMs: 1000 });
    gone.hub.close();
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
    expect(await node.locks.look(parseChannelName("order:7"))).toMatchObject({ freed: START + 2001 });
    node.hub.close();
  });

  test("takes away the record of a lock that nobody has held for a day; later tokens are greater all the same", async () => {
    const node = setUp({ engine: engine() });
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
    node.hub.close();
  });

  test("tries again where the engine could not be reached", async () => {
    let broken = false;
    class Breaking extends ForwardingEngine {
      override async state(...args: Parameters<MemoryEngine["state"]>) {
        if (broken) throw new Error("broken");
        return await super.state(...args);
      }
    }
    const node = setUp({ engine: new Breaking(engine()) });
    await node.take(alice, { leaseMs: 1000 });
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
