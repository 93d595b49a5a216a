import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { live, setUp } from "./testing/a-client.js";
import { EPOCH, settled } from "./testing/scripted-server.js";

/** The secret by which an anonymous client is known. */
const publisher = expect.stringMatching(/^[0-9a-f]{32}$/);
const reported = vi.fn();
beforeEach(() => {
  vi.stubGlobal("reportError", reported.mockClear());
});
afterEach(() => {
  vi.unstubAllGlobals();
});

describe("connecting", () => {
  test("waits for the first subscription, or for the page's word", () => {
    const { server, client } = setUp();
    expect([server.sockets.length, client.connection.status]).toEqual([0, "idle"]);
    client.connect();
    expect([server.sockets.length, client.connection.status]).toEqual([1, "connecting"]);
    expect(server.socket).toMatchObject({ url: "ws://push.example.com/push", protocol: "fanfare.v1" });
  });

  test("says what it does, as events and as a value", () => {
    const { server, client, states, statuses, clock } = setUp();
    client.connect();
    server.welcome();
    const transport = "websocket";
    expect(client.connection).toEqual({ status: "connected", id: "c1", resumed: false, transport });
    server.socket.lose();
    expect(client.connection).toMatchObject({
      status: "reconnecting",
      attempt: 1,
      retryAt: clock.now() + 500,
    });
    clock.advance(500);
    server.welcome({ resumed: true });
    expect(client.connection).toEqual({ status: "connected", id: "c2", resumed: true, transport });
    client.close();
    expect(statuses()).toEqual([
      "connecting",
      "connected",
      "reconnecting",
      "connecting",
      "connected",
      "closed",
    ]);
    expect(states.at(-1)).toBe(client.connection);
  });

  test("goes on with the session, unless the page had left", () => {
    const { server, client, clock } = setUp();
    client.connect();
    const first = server.welcome();
    expect(first.sent).toEqual([{ type: "connect", publisher }]);
    first.lose();
    clock.advance(500);
    const second = server.welcome({ resumed: true });
    expect(second.sent[0]).toEqual({ type: "connect", session: "secret1", publisher });
    client.close();
    expect(second.closedWith).toBe(1000);
    client.connect();
    expect(server.welcome().sent[0]).toEqual({ type: "connect", publisher });
  });

  test("gives up a socket that never opens, without ending the session, and tries another", () => {
    const { server, client, clock } = setUp();
    client.connect();
    server.welcome().lose();
    clock.advance(500);
    const stuck = server.socket;
    clock.advance(10_000);
    expect(client.connection.status).toBe("reconnecting");
    expect(stuck.closedWith, "1000, 1001 and an empty close would end the session").toBe(4000);
    clock.advance(1000);
    expect(server.sockets).toHaveLength(3);
    expect(server.welcome().sent[0]).toMatchObject({ session: "secret1" });
    stuck.open();
    stuck.say({ type: "connected", connection: "stale", session: "stale", resumed: false, pingSeconds: 15 });
    stuck.lose();
    expect(client.connection).toMatchObject({ status: "connected", id: "c3" });
  });

  test("tries again when the constructor throws, and says what it threw", () => {
    const { server, client, clock, nextTry } = setUp();
    server.refusal = new Error("blocked by the page's policy");
    client.connect();
    clock.advance(0);
    expect(client.connection).toMatchObject({
      status: "reconnecting",
      reason: "The server cannot be reached: blocked by the page's policy",
    });
    server.refusal = null;
    nextTry();
    expect(client.connection.status).toBe("connecting");
    server.welcome();
    expect(client.connection.status).toBe("connected");
  });

  test("a throw of the constructor does not count against a later try", () => {
    const { server, client, clock } = setUp();
    server.refusal = new Error("blocked");
    client.connect();
    client.close();
    server.refusal = null;
    client.connect();
    clock.advance(0);
    expect(client.connection.status).toBe("connecting");
  });

  test("closing while it connects closes the socket, and leaves no timer behind", () => {
    const { server, client, clock } = setUp();
    client.subscribe("news", () => {});
    client.close();
    // Browsers complain about one that is closed before it is open.
    expect([server.socket.closedWith, clock.pending]).toEqual([undefined, 0]);
    server.socket.open();
    expect([server.socket.closedWith, server.socket.sent]).toEqual([1000, []]);
    expect(client.connection).toMatchObject({ status: "closed", code: null, remedy: "Call connect()." });
  });

  test("stays closed until the page says otherwise, and goes on where it was", async () => {
    const { client, server, heard, clock } = await live();
    server.message("news", 6);
    client.close();
    client.subscribe("other", () => {});
    await settled();
    clock.advance(3_600_000);
    expect(server.sockets).toHaveLength(1);
    client.connect();
    const socket = server.welcome();
    await settled();
    expect(socket.sent[1]).toMatchObject({
      type: "subscribe",
      channels: [{ channel: "news", since: { epoch: EPOCH, offset: 6 } }, { channel: "other" }],
    });
    server.subscribed("news");
    server.message("news", 7);
    expect(heard).toEqual([6, 7]);
  });

  test("stays away after a final close, with the server's words", async () => {
    const { client, server, clock } = await live();
    server.socket.lose(4401, "the token has expired");
    clock.advance(3_600_000);
    expect(client.connection).toEqual({
      status: "closed",
      reason: "the token has expired",
      remedy: "Log in again, then connect with the new token.",
      code: 4401,
    });
    expect([server.sockets.length, clock.pending]).toEqual([1, 0]);
  });

  test("waits as long as the goodbye asked", async () => {
    const { server, clock, client } = await live();
    server.socket.say({ type: "goodbye", retryAfterSeconds: 1.7 });
    server.socket.lose(1012, "the server restarts");
    expect(client.connection).toMatchObject({ status: "reconnecting", retryAt: clock.now() + 1700 });
    clock.advance(1699);
    expect(server.sockets).toHaveLength(1);
    clock.advance(1);
    expect(server.sockets).toHaveLength(2);
  });

  test("notices a dead server by its own ping, and a slept timer does not count", async () => {
    const { server, clock, client } = await live();
    clock.advance(15_000);
    expect(server.socket.news()).toEqual([{ type: "ping" }]);
    server.socket.say({ type: "pong" });
    clock.advance(15_000);
    clock.sleep(600_000);
    expect(client.connection.status).toBe("connected");
    server.socket.say({ type: "pong" });
    clock.advance(29_999);
    expect(client.connection.status).toBe("connected");
    clock.advance(1);
    expect(client.connection).toMatchObject({
      status: "reconnecting",
      reason: "The server has fallen silent.",
    });
  });

  test("what is no frame makes it come back; frames that it does not know are left alone", async () => {
    const { server, client, nextTry, heard } = await live();
    server.socket.say({ type: "confetti", from: "a later server" });
    expect(client.connection.status).toBe("connected");
    for (const text of ["<html>", "null", "7", '"text"']) {
      server.socket.say(text);
      expect(client.connection).toMatchObject({
        status: "reconnecting",
        reason: expect.stringContaining("not a Fanfare frame"),
      });
      nextTry();
      server.welcome();
      server.subscribed("news");
    }
    server.message("news", 6);
    expect(heard).toEqual([6]);
  });

  test("tells all listeners the newest state last, even when one of them changes it", () => {
    const { client, server } = setUp();
    const later: string[] = [];
    client.on("connection", ({ status }) => status === "connected" && client.close());
    client.on("connection", ({ status }) => later.push(status));
    client.connect();
    server.welcome();
    expect(later).toEqual(["connecting", "closed"]);
    expect(client.connection.status).toBe("closed");
  });

  test("a state listener that throws is reported, and one that left hears nothing", () => {
    const { client } = setUp();
    const heard = vi.fn();
    client.on("connection", () => {
      throw new Error("no");
    });
    client.on("connection", heard)();
    client.connect();
    expect([reported.mock.calls.length, heard.mock.calls.length]).toEqual([1, 0]);
  });
});

