import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isChannelName } from "./channel.js";
import { FanfareError } from "./errors.js";
import { bySpecificity, matches, parsePattern } from "./pattern.js";

/** Does the pattern cover the channel? Segment by segment, recursively, as PROTOCOL.md section 2 says it. */
function covers(pattern: readonly string[], channel: readonly string[]): boolean {
  const [wanted, ...restOfPattern] = pattern;
  const [segment, ...restOfChannel] = channel;
  if (wanted === undefined) return segment === undefined;
  if (segment === undefined) return false;
  if (wanted === "**") return restOfChannel.length === 0 || covers(pattern, restOfChannel);
  return (wanted === "*" || wanted === segment) && covers(restOfPattern, restOfChannel);
}

// Few letters, so that patterns and channels often meet.
const name = fc.constantFrom("a", "b");
const channel = fc.array(name, { minLength: 1, maxLength: 4 }).map((segments) => segments.join(":"));
const pattern = fc
  .tuple(fc.array(fc.oneof(name, fc.constant("*")), { maxLength: 4 }), fc.boolean())
  .map(([segments, open]) => (open ? [...segments, "**"] : segments))
  .filter((segments) => segments.length > 0)
  .map((segments) => parsePattern(segments.join(":")));

describe("a pattern", () => {
  test.each([
    ["order:42", true],
    ["order:*", false],
    ["*", false],
    ["**", false],
    ["*:*:**", false],
    ["a:*:c", false],
  ])("may be %j", (text, literal) => {
    expect(parsePattern(text)).toEqual({ text, segments: text.split(":"), literal });
  });

  test.each([
    ["", "a segment between colons is empty"],
    ["a::b", "a segment between colons is empty"],
    ["a:", "a segment between colons is empty"],
    ["**:a", "** may only be the last segment"],
    ["a:**:**", "** may only be the last segment"],
    ["***", `the segment "***" has a character that is not allowed`],
    ["a*", `the segment "a*" has a character that is not allowed`],
    ["order:4 2", `the segment "4 2" has a character that is not allowed`],
    ["user:{sub}", `the segment "{sub}" has a character that is not allowed`],
    ["$sys:*", `the segment "$sys" has a character that is not allowed`],
    [`${"x".repeat(200)}:*`, "more than 200 characters"],
  ])("is not %j", (text, why) => {
    expect(() => parsePattern(text)).toThrow(FanfareError);
    expect(() => parsePattern(text)).toThrow(why);
    expect(() => parsePattern(text)).toThrow(expect.objectContaining({ code: "invalid_pattern" }));
  });

  test("is accepted exactly if it is a channel name once its wildcards are filled in", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "7", ":", "*", "**", "$", " "), maxLength: 9 });
    fc.assert(
      fc.property(text, (text) => {
        const segments = text.split(":");
        const filled = segments
          .map((one, index) => (one === "*" || (one === "**" && index === segments.length - 1) ? "x" : one))
          .join(":");
        if (isChannelName(filled)) expect(parsePattern(text).text).toBe(text);
        else expect(() => parsePattern(text)).toThrow(FanfareError);
      }),
      { numRuns: 1000 },
    );
  });

  test("without a wildcard is literal, and every channel name is such a pattern", () => {
    fc.assert(
      fc.property(channel, channel, (one, other) => {
        expect(parsePattern(one).literal).toBe(true);
        expect(matches(parsePattern(one), other)).toBe(one === other);
      }),
    );
  });
});

describe("matching", () => {
  test.each([
    ["order:42", "order:42", true],
    ["order:42", "order:43", false],
    ["order:42", "Order:42", false],
    ["order:*", "order:42", true],
    ["order:*", "order", false],
    ["order:*", "order:42:lines", false],
    ["order:*", "orders:42", false],
    ["*", "order", true],
    ["*", "order:42", false],
    ["order:**", "order:42", true],
    ["order:**", "order:42:lines", true],
    ["order:**", "order", false],
    ["**", "order", true],
    ["**", "order:42:lines", true],
    ["*:42:**", "order:42:lines", true],
    ["*:42:**", "order:42", false],
  ])("%j with the channel %j gives %j", (text, channel, expected) => {
    expect(matches(parsePattern(text), channel)).toBe(expected);
  });

  test("agrees with a naive recursive model", () => {
    fc.assert(
      fc.property(pattern, channel, (pattern, channel) => {
        expect(matches(pattern, channel)).toBe(covers(pattern.segments, channel.split(":")));
      }),
      { numRuns: 2000 },
    );
  });
});

