/** No delay is without a floor, and none is for ever, whatever the page and the server say. */
import { beforeEach, describe, expect, test, vi } from "vitest";
import type { ClientOptions } from "./client-options.js";
import type { Client } from "./client-types.js";
import { Locks } from "./locks.js";
import { waitMs } from "./machine.js";
import { setUp } from "./testing/a-client.js";
import { FakeClock } from "./testing/fake-clock.js";
import { settled } from "./testing/scripted-server.js";

const HOUR = 3_600_000;

beforeEach(() => {
  vi.stubGlobal("reportError", vi.fn());
  return () => vi.unstubAllGlobals();
});

/** A client that is connected with a token that is good for a while, by the clock of a server that is hours off. */
async function connected(getToken: ClientOptions["getToken"], lifeMs: unknown = HOUR) {
  const all = setUp({ ...(getToken && { getToken }) });
  const { client, server, clock } = all;
  const errors: string[] = [];
  client.on("error", ({ message }) => errors.push(message));
  client.connect();
  server.socket.open();
  await settled();
  const expiry = () => {
    const time = clock.now() - 7 * HOUR;
    return { time, expires: typeof lifeMs === "number" ? time + lifeMs : lifeMs };
  };
  const connected = { type: "connected", connection: "c", session: "s", resumed: false, pingSeconds: 15 };
  server.socket.say({ ...connected, ...expiry() });
  server.socket.news();
  /** Lets time pass, and the server answer. @returns the tokens that were sent */
  const pass = async (ms: number, answers = true) => {
    const sent: unknown[] = [];
    for (let passed = 0; passed < ms; passed += 500) {
      clock.advance(500);
      await settled();
      for (const { type, token } of server.socket.news()) {
        if (type !== "token") continue;
        sent.push(token);
        if (answers) server.socket.say({ type: "token", ...expiry() });
      }
      if (client.connection.status === "connected") server.socket.say({ type: "pong" });
    }
    return sent;
  };
  return { ...all, errors, pass };
}

describe("a getToken", () => {
  test("that gives the same token again is asked later and later, and the server is told nothing", async () => {
    const getToken = vi.fn(() => "cached");
    const { pass, errors } = await connected(getToken, 61_000);
    // The last quarter of its life is about to begin.
    await pass(45_000);
    getToken.mockClear();
    expect(await pass(16_000)).toEqual([]);
    // Before it was some 2,000 times.
    expect(getToken.mock.calls.length).toBeLessThan(8);
    expect(getToken.mock.calls.length).toBeGreaterThan(2);
    getToken.mockImplementation(() => "another");
    expect(await pass(40_000)).toContain("another");
    expect(errors).toEqual([]);
  });

  test.each([0, -HOUR, 1, 999, Number.NaN, "soon", null, {}])(
    "whose tokens are good for %j ms is not asked in a circle",
    async (lifeMs) => {
      let asked = 0;
      const { pass } = await connected(() => `t${++asked}`, lifeMs);
      await pass(60_000);
      expect(asked).toBeLessThan(14);
    },
  );

  test("that never settles is given up after 15 seconds: its signal is aborted, and the state says so", async () => {
    const signals: AbortSignal[] = [];
    const { client, server, clock } = setUp({
      getToken: ({ signal }) => {
        signals.push(signal);
        return new Promise(() => {});
      },
    });
    const errors: string[] = [];
    const reasons = new Set<string>();
    client.on("error", ({ message }) => errors.push(message));
    client.on("connection", (state) => state.status === "reconnecting" && reasons.add(state.reason));
    client.connect();
    for (let second = 0; second < 40; second++) {
      if (server.socket.readyState === 0) server.socket.open();
      await settled();
      clock.advance(1000);
    }
    await settled();
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true, false]);
    expect(new Set(errors)).toEqual(new Set(["getToken gave no token within 15 seconds"]));
    expect([...reasons].every((why) => why.includes("getToken"))).toBe(true);
    client.close();
    expect([signals.at(-1)?.aborted, clock.pending]).toEqual([true, 0]);
  });

  test("that gives one after it was given up is not heard", async () => {
    const answers: ((token: string) => void)[] = [];
    const { client, server, clock } = setUp({ getToken: () => new Promise((done) => answers.push(done)) });
    client.on("error", () => {});
    client.connect();
    server.socket.open();
    await settled();
    clock.advance(15_000);
    await settled();
    answers[0]?.("late");
    await settled();
    expect(server.sockets.flatMap(({ sent }) => sent)).toEqual([]);
  });

  test.each([
    ["rejects", () => Promise.reject(new Error("logged out"))],
    ["never settles", () => new Promise<string>(() => {})],
  ])("that %s does not count as a WebSocket that is blocked", async (_how, getToken) => {
    const fetched = vi.fn(() => new Promise<Response>(() => {}));
    const { client, server, clock } = setUp({ getToken, sse: true, fetch: fetched });
    client.on("error", () => {});
    client.connect();
    for (let round = 0; round < 30; round++) {
      if (server.socket.readyState === 0) server.socket.open();
      await settled();
      clock.advance(5000);
    }
    expect(fetched).not.toHaveBeenCalled();
    expect(server.sockets.length).toBeGreaterThan(2);
  });
});

