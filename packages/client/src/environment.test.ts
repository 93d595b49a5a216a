import { afterEach, describe, expect, test, vi } from "vitest";
import { WebSocket as WsWebSocket } from "ws";
import type { SocketConstructor } from "./client-options.js";
import { pageEvents, socketConstructor, systemClock, webSocketUrl } from "./environment.js";

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe("the address of the WebSocket", () => {
  test.each([
    ["http://push.example.com/push", "ws://push.example.com/push"],
    ["https://push.example.com:8443/push?a=1", "wss://push.example.com:8443/push?a=1"],
    ["ws://push.example.com/push", "ws://push.example.com/push"],
    ["wss://push.example.com/push#part", "wss://push.example.com/push"],
  ])("%s is %s", (url, found) => {
    expect(webSocketUrl(url)).toBe(found);
  });

  test("of a path is that of the page", () => {
    vi.stubGlobal("location", new URL("https://app.example.com/orders/7?tab=1#top"));
    expect(webSocketUrl("/push")).toBe("wss://app.example.com/push");
    expect(webSocketUrl("push")).toBe("wss://app.example.com/orders/push");
  });

  test.each([
    [
      "a worker made of a blob",
      { location: new URL("blob:https://app.example.com/1-2"), origin: "https://app.example.com" },
    ],
    [
      "a frame made of text",
      {
        location: { href: "about:srcdoc" },
        document: { baseURI: "https://app.example.com/orders" },
        origin: "null",
      },
    ],
  ])("of a path in %s is that of its page", (_where, globals) => {
    for (const [name, value] of Object.entries(globals)) vi.stubGlobal(name, value);
    expect(webSocketUrl("/push")).toBe("wss://app.example.com/push");
  });

  test.each(["/push", "file:///push", "javascript:alert(1)", "http://"])(
    "cannot be had from %s without a page",
    (url) => {
      expect(() => webSocketUrl(url)).toThrow(expect.objectContaining({ code: "invalid_url" }));
    },
  );
});

describe("the WebSocket", () => {
  test("is the one that was given, also by its type", () => {
    const given: SocketConstructor = WsWebSocket;
    expect(socketConstructor(given)).toBe(WsWebSocket);
  });

  test("is the global one otherwise", () => {
    vi.stubGlobal("WebSocket", WsWebSocket);
    expect(socketConstructor(undefined)).toBe(WsWebSocket);
  });

  test("has to be given where there is none", () => {
    vi.stubGlobal("WebSocket", undefined);
    expect(() => socketConstructor(undefined)).toThrow(
      expect.objectContaining({ code: "no_websocket", remedy: expect.stringContaining("ws") }),
    );
  });
});

describe("the page's events", () => {
  test("are none where there is no page", () => {
    expect(pageEvents()).toBeNull();
  });

  test("come from window and document, until they are no longer wanted", () => {
    const window = new EventTarget();
    const document = Object.assign(new EventTarget(), { visibilityState: "hidden" });
    vi.stubGlobal("window", window);
    vi.stubGlobal("document", document);
    const heard: string[] = [];
    const events = ["visible", "online", "offline", "pageshow", "pagehide"] as const;
    const page = pageEvents();
    const offs = events.map((event) => page?.on(event, () => heard.push(event)));
    const fire = () => {
      document.dispatchEvent(new Event("visibilitychange"));
      for (const event of events) if (event !== "visible") window.dispatchEvent(new Event(event));
    };
    fire();
    expect(heard).toEqual(["online", "offline", "pageshow", "pagehide"]);
    document.visibilityState = "visible";
    fire();
    expect(heard.filter((event) => event === "visible")).toHaveLength(1);
    heard.length = 0;
    for (const off of offs) off?.();
    fire();
    expect(heard).toEqual([]);
  });
});

test("the machine's clock calls once, and not after it was called off", () => {
  vi.useFakeTimers();
  const heard: string[] = [];
  systemClock.after(100, () => heard.push("first"));
  systemClock.after(100, () => heard.push("second"))();
  vi.advanceTimersByTime(1000);
  expect(heard).toEqual(["first"]);
  expect(systemClock.now()).toBe(Date.now());
});
