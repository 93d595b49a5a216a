import { describe, expect, test } from "vitest";
import { PING_FRAME, textFrame } from "./frame.js";

describe("a text frame", () => {
  test.each([
    [0, [0x81, 0]],
    [125, [0x81, 125]],
    [126, [0x81, 126, 0, 126]],
    [65_535, [0x81, 126, 255, 255]],
    [65_536, [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]],
    [70_000, [0x81, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70]],
  ])("of %d bytes has the shortest header that RFC 6455 allows", (length, header) => {
    const frame = Buffer.from(textFrame("x".repeat(length)));
    expect([...frame.subarray(0, header.length)]).toEqual(header);
    expect(frame.length).toBe(header.length + length);
    expect(frame.subarray(header.length).toString()).toBe("x".repeat(length));
  });

  test("counts bytes, not characters", () => {
    const text = "é😀".repeat(21);
    const frame = Buffer.from(textFrame(text));
    expect([...frame.subarray(0, 4)]).toEqual([0x81, 126, 0, 126]);
    expect(frame.subarray(4).toString()).toBe(text);
  });

  test("owns its memory, so that keeping it keeps nothing else", () => {
    expect(textFrame("x").buffer.byteLength).toBe(3);
  });
});

test("a ping is two bytes", () => {
  expect([...PING_FRAME]).toEqual([0x89, 0]);
});
