/** Locks and numbers over real sockets: what the client promises, kept by a real server. */
import { afterEach, describe, expect, test } from "vitest";
import type { ClientOptions, LockRecord } from "../../packages/client/src/index.js";
import { TcpProxy } from "./proxy.js";
import { clientOf, inState, Recorder, serve, withDeadline } from "./world.js";

const cleanUps: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function setUp() {
  const running = await serve();
  cleanUps.push(() => running.close());
  const proxy = await TcpProxy.to(running.port);
  cleanUps.push(() => proxy.close());
  const client = (options: ClientOptions = {}) => {
    const made = clientOf(running.url.replace(String(running.port), String(proxy.port)), {
      random: () => 0,
      ...options,
    });
    cleanUps.push(() => made.close());
    return made;
  };
  return { ...running, proxy, client };
}

describe("a lock", () => {
  test("passes from one page to another that waits for it, with a greater token, and all see who holds it", async () => {
    const { client } = await setUp();
    const [one, two, three] = [client(), client(), client()];
    const seen = new Recorder<LockRecord | null>();
    three.watchLock("order:42", seen.add);
    const lock = await one.lock("order:42", { info: "one" });
    await expect(two.lock("order:42")).rejects.toMatchObject({ code: "locked", lock: { info: "one" } });
    const waiting = two.lock("order:42", { info: "two", waitSeconds: 9 });
    await seen.atLeast(1);
    await lock.release();
    const next = await withDeadline(waiting, "the lock");
    expect(next.token).toBeGreaterThan(lock.token);
    expect((await seen.atLeast(2)).at(-1)).toMatchObject({ token: next.token, info: "two" });
    // The page is closed: so is what it held.
    two.close();
    const free = await withDeadline(three.lock("order:42", { waitSeconds: 9 }), "the lock");
    expect(free.token).toBeGreaterThan(next.token);
  });

  test("outlasts a lost connection, and is lost when somebody breaks it", async () => {
    const { client, proxy, fanfare } = await setUp();
    const one = client();
    const lock = await one.lock("order:42", { leaseSeconds: 3 });
    const before = await fanfare.locks.get("order:42");
    proxy.cut();
    await inState(one, "reconnecting");
    await inState(one, "connected");
    const renewed = new Promise<void>((done) => {
      client().watchLock("order:42", (state) => (state?.expires ?? 0) > (before?.expires ?? 0) && done());
    });
    await withDeadline(renewed, "the renewal");
    expect(await fanfare.locks.get("order:42")).toMatchObject({ token: lock.token, since: before?.since });
    const lost = new Promise((done) => lock.signal.addEventListener("abort", done));
    await fanfare.locks.break("order:42", lock.token);
    // It learns of it with its next renewal, after a third of the lease.
    await withDeadline(lost, "the loss");
    expect(lock.signal.reason).toMatchObject({ code: "lock_lost" });
  });

  test("is let go of at the end of a block", async () => {
    const { client, fanfare } = await setUp();
    {
      await using lock = await client().lock("order:42");
      expect(await fanfare.locks.get("order:42")).toMatchObject({ token: lock.token, holder: {} });
    }
    expect(await fanfare.locks.get("order:42")).toMatchObject({ freed: expect.any(Number) });
  });
});

describe("numbers", () => {
  test("are nobody else's, however many pages ask, and whoever watches sees the last", async () => {
    const { client } = await setUp();
    const pages = Array.from({ length: 5 }, () => client());
    const seen = new Recorder<number | null>();
    pages[0]?.watchSequence("invoice", seen.add);
    const given = await Promise.all(
      pages.flatMap((page) =>
        Array.from({ length: 20 }, (_, index) => page.next("invoice", { count: 1 + (index % 2) })),
      ),
    );
    const numbers = given.flatMap(({ first, last }) => (first === last ? [first] : [first, last]));
    expect(new Set(numbers).size).toBe(150);
    expect(Math.max(...numbers)).toBe(150);
    await withDeadline(
      (async () => {
        for (let count = 1; seen.items.at(-1) !== 150; count++) await seen.atLeast(count);
      })(),
      "the last number",
    );
  });
});
