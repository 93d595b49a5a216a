/** Sockets that end without a word, and code of the page that fails later than it was called. */
import { beforeEach, describe, expect, test, vi } from "vitest";
import { createClient } from "./client.js";
import { live, setUp } from "./testing/a-client.js";
import { settled } from "./testing/scripted-server.js";

const reported = vi.fn();
beforeEach(() => {
  vi.stubGlobal("reportError", reported.mockClear());
  return () => vi.unstubAllGlobals();
});

describe("a socket that tells of an error", () => {
  test("and not of its end is lost at once, with what the error says", () => {
    const { client, server, nextTry } = setUp();
    client.connect();
    server.socket.readyState = 3;
    server.socket.onerror?.({ message: "Unexpected server response: 404" } as never);
    expect(client.connection).toMatchObject({
      status: "reconnecting",
      reason: "The server cannot be reached: Unexpected server response: 404",
      attempt: 1,
    });
    nextTry();
    expect(server.sockets).toHaveLength(2);
  });

  test("and then of its end is lost once", async () => {
    const { client, server } = await live();
    const socket = server.socket;
    socket.onerror?.({} as never);
    socket.lose(1006);
    expect(client.connection).toMatchObject({ status: "reconnecting", attempt: 1 });
    expect(server.sockets).toHaveLength(1);
  });

  test("is named by the page's policy where that forbids it", () => {
    const listeners: ((event: object) => void)[] = [];
    vi.stubGlobal("document", {
      addEventListener: (name: string, listener: (event: object) => void) =>
        name === "securitypolicyviolation" && listeners.push(listener),
    });
    const { client, server } = setUp();
    client.connect();
    for (const listener of listeners) {
      listener({ effectiveDirective: "connect-src", blockedURI: "ws://push.example.com/push" });
    }
    server.socket.onerror?.({} as never);
    for (const listener of listeners) listener({ effectiveDirective: "connect-src", blockedURI: "" });
    expect(client.connection).toMatchObject({
      reason: expect.stringContaining("Content-Security-Policy forbids push.example.com"),
    });
  });
});

describe("a page whose policy forbids its own server", () => {
  test.each([
    ["push.example.com", true],
    ["app.example.com", false],
  ])("is told so at %s: %j", (host, isTold) => {
    const listeners: ((event: object) => void)[] = [];
    vi.stubGlobal("document", {
      addEventListener: (name: string, listener: (event: object) => void) =>
        name === "securitypolicyviolation" && listeners.push(listener),
    });
    vi.stubGlobal("location", new URL(`https://${host}/orders`));
    const { client, server } = setUp();
    client.connect();
    const violate = (blockedURI: string) => {
      for (const listener of listeners) listener({ effectiveDirective: "connect-src", blockedURI });
    };
    violate("self");
    server.socket.onerror?.({} as never);
    violate("");
    const why = client.connection.status === "reconnecting" ? client.connection.reason : "";
    expect(why.includes("Content-Security-Policy forbids push.example.com")).toBe(isTold);
    client.close();
  });
});

describe("a client that is made where there is no page", () => {
  test("throws nothing until it is used, and then what to do", () => {
    vi.stubGlobal("WebSocket", undefined);
    const client = createClient({ url: "/push" });
    expect(client.connection).toEqual({ status: "idle" });
    const missing = expect.objectContaining({ code: "no_websocket" });
    expect(() => client.connect()).toThrow(missing);
    expect(() => client.subscribe("news", () => {})).toThrow(missing);
    expect(client.connection).toEqual({ status: "idle" });
  });

  test("says that a path means nothing there", async () => {
    const { server } = setUp();
    const client = createClient({ url: "/push", WebSocket: server.WebSocket });
    const unknown = expect.objectContaining({ code: "invalid_url" });
    expect(() => client.subscribe("news", () => {})).toThrow(unknown);
    await expect(client.publish("news", 1)).rejects.toEqual(unknown);
    await expect(client.lock("news")).rejects.toEqual(unknown);
    vi.stubGlobal("location", new URL("https://app.example.com/orders"));
    client.subscribe("news", () => {});
    expect(server.socket.url).toBe("wss://app.example.com/push");
  });

  test("is refused at once with an address that is none anywhere", () => {
    expect(() => createClient({ url: "ftp://push.example.com" })).toThrow(
      expect.objectContaining({ code: "invalid_url" }),
    );
  });
});

describe("code of the page that is asynchronous", () => {
  const fail = async () => {
    throw new Error("later");
  };

  test("is reported when it fails, like code that throws, and stops nothing", async () => {
    const { client, server } = await live();
    const heard: number[] = [];
    client.subscribe("more", async ({ offset }) => {
      heard.push(offset);
      await fail();
    });
    await settled();
    server.subscribed("more");
    server.message("more", 1);
    server.message("more", 2);
    await settled();
    expect([heard, reported.mock.calls.length]).toEqual([[1, 2], 2]);
    expect(reported.mock.calls[0]?.[0]).toEqual(new Error("later"));
  });

  test.each(["onSubscribed", "onState", "onGap", "onError", "onPresence"])(
    "is reported in %s",
    async (option) => {
      const { client, server } = setUp();
      client.subscribe("a", () => {}, { [option]: fail });
      const socket = server.welcome();
      const presence = { count: 0, members: [] };
      if (option === "onError") {
        socket.say({ type: "error", request: 1, channel: "a", code: "forbidden", message: "", remedy: "" });
      } else server.subscribed("a", { state: { a: 1 }, stateOffset: 0, presence });
      if (option === "onGap") {
        socket.say({
          type: "gap",
          channel: "a",
          epoch: "00000000000000a1",
          from: 1,
          to: 2,
          reason: "too_slow",
        });
      }
      await settled();
      expect(reported).toHaveBeenCalledTimes(1);
    },
  );

  test("is reported in what listens to the client", async () => {
    const { client } = setUp();
    client.on("connection", fail);
    client.connect();
    await settled();
    expect(reported).toHaveBeenCalledTimes(1);
  });
});

test("connect works while the page is away", () => {
  const { client, server, page } = setUp();
  client.connect();
  server.welcome();
  page.fire("pagehide");
  expect(client.connection.status).toBe("idle");
  client.connect();
  server.welcome();
  expect(client.connection.status).toBe("connected");
});

test("a page that is gone when its socket could not be opened is told so without an error of its own", () => {
  vi.stubGlobal("location", { href: "https://app.example.com/" });
  class Refusing {
    constructor() {
      throw new Error("forbidden");
    }
  }
  const { clock, client } = setUp({ url: "/push", WebSocket: Refusing as never });
  client.connect();
  vi.stubGlobal("location", undefined);
  clock.advance(1);
  expect(client.connection).toMatchObject({
    status: "reconnecting",
    reason: "The server cannot be reached: forbidden",
  });
  client.close();
});
