import { beforeEach, describe, expect, test, vi } from "vitest";
import type { ClientOptions } from "./client-options.js";
import { setUp } from "./testing/a-client.js";
import { settled } from "./testing/scripted-server.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

beforeEach(() => {
  vi.stubGlobal("reportError", vi.fn());
  return () => vi.unstubAllGlobals();
});

/** A client whose page has a new token each time, connected with the first, which is good for an hour. */
async function connected(options: Pick<ClientOptions, "token" | "getToken"> = {}) {
  let asked = 0;
  const errors: string[] = [];
  const { client, clock, server, page } = setUp({
    ...(options.token === undefined && { getToken: () => `t${++asked}` }),
    ...options,
  });
  client.on("error", ({ message }) => errors.push(message));
  client.connect();
  const welcome = async (lifeMs: number) => {
    server.socket.open();
    await settled();
    // The server's clock is a day ahead of this machine's.
    const time = clock.now() + 24 * HOUR;
    const said = { type: "connected", connection: "c", session: "s", resumed: false, pingSeconds: 15 };
    server.socket.say({ ...said, expires: time + lifeMs, time });
    server.socket.news();
  };
  /** Lets time pass, and the server answer all pings. */
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 10_000) {
      clock.advance(10_000);
      if (client.connection.status === "connected") server.socket.say({ type: "pong" });
      await settled();
    }
  };
  await welcome(HOUR);
  const sent = () => server.socket.news().filter(({ type }) => type !== "ping");
  return { clock, server, page, client, errors, welcome, pass, sent, asked: () => asked };
}

describe("the token", () => {
  test("is said in connect", () => {
    const { client, server } = setUp({ token: "t1" });
    client.connect();
    server.socket.open();
    return settled().then(() => expect(server.socket.sent).toEqual([{ type: "connect", token: "t1" }]));
  });

  test("is asked for before every connect", async () => {
    let asked = 0;
    const { client, server, nextTry } = setUp({ getToken: () => `t${++asked}` });
    client.connect();
    server.socket.open();
    await settled();
    server.socket.lose();
    nextTry();
    server.socket.open();
    await settled();
    expect(server.sockets.map(({ sent }) => sent[0])).toEqual([
      { type: "connect", token: "t1" },
      { type: "connect", token: "t2" },
    ]);
  });

  test("that comes late serves the next connect, and is not asked for twice", async () => {
    const waiting: ((token: string) => void)[] = [];
    const { client, server, clock } = setUp({ getToken: () => new Promise((done) => waiting.push(done)) });
    client.connect();
    server.socket.open();
    await settled();
    clock.advance(10_000);
    clock.advance(500);
    server.socket.open();
    await settled();
    waiting[0]?.("late");
    await settled();
    expect(waiting).toHaveLength(1);
    expect(server.sockets.map(({ sent }) => sent)).toEqual([[], [{ type: "connect", token: "late" }]]);
  });

  test.each([
    ["rejects", () => Promise.reject(new Error("logged out"))],
    [
      "throws",
      () => {
        throw new Error("logged out");
      },
    ],
  ])("that cannot be had (getToken %s) is told, and tried again later", async (_how, getToken) => {
    const { client, server, nextTry } = setUp({ getToken });
    const errors: string[] = [];
    client.on("error", ({ message }) => errors.push(message));
    client.connect();
    server.socket.open();
    await settled();
    expect(errors).toEqual(["logged out"]);
    expect(client.connection).toMatchObject({
      status: "reconnecting",
      reason: expect.stringContaining("The token could not be had: "),
    });
    nextTry();
    expect(server.sockets).toHaveLength(2);
  });
});