describe("a user id that stands literally in a pattern", () => {
  test("gains nothing by being *: no channel has that name, and alice's is not matched by it", () => {
    expect(isChannelName("user:*")).toBe(false);
    const alice = parsePattern("user:alice");
    expect(matches(alice, "user:*")).toBe(false);
    expect(matches({ text: "user:*", segments: ["user", "*"], literal: true }, "user:alice")).toBe(false);
  });

  test("gains nothing by being a:b: one segment is wanted, and two never fit into it", () => {
    expect(matches(parsePattern("user:*"), "user:a:b")).toBe(false);
    expect(matches(parsePattern("user:a"), "user:a:b")).toBe(false);
    expect(matches({ text: "user:a:b", segments: ["user", "a:b"], literal: true }, "user:a")).toBe(false);
    expect(
      matches({ text: "user:a:b:*", segments: ["user", "a:b", "*"], literal: false }, "user:a:b:c"),
    ).toBe(false);
  });

  test("gains its own channel and no other, whatever the id is", () => {
    const id = fc.oneof(
      fc.constantFrom("*", "**", "a:b", "a:*", ":", "", "a", "b"),
      fc.string({ maxLength: 5 }),
    );
    fc.assert(
      fc.property(id, id, (mine, theirs) => {
        const text = `user:${mine}`;
        expect(matches({ text, segments: ["user", mine], literal: true }, `user:${theirs}`)).toBe(
          mine === theirs,
        );
      }),
    );
  });
});

describe("the order by specificity", () => {
  const patterns = ["a:b", "a:*", "a:**", "*:b", "*:*", "*:**", "**"];

  test.each([
    ["a:b", "a:b"],
    ["a:c", "a:*"],
    ["c:b", "*:b"],
    ["c:d", "*:*"],
    ["a:b:c", "a:**"],
    ["c:d:e", "*:**"],
    ["a", "**"],
  ])("lets the most specific of all that match win whole: %j gets the rule of %j", (channel, winner) => {
    for (const order of [patterns, [...patterns].reverse()]) {
      const [first] = order
        .map(parsePattern)
        .filter((pattern) => matches(pattern, channel))
        .sort(bySpecificity);
      expect(first?.text).toBe(winner);
    }
  });

  test("goes literal, then *, then **, from the left", () => {
    expect([...patterns].reverse().map(parsePattern).sort(bySpecificity)).toEqual(patterns.map(parsePattern));
  });

  test("looks at the left first: a literal there outweighs any number of literals to the right", () => {
    const sorted = ["*:b:c:d", "a:**"].map(parsePattern).sort(bySpecificity);
    expect(sorted.map(({ text }) => text)).toEqual(["a:**", "*:b:c:d"]);
  });

  test("is total: every two compare, both ways alike, and it is transitive", () => {
    fc.assert(
      fc.property(pattern, pattern, pattern, (a, b, c) => {
        expect(bySpecificity(a, a)).toBe(0);
        expect(Math.sign(bySpecificity(a, b)) + Math.sign(bySpecificity(b, a))).toBe(0);
        if (bySpecificity(a, b) <= 0 && bySpecificity(b, c) <= 0) {
          expect(bySpecificity(a, c)).toBeLessThanOrEqual(0);
        }
        if (bySpecificity(a, b) === 0) {
          expect(Math.sign(bySpecificity(a, c))).toBe(Math.sign(bySpecificity(b, c)));
        }
      }),
      { numRuns: 2000 },
    );
  });

  test("never ties two different patterns that match the same channel", () => {
    fc.assert(
      fc.property(pattern, pattern, channel, (a, b, channel) => {
        if (a.text === b.text || bySpecificity(a, b) !== 0) return;
        expect(matches(a, channel) && matches(b, channel)).toBe(false);
      }),
      { numRuns: 5000 },
    );
  });
});
