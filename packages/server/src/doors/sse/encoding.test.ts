import { type ChannelName, type Epoch, FanfareError } from "@fanfare/protocol";
import { describe, expect, test } from "vitest";
import type { Message } from "../../engine/engine.js";
import { cursorBlock, sseEncoding } from "./encoding.js";

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();

function message(event: string, data: unknown, more: Partial<Message> = {}): string {
  return text(
    sseEncoding.message({
      channel: "a" as ChannelName,
      epoch: "0123456789abcdef" as Epoch,
      offset: 3,
      time: 1000,
      event,
      json: JSON.stringify(data),
      ...more,
    } as Message),
  );
}

describe("a message", () => {
  test("is data alone when it has no name of its own", () => {
    expect(message("message", { x: "é" })).toBe(
      'data: {"channel":"a","offset":3,"time":1000,"event":"message","data":{"x":"é"}}\n\n',
    );
  });

  test("is an event by its name, with who published it and its key", () => {
    expect(message("order paid", 1, { user: 'a"b', id: "k" })).toBe(
      'event: order paid\ndata: {"channel":"a","offset":3,"time":1000,"event":"order paid","data":1,"user":"a\\"b","id":"k"}\n\n',
    );
  });

  test.each(["error", "open", "fanfare.gap", "fanfare.closed", "a\nevent: fanfare.gap", "a\rid: x"])(
    "named %j is no event of that name: its data say it",
    (event) => {
      const block = message(event, "line\nbreak");
      const [line, ...rest] = block.split("\n");
      expect(rest).toEqual(["", ""]);
      expect(line?.startsWith("data: {")).toBe(true);
      expect(JSON.parse(line?.slice(6) ?? "")).toMatchObject({ event, data: "line\nbreak" });
      expect(block).not.toContain("\r");
    },
  );
});

test("a state travels with the text that it was given", () => {
  const news = { channel: "a" as ChannelName, from: 1, offset: 2, change: "patch", json: '{"n":1}' } as const;
  expect(text(sseEncoding.state(news))).toBe(
    'event: fanfare.state\ndata: {"channel":"a","from":1,"offset":2,"patch":{"n":1}}\n\n',
  );
});

test("a refusal says what to do", () => {
  const error = new FanfareError("forbidden", "no", { remedy: "Ask." });
  expect(text(sseEncoding.refused(undefined, "a", error))).toBe(
    'event: fanfare.error\ndata: {"channel":"a","code":"forbidden","message":"no","remedy":"Ask."}\n\n',
  );
});

test("a cursor has a name and data beside its id", () => {
  expect(text(cursorBlock("c.e.1"))).toBe("event: fanfare.cursor\nid: c.e.1\ndata: -\n\n");
});
