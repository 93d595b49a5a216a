import type { LockRecord } from "@fanfare/protocol";
import { describe, expect, test } from "vitest";
import type { ClientError } from "./client-error.js";
import type { Lock, LockOptions } from "./lock-types.js";
import { setUp as aClient } from "./testing/a-client.js";
import { type AnyFrame, EPOCH, settled } from "./testing/scripted-server.js";

const NAME = "order:42";
/** The server's clock is not the client's. */
const SERVER_NOW = 5_000_000;

function setUp() {
  const { client, clock, server, page } = aClient();
  const asked = (type: string): AnyFrame[] => server.socket.news().filter((frame) => frame.type === type);
  const last = (type: string) => server.socket.sent.findLast((frame) => frame.type === type);
  const answer = async (type: string, fields: object) => {
    server.socket.say(JSON.stringify({ request: last(type)?.request, ...fields }));
    await settled();
  };
  const held = (leaseMs = 30_000, token = 7) =>
    answer("lock", {
      type: "ok",
      name: NAME,
      token,
      expires: SERVER_NOW + leaseMs,
      time: SERVER_NOW,
      durable: false,
    });
  const refused = (code: string, fields: object = {}) =>
    answer("lock", { type: "error", code, message: `it is ${code}`, remedy: "", ...fields });
  /** Lets time pass up to the next try, which succeeds. */
  const reconnect = async (resumed = true) => {
    if (client.connection.status === "reconnecting") clock.advance(client.connection.retryAt - clock.now());
    server.welcome({ resumed });
    await settled();
  };
  return { clock, server, page, client, asked, held, refused, answer, reconnect };
}

async function setUpHeld(leaseMs?: number) {
  const all = setUp();
  const taking = all.client.lock(NAME);
  all.server.welcome();
  await settled();
  await all.held(leaseMs);
  const lock = await taking;
  all.server.socket.news();
  return { ...all, lock };
}

const why = (lock: Lock) => (lock.signal.reason as ClientError).message;

/** What became of a promise. */
function watched<Value>(promise: Promise<Value>) {
  const seen: { value?: Value; error?: ClientError } = {};
  promise.then(
    (value) => Object.assign(seen, { value }),
    (error) => Object.assign(seen, { error }),
  );
  return seen;
}

