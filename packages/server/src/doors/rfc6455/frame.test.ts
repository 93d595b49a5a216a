import { describe, expect, test } from "vitest";
import { closeFrame, PING_FRAME, textFrame } from "./frame.js";

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

test.each(["é", "😀", "x", "a😀é"])(
  "a close frame cuts a long reason of %j between characters, to 123 bytes",
  (part) => {
    for (const length of [1, 30, 60, 123, 124, 500]) {
      const reason = part.repeat(length);
      const frame = Buffer.from(closeFrame(4000, reason));
      expect([frame[0], frame[1], frame.readUInt16BE(2)]).toEqual([0x88, frame.length - 2, 4000]);
      expect(frame.length).toBeLessThanOrEqual(127);
      const said = frame.subarray(4).toString();
      if (Buffer.byteLength(reason) <= 123) expect(said).toBe(reason);
      else {
        expect(said).toMatch(/…$/);
        expect(frame.length).toBeGreaterThan(120);
      }
    }
  },
);

test("a ping is two bytes", () => {
  expect([...PING_FRAME]).toEqual([0x89, 0]);
});
