import type { Big } from "big.js";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { FanfareContainerProps } from "../typings/FanfareProps.js";
import { FanfareWidget } from "./fanfare-widget.js";
import { available, FakeAction, loading, object, text, unavailable } from "./testing/mendix.js";
import { fanfareProps, openPage, type Page } from "./testing/page.js";

interface MessageVariables {
  event: string | undefined;
  payload: string | undefined;
  offset: Big | undefined;
}

let page: Page;
let widget: FanfareWidget;
let statuses: string[];
beforeEach(() => {
  vi.useFakeTimers();
  page = openPage();
  statuses = [];
  widget = new FanfareWidget("fanfare1", page.connections);
  widget.onStatus = (status) => void statuses.push(status);
});
afterEach(() => void vi.useRealTimers());

function show(over: Partial<FanfareContainerProps> = {}): void {
  widget.update(fanfareProps(over));
}

describe("the channel", () => {
  test("is that of the object", () => {
    show();
    expect(page.client.channels).toEqual(["object:1"]);
  });

  test("is the one with the name", () => {
    show({ channelBy: "name", channelName: available(" order:42 ") });
    expect(page.client.channels).toEqual(["order:42"]);
  });

  test.each([
    ["there is no object", { messageObject: unavailable<never>() }],
    ["no object was chosen", { messageObject: undefined }],
    ["the name is empty", { channelBy: "name" as const, channelName: available("") }],
  ])("is none where %s, and nothing is wrong with that", (_what, over) => {
    show(over);
    expect(page.client.channels).toEqual([]);
    expect(page.warnings).toEqual([]);
  });

  test("follows when the object is swapped, and what comes then goes to the new one only", () => {
    const text1 = text();
    show({ text1: text1.props });
    page.client.subscribed();
    text1.status = "loading";
    show({ messageObject: loading(object("1")), text1: text1.props });
    expect(page.client.channels).toEqual(["object:1"]);
    page.client.publish("object:1", { Text1: "for the first" });
    text1.status = "available";
    show({ messageObject: available(object("2")), text1: text1.props });
    expect(page.client.channels).toEqual(["object:2"]);
    page.client.publish("object:1", { Text1: "late" });
    page.client.publish("object:2", { Text1: "for the second" });
    expect(text1.sets).toEqual(["for the second"]);
    expect(page.clients).toHaveLength(1);
  });

  test("is left when the object is gone", () => {
    show();
    show({ messageObject: unavailable() });
    expect(page.client.channels).toEqual([]);
    expect(statuses.at(-1)).toBe("idle");
  });

  test("with a name that cannot be is refused, with a warning and the action", () => {
    const onRefused = new FakeAction<{ code: string | undefined; reason: string | undefined }>();
    show({ channelBy: "name", channelName: available("a b"), onRefused: onRefused.props });
    show({ channelBy: "name", channelName: available("a b"), onRefused: onRefused.props });
    expect(onRefused.runs).toEqual([{ code: "invalid_channel", reason: '"a b" is no channel. Mend it.' }]);
    expect(page.warnings).toHaveLength(1);
  });
});

describe("the server", () => {
  test.each([
    [undefined, "/push"],
    ["", "/push"],
    ["/other", "/other"],
    ["mywebsocket", "/mywebsocket"],
    ["https://push.example.com/push", "https://push.example.com/push"],
    ["wss://push.example.com", "wss://push.example.com"],
  ])("%s is found at %s", (serverUrl, url) => {
    show(serverUrl === undefined ? {} : { serverUrl: available(serverUrl) });
    expect(page.options.map((each) => each.url)).toEqual([url]);
  });

  test("is not connected with before its token is there, nor without one", () => {
    show({ login: "token", token: loading() });
    expect(page.clients).toHaveLength(0);
    show({ login: "token", token: available("") });
    expect(page.clients).toHaveLength(0);
    expect(page.warnings).toHaveLength(1);
    show({ login: "token", token: available("abc") });
    expect(page.client.channels).toEqual(["object:1"]);
  });

  test("keeps the connection while its address is loading again", () => {
    show({ serverUrl: available("/a") });
    show({ serverUrl: loading("/a") });
    expect(page.client.channels).toEqual(["object:1"]);
  });

  test("may be another one later: the channel goes along", () => {
    show({ serverUrl: available("/a") });
    show({ serverUrl: available("/b") });
    expect(page.clients.map(({ channels }) => channels)).toEqual([[], ["object:1"]]);
  });
});