describe("a lock", () => {
  test("is asked for as soon as there is a connection, which it opens", async () => {
    const { client, server, asked, held } = setUp();
    const taking = client.lock(NAME, { leaseSeconds: 9, info: { name: "Alice" } });
    server.welcome();
    await settled();
    expect(asked("lock")).toMatchObject([{ name: NAME, leaseSeconds: 9, info: { name: "Alice" } }]);
    await held();
    expect(await taking).toMatchObject({ name: NAME, token: 7, durable: false });
  });

  test("that is held by somebody else is an error that says by whom", async () => {
    const { client, server, refused } = setUp();
    const taking = watched(client.lock(NAME));
    server.welcome();
    await settled();
    const lock = { token: 3, holder: { user: "bob" }, expires: SERVER_NOW + 1000 };
    await refused("locked", { lock, retryAfterSeconds: 1 });
    expect(taking.error).toMatchObject({
      code: "locked",
      message: "it is locked",
      lock,
      retryAfterSeconds: 1,
    });
  });

  test("that this client holds, or is about to take, is not asked for again until it is released", async () => {
    const { client, lock, asked, answer, clock, server, held } = await setUpHeld();
    await expect(client.lock(NAME)).rejects.toMatchObject({ code: "locked", lock: undefined });
    const waiting = watched(client.lock(NAME, { waitSeconds: 5 }));
    await settled();
    clock.advance(4000);
    expect(asked("lock")).toEqual([]);
    void lock.release();
    await settled();
    expect(server.socket.news()).toMatchObject([
      { type: "unlock", name: NAME, token: 7 },
      { type: "lock", name: NAME },
    ]);
    await answer("unlock", { type: "ok" });
    await held(30_000, 8);
    expect(waiting.value).toMatchObject({ token: 8 });
  });

  test("is renewed at a third of its lease, with its token, until it is released", async () => {
    const { clock, asked, held, lock, answer } = await setUpHeld(30_000);
    for (let round = 0; round < 3; round++) {
      clock.advance(9999);
      expect(asked("lock")).toEqual([]);
      clock.advance(1);
      expect(asked("lock")).toMatchObject([{ name: NAME, token: 7 }]);
      await held();
    }
    const released = watched(lock.release());
    expect(asked("unlock")).toMatchObject([{ name: NAME, token: 7 }]);
    await answer("unlock", { type: "ok" });
    expect(released.error).toBeUndefined();
    await lock.release();
    clock.advance(60_000);
    expect([asked("lock"), asked("unlock"), lock.signal.aborted]).toEqual([[], [], false]);
  });

  test("is lost when the server says so", async () => {
    const { clock, refused, lock, asked } = await setUpHeld();
    clock.advance(10_000);
    await refused("lock_lost");
    expect(lock.signal.reason).toMatchObject({ code: "lock_lost", message: "it is lock_lost" });
    await lock.release();
    clock.advance(60_000);
    expect(asked("unlock")).toEqual([]);
  });

  test("is tried again when it could not be renewed for now, and lost when the lease has ended", async () => {
    const { clock, refused, asked, lock } = await setUpHeld(30_000);
    clock.advance(10_000);
    await refused("unavailable");
    clock.advance(10_000);
    expect(asked("lock")).toHaveLength(2);
    await refused("unavailable");
    clock.advance(9999);
    expect(lock.signal.aborted).toBe(false);
    clock.advance(1);
    expect(why(lock)).toBe("the lease of order:42 ended before it could be renewed");
  });

  test("is lost when the answer does not come before the lease ends, or the machine slept for so long", async () => {
    for (const pass of ["advance", "sleep"] as const) {
      const { clock, lock } = await setUpHeld(30_000);
      clock[pass](30_000);
      await settled();
      expect(lock.signal.aborted, pass).toBe(true);
    }
  });

  test("goes on after a lost connection: it is renewed as soon as there is one", async () => {
    const { server, asked, held, lock, reconnect, clock } = await setUpHeld(30_000);
    clock.advance(5000);
    server.socket.lose();
    await reconnect();
    expect(asked("lock")).toMatchObject([{ name: NAME, token: 7 }]);
    await held();
    clock.advance(10_000);
    expect(asked("lock")).toMatchObject([{ token: 7 }]);
    expect(lock.signal.aborted).toBe(false);
  });

  test("is lost after a lost connection when the server has given it to another, or the lease ends meanwhile", async () => {
    const { server, refused, lock, reconnect } = await setUpHeld();
    server.socket.lose();
    await reconnect(false);
    await refused("lock_lost");
    expect(lock.signal.aborted).toBe(true);

    const late = await setUpHeld(1000);
    late.server.socket.lose();
    late.clock.advance(1000);
    await settled();
    expect(late.lock.signal.aborted).toBe(true);
  });

  test("is lost when the page closes the client, or is left", async () => {
    const { client, lock, page } = await setUpHeld();
    client.close();
    expect(why(lock)).toContain("was let go of");
    const left = await setUpHeld();
    left.page.fire("pagehide");
    expect(left.lock.signal.aborted).toBe(true);
    expect(page.listeners).toEqual([]);
  });

  test("that was released without a connection is let go of when there is one", async () => {
    const { server, lock, asked, answer, reconnect } = await setUpHeld();
    server.socket.lose();
    await lock.release();
    await reconnect();
    expect(asked("unlock")).toMatchObject([{ name: NAME, token: 7 }]);
    await answer("unlock", { type: "error", code: "lock_lost", message: "", remedy: "" });
    server.socket.lose();
    await reconnect();
    expect(asked("unlock")).toEqual([]);
  });

  test("is not asked for while there is no connection, and with a lost one the answer is lost", async () => {
    const { server, client, reconnect } = await setUpHeld();
    const other = watched(client.lock("other"));
    await settled();
    server.socket.lose();
    await settled();
    expect(other.error).toMatchObject({ code: "not_connected" });
    await expect(client.lock("other")).rejects.toMatchObject({ code: "not_connected" });
    await reconnect();
    await expect(client.lock("a b")).rejects.toMatchObject({ code: "invalid_channel" });
  });
});

describe("waiting for a lock", () => {
  async function waiting(options: LockOptions) {
    const all = setUp();
    const taking = watched(all.client.lock(NAME, options));
    all.server.welcome();
    await settled();
    const lock = { token: 7, holder: { user: "bob" }, expires: SERVER_NOW + 30_000 };
    await all.refused("locked", { lock, retryAfterSeconds: 5 });
    all.server.subscribed(`$lock:${NAME}`, {
      state: { ...lock, token: 6, holder: undefined, freed: 1 },
      stateOffset: 1,
      offset: 1,
      epoch: EPOCH,
      recovered: false,
    });
    await settled();
    all.server.socket.news();
    const change = async (value: LockRecord, offset: number) => {
      all.server.socket.say({ type: "state", channel: `$lock:${NAME}`, from: offset - 1, offset, value });
      await settled();
    };
    return { ...all, taking, change, lock };
  }

  test("asks again when it is told that it is free, not before", async () => {
    const { taking, change, lock, asked, held } = await waiting({ waitSeconds: 60 });
    await change(lock, 2);
    expect(asked("lock")).toEqual([]);
    await change({ token: 7, freed: 2 }, 3);
    expect(asked("lock")).toMatchObject([{ name: NAME }]);
    await held(30_000, 8);
    expect(taking.value).toMatchObject({ token: 8 });
  });

  test("asks again when the lease of the holder has ended, and after a reconnect", async () => {
    const { taking, asked, clock, server, refused, reconnect } = await waiting({ waitSeconds: 60 });
    clock.advance(5000);
    await settled();
    expect(asked("lock")).toHaveLength(1);
    await refused("locked", { lock: { token: 9, holder: {} }, retryAfterSeconds: 5 });
    server.socket.lose();
    await settled();
    await reconnect();
    expect(asked("lock")).toHaveLength(1);
    expect(taking).toEqual({});
  });

  test("ends with the last refusal when the time is over, and leaves nothing behind", async () => {
    const { taking, clock, refused, asked, client } = await waiting({ waitSeconds: 4 });
    clock.advance(4000);
    await settled();
    await refused("locked", { lock: { token: 7, holder: { user: "bob" } } });
    expect(taking.error).toMatchObject({ code: "locked", lock: { holder: { user: "bob" } } });
    expect(asked("unsubscribe")).toHaveLength(1);
    client.close();
    expect(clock.pending).toBe(0);
  });
});

