import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { live, setUp } from "./testing/a-client.js";
import { EPOCH, LATER_EPOCH } from "./testing/scripted-server.js";
import type { Gap } from "./types.js";

const reported = vi.fn();
beforeEach(() => {
  vi.stubGlobal("reportError", reported.mockClear());
  vi.spyOn(console, "warn").mockImplementation(() => {});
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

describe("what is refused", () => {
  const refusal = (fields: object) => ({ type: "error", message: "no", remedy: "ask", ...fields });

  test("is told to the channel's handlers, or else to the client's, or else reported", async () => {
    const { client, server } = setUp();
    const onError = vi.fn();
    const onClientError = vi.fn();
    client.subscribe("a", () => {}, { onError });
    client.subscribe("b", () => {});
    const socket = server.welcome();
    socket.say(refusal({ request: 1, channel: "a", code: "forbidden" }));
    expect(onError).toHaveBeenCalledWith(
      expect.objectContaining({
        code: "forbidden",
        message: "no",
        remedy: "ask",
        retryAfterSeconds: undefined,
      }),
    );
    socket.say(refusal({ request: 1, channel: "b", code: "forbidden" }));
    expect(reported).toHaveBeenCalledTimes(1);
    client.on("error", onClientError);
    socket.say(refusal({ code: "rate_limited" }));
    expect(onClientError).toHaveBeenCalledTimes(1);
    expect(client.connection.status).toBe("connected");
  });

  test("as a whole batch is told to each of its channels", () => {
    const { client, server } = setUp();
    const onError = vi.fn();
    for (const name of ["a", "b"]) client.subscribe(name, () => {}, { onError });
    server.welcome().say(refusal({ request: 1, code: "invalid_request" }));
    expect(onError).toHaveBeenCalledTimes(2);
  });

  test("is asked again after a reconnect", async () => {
    const { client, server, clock, nextTry } = setUp();
    client.subscribe("a", () => {}, { onError: () => {} });
    server.welcome().say(refusal({ request: 1, channel: "a", code: "forbidden" }));
    clock.advance(14_000);
    expect(server.socket.sent).toHaveLength(2);
    server.socket.lose();
    nextTry();
    expect(server.welcome().sent[1]).toMatchObject({ type: "subscribe" });
  });

  test.each([
    ["after the time that the server names", { code: "rate_limited", retryAfterSeconds: 2 }, 2500],
    ["after a while, where it may pass", { code: "unavailable" }, 1250],
  ])("is asked again %s", (_when, fields, ms) => {
    const { client, server, clock } = setUp();
    client.subscribe("a", () => {}, { onError: () => {} });
    const socket = server.welcome();
    socket.say(refusal({ request: 1, channel: "a", ...fields }));
    clock.advance(ms - 1);
    expect(socket.sent).toHaveLength(2);
    clock.advance(1);
    expect(socket.sent[2]).toMatchObject({ type: "subscribe", channels: [{ channel: "a" }] });
  });

  test("leaves no timer behind when the page leaves or closes", async () => {
    const { client, server, clock } = setUp();
    const a = client.subscribe("a", () => {}, { onError: () => {} });
    client.subscribe("b", () => {}, { onError: () => {} });
    const socket = server.welcome();
    for (const channel of ["a", "b"]) socket.say(refusal({ request: 1, channel, code: "unavailable" }));
    a.unsubscribe();
    client.close();
    expect(clock.pending).toBe(0);
  });

  test("and ended by the server is told, and heard no more", async () => {
    const { client, server, heard } = await live();
    const onError = vi.fn();
    client.on("error", onError);
    server.socket.say({ type: "unsubscribed", channel: "news", code: "forbidden" });
    server.message("news", 6);
    expect([onError.mock.calls[0]?.[0].code, heard]).toEqual(["forbidden", []]);
  });

  test("makes it come back slower, where the connection is closed for it", async () => {
    const { client, server, clock } = await live();
    client.on("error", () => {});
    server.socket.say(refusal({ code: "rate_limited", retryAfterSeconds: 20 }));
    server.socket.lose(4429);
    expect(client.connection).toMatchObject({ status: "reconnecting", retryAt: clock.now() + 20_000 });
  });
});

describe("gaps", () => {
  const gap = { type: "gap", channel: "news", epoch: EPOCH, from: 6, to: 8, reason: "too_slow" };

  test("go to the handler, or else to the client's listeners, or else to the console", async () => {
    const { client, server } = await live();
    const gaps: Gap[] = [];
    server.socket.say(gap);
    expect(console.warn).toHaveBeenCalledTimes(1);
    const off = client.on("gap", (each) => {
      gaps.push(each);
      off();
    });
    server.socket.say({ ...gap, from: 9, to: 9 });
    expect(gaps).toEqual([{ type: "gap", channel: "news", reason: "too_slow", from: 9, to: 9 }]);
    expect(console.warn, "a listener that leaves has listened").toHaveBeenCalledTimes(1);
  });

  test("move the position, also into another log", async () => {
    const { server, nextTry, client } = await live();
    client.on("gap", () => {});
    server.socket.say({ ...gap, epoch: LATER_EPOCH, from: 1, to: 2, reason: "epoch_changed" });
    server.socket.lose();
    nextTry();
    expect(server.welcome().sent[1]).toMatchObject({
      channels: [{ since: { epoch: LATER_EPOCH, offset: 2 } }],
    });
  });
});