describe("the connection", () => {
  test("that stands runs On subscribed, and again after a reconnect only where something was missed", () => {
    const onSubscribed = new FakeAction();
    show({ onSubscribed: onSubscribed.props });
    page.client.subscribed();
    page.client.lose();
    page.client.subscribed(true);
    vi.runAllTimers();
    expect(onSubscribed.count).toBe(1);
    page.client.lose();
    page.client.subscribed(false);
    vi.runAllTimers();
    expect(onSubscribed.count).toBe(2);
    expect(statuses).toEqual(["connecting", "live", "lost", "live", "lost", "live"]);
  });

  test("that cannot be made when the page loads runs On connection lost once, and all goes on when it comes", () => {
    const onLost = new FakeAction<{ reason: string | undefined }>();
    const onSubscribed = new FakeAction();
    show({ onLost: onLost.props, onSubscribed: onSubscribed.props });
    page.client.lose();
    page.client.is({ status: "connecting" });
    page.client.lose();
    vi.runAllTimers();
    expect(onLost.runs).toEqual([{ reason: "The connection was lost." }]);
    page.client.subscribed();
    expect(onSubscribed.count).toBe(1);
  });

  test("that the server ends for good runs On refused, with the reason", () => {
    const onRefused = new FakeAction<{ code: string | undefined; reason: string | undefined }>();
    show({ onRefused: onRefused.props });
    page.client.is({
      status: "closed",
      code: 4401,
      reason: "The session has ended.",
      remedy: "Log in again.",
    });
    expect(onRefused.runs).toEqual([{ code: "4401", reason: "The session has ended. Log in again." }]);
    expect(statuses.at(-1)).toBe("refused");
  });

  test("on which the channel is refused runs On refused, and warns", () => {
    const onRefused = new FakeAction<{ code: string | undefined; reason: string | undefined }>();
    show({ onRefused: onRefused.props });
    page.client.refuse("object:1");
    expect(onRefused.runs).toEqual([
      { code: "forbidden", reason: "you may not subscribe object:1. Ask for the grant." },
    ]);
    expect(page.warnings).toHaveLength(1);
  });

  test("tells of missing messages, but not of those that newer ones have overtaken", () => {
    const onMissed = new FakeAction<{ reason: string | undefined }>();
    show({ onMissed: onMissed.props });
    page.client.gap("object:1", "conflated");
    page.client.gap("object:1", "evicted");
    expect(onMissed.runs).toEqual([{ reason: "evicted" }]);
  });
});

describe("a widget that leaves the page", () => {
  test("hears nothing any more, leaves nothing behind, and runs On leave", () => {
    const [onLeave, onReceive, text1] = [new FakeAction(), new FakeAction<MessageVariables>(), text()];
    show({ onLeave: onLeave.props, onReceive: onReceive.props, text1: text1.props });
    page.client.subscribed();
    page.client.publish("object:1", { Text1: "a" });
    page.client.publish("object:1", { Text1: "b" });
    widget.stop();
    page.client.publish("object:1", { Text1: "c" });
    vi.runAllTimers();
    expect(page.client.connection.status).toBe("closed");
    expect(text1.sets).toEqual(["a", "b"]);
    expect(onReceive.runs).toHaveLength(1);
    expect(onLeave).toMatchObject({ count: 1, runs: [] });
    expect(vi.getTimerCount()).toBe(0);
  });

  test("can come back", () => {
    show();
    widget.stop();
    show();
    expect(page.client.channels).toEqual(["object:1"]);
    vi.runAllTimers();
    expect(page.client.connection.status).not.toBe("closed");
  });
});