describe("watching", () => {
  test.each([Number.NaN, -1, "1000", null, {}])(
    "refuses to wait for %j, and asks nothing",
    async (waitSeconds) => {
      const { client, clock, server } = setUp();
      const waiting = watched(client.lock(NAME, { waitSeconds } as never));
      await settled();
      expect(waiting.error).toMatchObject({
        code: "invalid_request",
        message: expect.stringContaining("waitSeconds"),
      });
      expect([clock.pending, server.sockets.length]).toEqual([0, 0]);
    },
  );

  test("is refused at once when the page closes the client, however long it would wait", async () => {
    const { client, server, clock, refused } = setUp();
    const waiting = watched(client.lock(NAME, { waitSeconds: Number.POSITIVE_INFINITY }));
    server.welcome();
    await settled();
    await refused("locked", { retryAfterSeconds: 30 });
    client.close();
    await settled();
    expect(waiting.error).toMatchObject({ code: "not_connected" });
    expect(clock.pending).toBe(0);
  });

  test("waits while the page is away, and connects nothing there", async () => {
    const { client, server, page, refused, held } = setUp();
    const waiting = watched(client.lock(NAME, { waitSeconds: 60 }));
    server.welcome();
    await settled();
    await refused("locked", { retryAfterSeconds: 30 });
    page.fire("pagehide");
    await settled();
    expect([client.connection.status, server.sockets.length]).toEqual(["idle", 1]);
    page.fire("pageshow");
    server.welcome();
    await settled();
    await held();
    expect(waiting.value).toMatchObject({ name: NAME });
  });

  test("tells who holds a lock, and the last number of a sequence", async () => {
    const { client, server } = setUp();
    const locks: (LockRecord | null)[] = [];
    const numbers: (number | null)[] = [];
    const watching = client.watchLock(NAME, (lock) => locks.push(lock));
    client.watchSequence("invoice", (last) => numbers.push(last));
    server.welcome();
    await settled();
    server.subscribed(`$lock:${NAME}`, {
      epoch: EPOCH,
      offset: 1,
      state: { token: 1, holder: {} },
      stateOffset: 1,
    });
    server.subscribed("$sequence:invoice", { epoch: EPOCH, offset: 1, state: { last: 5 }, stateOffset: 1 });
    server.socket.say({
      type: "state",
      channel: "$sequence:invoice",
      from: 1,
      offset: 2,
      value: { last: 8 },
    });
    server.socket.say({ type: "state", channel: `$lock:${NAME}`, from: 1, offset: 2, value: null });
    expect([locks, numbers]).toEqual([
      [{ token: 1, holder: {} }, null],
      [5, 8],
    ]);
    watching.unsubscribe();
    expect(() => client.watchLock("a b", () => {})).toThrow("is no channel name");
    expect(() => client.subscribe("$other:a", () => {})).toThrow("is no channel name");
  });
});

describe("numbers", () => {
  test("are asked for and handed out", async () => {
    const { client, server, answer } = setUp();
    const asking = watched(client.next("invoice", { count: 3, id: "k" }));
    server.welcome();
    await settled();
    expect(server.socket.sent.at(-1)).toMatchObject({ type: "next", name: "invoice", count: 3, id: "k" });
    await answer("next", { type: "ok", name: "invoice", first: 5, last: 7, durable: true });
    expect(asking.value).toEqual({ first: 5, last: 7, durable: true });
    const refused = watched(client.next("invoice"));
    await settled();
    await answer("next", { type: "error", code: "sequence_exhausted", message: "", remedy: "" });
    expect(refused.error).toMatchObject({ code: "sequence_exhausted" });
    await expect(client.next("a b")).rejects.toMatchObject({ code: "invalid_channel" });
  });
});
