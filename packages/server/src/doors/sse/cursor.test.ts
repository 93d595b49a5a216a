import { type ChannelName, type Epoch, FanfareError, type Position } from "@fanfare/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { checkOf, formatCursor, MAX_CURSOR_CHANNELS, MAX_CURSOR_LENGTH, parseCursor } from "./cursor.js";

const epochs = fc.stringMatching(/^[0-9a-f]{16}$/);
const positions = fc.option(fc.record({ epoch: epochs, offset: fc.maxSafeNat() }), { freq: 5 });

const names = (count: number) => Array.from({ length: count }, (_, index) => `c:${index}` as ChannelName);

test("what was written is read again, whatever the positions, and is at most 2 KB", () => {
  fc.assert(
    fc.property(fc.array(positions, { minLength: 1, maxLength: MAX_CURSOR_CHANNELS }), (list) => {
      const channels = names(list.length);
      const text = formatCursor(checkOf(channels), list as (Position | null)[]);
      expect(text.length).toBeLessThanOrEqual(MAX_CURSOR_LENGTH);
      expect(text).toMatch(/^[\w.,:-]+$/);
      expect(parseCursor(text, channels)).toEqual(list);
    }),
  );
});

test("the longest there can be is at most 2 KB", () => {
  const list = Array.from({ length: MAX_CURSOR_CHANNELS }, (_, index) => ({
    epoch: index.toString(16).padStart(16, "f") as Epoch,
    offset: Number.MAX_SAFE_INTEGER,
  }));
  expect(formatCursor("abcdef", list).length).toBeLessThanOrEqual(MAX_CURSOR_LENGTH);
});

test("a cursor of one log is short", () => {
  const epoch = "0123456789abcdef" as Epoch;
  const cursor = formatCursor("abcdef", [{ epoch, offset: 35 }, null, { epoch, offset: 0 }]);
  expect(cursor).toBe("abcdef.0123456789abcdef.z,,0");
});

test("any other text is refused, and never read as something else", () => {
  const channels = names(3);
  const good = formatCursor(checkOf(channels), [
    { epoch: "0123456789abcdef" as Epoch, offset: 7 },
    null,
    null,
  ]);
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.nat(good.length - 1).map((at) => good.slice(0, at)),
      ),
      (text) => {
        expect(() => parseCursor(text, channels)).toThrow(FanfareError);
      },
    ),
  );
});

test("the cursor of other channels, or of another order, is refused by name", () => {
  const [a, b] = names(2) as [ChannelName, ChannelName];
  const cursor = formatCursor(checkOf([a, b]), [null, null]);
  expect(() => parseCursor(cursor, [b, a])).toThrow(/belongs to other channels/);
  expect(() => parseCursor(cursor, [a])).toThrow(/belongs to other channels/);
});