describe("a token that expires", () => {
  test("is replaced a minute before, on the connection that there is", async () => {
    const { pass, sent, server, asked, clock } = await connected();
    await pass(HOUR - MINUTE - 10_000);
    expect([asked(), sent()]).toEqual([1, []]);
    await pass(10_000);
    expect(sent()).toEqual([{ type: "token", token: "t2" }]);
    const time = clock.now();
    server.socket.say({ type: "token", time, expires: time + 20_000 });
    await pass(10_000);
    expect(sent()).toEqual([]);
    // Of a short life, the last quarter.
    await pass(10_000);
    expect(sent()).toEqual([{ type: "token", token: "t3" }]);
    expect(server.sockets).toHaveLength(1);
  });

  test("is replaced at once when the page wakes up, and only once", async () => {
    const { page, sent, clock, asked, server } = await connected();
    // The timers of the machine have not noticed yet.
    vi.spyOn(clock, "now").mockReturnValue(clock.now() + 2 * HOUR);
    page.fire("visible");
    page.fire("online");
    await settled();
    expect(sent()).toEqual([{ type: "token", token: "t2" }]);
    expect([asked(), server.sockets.length]).toEqual([2, 1]);
  });

  test("ends no page: when the server closed meanwhile, a new one is fetched before the client rejoins", async () => {
    const { clock, server, client, asked, errors } = await connected();
    clock.sleep(8 * HOUR);
    server.socket.lose(4401, "the token expired");
    expect(client.connection).toMatchObject({ status: "reconnecting", reason: "the token expired" });
    clock.advance(500);
    server.socket.open();
    await settled();
    expect(server.socket.sent).toEqual([{ type: "connect", session: "s", token: `t${asked()}` }]);
    expect(errors).toEqual([]);
  });

  test("ends the page when what is fetched is refused, too", async () => {
    const { server, client, clock } = await connected();
    server.socket.lose(4401, "revoked");
    clock.advance(500);
    server.socket.open();
    await settled();
    server.socket.lose(4401, "still revoked");
    expect(client.connection).toMatchObject({ status: "closed", code: 4401, reason: "still revoked" });
  });

  test("ends the page when there is no other", async () => {
    const { server, client } = await connected({ token: "t" });
    server.socket.lose(4401, "the token expired");
    expect(client.connection).toMatchObject({ status: "closed", code: 4401 });
  });

  test("is asked for again, less and less often, while the page has none", async () => {
    let asked = 0;
    const { pass, sent, errors } = await connected({
      getToken: () => {
        if (++asked === 1 || asked > 4) return `t${asked}`;
        throw new Error("offline");
      },
    });
    await pass(HOUR - 10_000);
    expect(errors).toEqual(["offline", "offline", "offline"]);
    expect(sent()).toEqual([{ type: "token", token: "t5" }]);
  });

  test("belongs to its connection: what comes after that was lost serves the next connect only", async () => {
    const answers: ((token: string) => void)[] = [];
    const first = Promise.resolve("t1");
    let asked = 0;
    const { pass, server, clock } = await connected({
      getToken: () => (asked++ === 0 ? first : new Promise((done) => answers.push(done))),
    });
    await pass(HOUR - MINUTE);
    const old = server.socket;
    old.lose();
    clock.advance(5000);
    server.socket.open();
    answers[0]?.("t2");
    await settled();
    expect(old.sent.filter(({ type }) => type === "token")).toEqual([]);
    expect(server.socket.sent).toEqual([{ type: "connect", session: "s", token: "t2" }]);
    expect(answers).toHaveLength(1);
  });

  test("leaves no timer behind when the page closes the connection", async () => {
    const { client, clock } = await connected();
    client.close();
    expect(clock.pending).toBe(0);
  });
});

test.each([
  ["", '""'],
  [undefined, "undefined"],
  [null, "null"],
  [{ token: "t" }, "an object"],
])("a page that has no token (%j) is never nobody", async (token, shown) => {
  const { client, server } = setUp({ getToken: () => token as never });
  const errors: string[] = [];
  client.on("error", ({ message }) => errors.push(message));
  client.connect();
  server.socket.open();
  await settled();
  expect(server.socket.sent).toEqual([]);
  expect(errors).toEqual([`getToken gave ${shown}`]);
  expect(client.connection.status).toBe("reconnecting");
});
