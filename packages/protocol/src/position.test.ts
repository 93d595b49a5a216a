import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FanfareError } from "./errors.js";
import { formatPosition, isEpoch, parseEpoch, parsePosition } from "./position.js";

const EPOCH = "0123456789abcdef";
const epoch = fc
  .string({ unit: fc.constantFrom(...EPOCH), minLength: 16, maxLength: 16 })
  .map((text) => parseEpoch(text));
const position = fc.record({ epoch, offset: fc.nat({ max: Number.MAX_SAFE_INTEGER }) });

describe("an epoch", () => {
  test("is 16 characters of 0-9 a-f", () => {
    expect(isEpoch(EPOCH)).toBe(true);
    expect(parseEpoch(EPOCH)).toBe(EPOCH);
  });

  test.each(["", "0", EPOCH.slice(1), `${EPOCH}0`, EPOCH.toUpperCase(), "0123456789abcdeg", `${EPOCH}\n`])(
    "is not %j",
    (text) => {
      expect(isEpoch(text)).toBe(false);
      expect(() => parseEpoch(text)).toThrow(expect.objectContaining({ code: "invalid_position" }));
      expect(() => parseEpoch(text)).toThrow(JSON.stringify(text));
    },
  );
});

describe("a position as text", () => {
  test("is epoch:offset", () => {
    expect(formatPosition({ epoch: parseEpoch(EPOCH), offset: 42 })).toBe("0123456789abcdef:42");
  });

  test("is read back as it was written", () => {
    fc.assert(
      fc.property(position, (position) => {
        expect(parsePosition(formatPosition(position))).toEqual(position);
      }),
    );
  });

  test.each([0, 1, Number.MAX_SAFE_INTEGER])("may have the offset %d", (offset) => {
    expect(parsePosition(`${EPOCH}:${offset}`)).toEqual({ epoch: EPOCH, offset });
  });

  test.each([
    "",
    ":",
    "42",
    EPOCH,
    `${EPOCH}:`,
    ":42",
    `${EPOCH}:-1`,
    `${EPOCH}:+1`,
    `${EPOCH}:1.5`,
    `${EPOCH}:1e3`,
    `${EPOCH}:0x10`,
    `${EPOCH}:042`,
    `${EPOCH}:00`,
    `${EPOCH}: 42`,
    `${EPOCH}:42 `,
    `${EPOCH}:42\n`,
    `${EPOCH}:٤٢`,
    `${EPOCH}:42:7`,
    `${EPOCH}:9007199254740992`,
    `${EPOCH}:99999999999999999999`,
    `${EPOCH}:NaN`,
    `${EPOCH.toUpperCase()}:42`,
    `${EPOCH.slice(1)}:42`,
    ` ${EPOCH}:42`,
  ])("is not %j", (text) => {
    expect(() => parsePosition(text)).toThrow(FanfareError);
    expect(() => parsePosition(text)).toThrow(expect.objectContaining({ code: "invalid_position" }));
  });

  test("has one spelling only: what is accepted is what would be written, and garbage is refused", () => {
    const nearly = fc
      .tuple(epoch, fc.string({ unit: fc.constantFrom("0", "1", "9", ":", "-", ".", "e"), maxLength: 6 }))
      .map((parts) => parts.join(":"));
    fc.assert(
      fc.property(fc.oneof(nearly, fc.string()), (text) => {
        const [epochText = "", offsetText = ""] = text.split(":");
        const good = isEpoch(epochText) && text === `${epochText}:${Number.parseInt(offsetText, 10)}`;
        if (good && !offsetText.startsWith("-")) expect(formatPosition(parsePosition(text))).toBe(text);
        else expect(() => parsePosition(text)).toThrow(FanfareError);
      }),
      { numRuns: 1000 },
    );
  });
});