describe("the page", () => {
  test("asks for a sign of life when it wakes, and tries again at once when it waits", async () => {
    const { page, server, clock, client } = await live();
    page.fire("visible");
    expect(server.socket.news()).toEqual([{ type: "ping" }]);
    clock.advance(3000);
    expect(client.connection.status).toBe("reconnecting");
    page.fire("online");
    expect(client.connection.status).toBe("connecting");
  });

  test("hears nothing more from a socket that it has let go of", async () => {
    for (const leave of ["pagehide", "close"]) {
      const { page, server, client, heard } = await live();
      const { socket } = server;
      if (leave === "close") client.close();
      else page.fire("pagehide");
      const { status } = client.connection;
      server.message("news", 6);
      socket.say({ type: "goodbye", retryAfterSeconds: 1 });
      socket.lose(1006, "late");
      expect([heard, client.connection.status, server.sockets.length]).toEqual([[], status, 1]);
    }
  });

  test("says goodbye when it is left, and goes on where it was when it comes back", async () => {
    const { page, server, client, heard, clock } = await live();
    server.message("news", 6);
    page.fire("pagehide");
    expect(server.socket.closedWith, "an open socket keeps a page out of the back-forward cache").toBe(1000);
    expect([client.connection.status, clock.pending]).toEqual(["idle", 0]);
    page.fire("pageshow");
    page.fire("visible");
    expect(server.sockets).toHaveLength(2);
    const socket = server.welcome();
    expect(socket.sent[0]).toEqual({ type: "connect", publisher });
    expect(socket.sent[1]).toMatchObject({ channels: [{ since: { epoch: EPOCH, offset: 6 } }] });
    server.subscribed("news");
    for (const offset of [6, 7]) server.message("news", offset);
    expect(heard).toEqual([6, 7]);
  });

  test("is let go of when the client is closed", async () => {
    const { page, client } = await live();
    expect(page.listeners).toHaveLength(5);
    client.close();
    expect(page.listeners).toHaveLength(0);
    client.connect();
    expect(page.listeners).toHaveLength(5);
  });
});

test("a handler that is none, and an event that there is not, are refused", () => {
  const { client } = setUp();
  const nothing = JSON.parse("null");
  expect(() => client.subscribe("a", nothing)).toThrow(
    expect.objectContaining({ code: "invalid_request", message: "the handler is null" }),
  );
  expect(() => client.on(JSON.parse('"message"'), () => {})).toThrow(
    expect.objectContaining({
      code: "invalid_request",
      message: '"message" is no event of a client',
      remedy: expect.stringMatching(/^Use connection, .*subscribe/),
    }),
  );
});