test.each([
  [0, 500],
  [-1, 500],
  ["x", 500],
  [undefined, 500],
  [Number.NaN, 500],
  [1.7, 1700],
  ["2", 2000],
  [1e12, 300_000],
  [Number.POSITIVE_INFINITY, 300_000],
])("a wait of %j seconds is one of %i ms", (seconds, ms) => {
  expect(waitMs(seconds, 500)).toBe(ms);
});

test.each([0, -3, "x", null, 1e15])(
  "after a goodbye with retryAfterSeconds %j the client waits, and comes back",
  async (retryAfterSeconds) => {
    const { client, server, clock } = setUp();
    client.connect();
    server.welcome();
    server.socket.say({ type: "goodbye", retryAfterSeconds });
    server.socket.lose(1012);
    const { connection } = client;
    const waits = connection.status === "reconnecting" ? connection.retryAt - clock.now() : 0;
    expect(waits).toBeGreaterThanOrEqual(500);
    expect(waits).toBeLessThanOrEqual(300_000);
  },
);

describe("a lease", () => {
  const taken = (lease: object) => {
    const clock = new FakeClock();
    const sent: object[] = [];
    const client = { connection: { status: "connected" }, on: () => () => {} } as unknown as Client;
    const send = async (frame: object) => {
      sent.push(frame);
      return { type: "ok", request: 1, token: 7, ...lease } as never;
    };
    return { clock, sent, lock: new Locks(client, { clock, random: () => 0 }, send).lock("a") };
  };

  test.each([[Number.NaN], [0], [-5], ["soon"]])("that ends in %j ms is none", async (ms) => {
    await expect(taken({ expires: ms, time: 0 }).lock).rejects.toMatchObject({ code: "invalid_answer" });
  });

  test.each([1, 1e15])("of %i ms is not renewed in a circle", async (ms) => {
    const { clock, sent, lock } = taken({ expires: ms, time: 0 });
    await lock;
    for (let round = 0; round < 100; round++) {
      clock.advance(10);
      await settled();
    }
    expect(sent.length).toBeLessThan(8);
  });

  test("is not longer when somebody sets the time of day back, and ends when its time is over", async () => {
    const { clock, lock } = taken({ expires: 30_000, time: 0 });
    const { signal } = await lock;
    clock.set(-48 * HOUR);
    for (let round = 0; round < 20; round++) {
      clock.advance(5000);
      await settled();
    }
    expect(signal.aborted).toBe(false);
    clock.sleep(40_000);
    await settled();
    expect(signal.aborted).toBe(true);
  });
});

test("a client that lost its connection, and one whose snapshot failed, waits in any case", async () => {
  const { client, server, clock } = setUp({ random: () => 0 });
  const snapshot = vi.fn(() => Promise.reject(new Error("no")));
  client.subscribe("a", () => {}, { snapshot, onError: () => {} });
  server.welcome();
  server.subscribed("a");
  await settled();
  clock.advance(249);
  await settled();
  expect(snapshot).toHaveBeenCalledTimes(1);
  clock.advance(1);
  await settled();
  expect(snapshot).toHaveBeenCalledTimes(2);
  server.socket.lose();
  expect(client.connection).toMatchObject({ retryAt: clock.now() + 250 });
});

describe("a lock", () => {
  /** One that is held for 30 seconds. */
  async function held() {
    const all = setUp();
    const taking = all.client.lock("a");
    const socket = all.server.welcome();
    await settled();
    socket.say({ type: "ok", request: 1, name: "a", token: 7, expires: 30_000, time: 0 });
    return { ...all, signal: (await taking).signal };
  }

  test("is lost as soon as the page wakes, where the monotonic clock stood still while the machine slept", async () => {
    const { clock, page, signal } = await held();
    clock.set(29_000);
    page.fire("visible");
    expect(signal.aborted).toBe(false);
    clock.set(1000);
    page.fire("visible");
    expect(signal.reason).toMatchObject({ code: "lock_lost" });
  });

  test.each(["set", "sleep"] as const)(
    "is not believed for longer than either clock says (%s)",
    async (how) => {
      const { clock, signal } = await held();
      clock[how](40_000);
      // The timer of the next renewal.
      clock.advance(10_000);
      expect(signal.aborted).toBe(true);
    },
  );
});

test("a page that connects whenever it is closed for good is held back, more each time", () => {
  const { client, server, clock } = setUp();
  client.on("connection", ({ status }) => status === "closed" && client.connect());
  client.connect();
  for (let second = 0; second < 60; second++) {
    for (let round = 0; round < 10 && server.socket.readyState === 0; round++) {
      server.socket.open();
      server.socket.lose(4401, "who are you?");
    }
    clock.advance(1000);
  }
  expect(server.sockets.length).toBeLessThan(20);
  expect(server.sockets.length).toBeGreaterThan(3);
});

test("a page whose user has logged in again is connected at once", () => {
  const { client, server } = setUp();
  client.connect();
  server.welcome();
  server.socket.lose(4401);
  client.connect();
  expect([client.connection.status, server.sockets.length]).toEqual(["connecting", 2]);
});

test("a client that is closed leaves no timer of a snapshot that fails, and loads it when it is connected again", async () => {
  const { client, server, clock } = setUp();
  const snapshot = vi.fn(() => Promise.reject(new Error("not now")));
  const failed = vi.fn();
  client.subscribe("news", () => {}, { snapshot, onError: failed });
  const begun = async () => {
    server.welcome();
    server.subscribed("news");
    await settled();
  };
  await begun();
  expect(snapshot).toHaveBeenCalledTimes(1);
  client.close();
  expect(clock.pending).toBe(0);
  clock.advance(60_000);
  await settled();
  expect(snapshot).toHaveBeenCalledTimes(1);
  client.connect();
  await begun();
  clock.advance(1000);
  await settled();
  expect(snapshot).toHaveBeenCalledTimes(2);
  client.close();
  expect(clock.pending).toBe(0);
  expect(failed).toHaveBeenCalledTimes(2);
});

test("a snapshot that fails after the client was closed sets no timer", async () => {
  const { client, server, clock } = setUp();
  let fail: (error: Error) => void = () => {};
  const snapshot = () => new Promise<void>((_done, reject) => (fail = reject));
  client.subscribe("news", () => {}, { snapshot, onError: () => {} });
  server.welcome();
  server.subscribed("news");
  await settled();
  client.close();
  fail(new Error("not now"));
  await settled();
  expect(clock.pending).toBe(0);
});
