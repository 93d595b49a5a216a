import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  isChannelName,
  MAX_CHANNEL_LENGTH,
  OWN_KINDS,
  ownChannel,
  parseAudibleName,
  parseChannelName,
  plainName,
} from "./channel.js";
import { FanfareError } from "./errors.js";

const ALLOWED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.=@,;~";

/** The rule of PROTOCOL.md section 2, spelled out character by character, with no regular expression. */
function isNameByTheBook(text: string): boolean {
  if (text.length < 1 || text.length > 200 || text === "." || text === "..") return false;
  return text
    .split(":")
    .every((segment) => segment !== "" && Array.from(segment).every((one) => ALLOWED.includes(one)));
}

function firstForbidden(text: string): string | undefined {
  return Array.from(text).find((one) => one !== ":" && !ALLOWED.includes(one));
}

function refusal(text: string): FanfareError {
  try {
    parseChannelName(text);
  } catch (error) {
    if (error instanceof FanfareError) return error;
    throw error;
  }
  throw new Error(`${JSON.stringify(text)} was taken as a channel name`);
}

/** Texts of which a good part are names, a good part nearly so, and some anything at all. */
const anyText = fc.oneof(
  fc.string({ unit: fc.constantFrom(...ALLOWED, ":"), maxLength: 210 }),
  fc.string({ unit: fc.constantFrom("a", "7", ":", ".", "$", " ", "*", "é", "😀", "\n"), maxLength: 8 }),
  fc.string({ unit: "binary", maxLength: 20 }),
);

describe("a channel name", () => {
  test.each([
    ["$lock:order:42", "DELETE {path}/locks/{name}/holder"],
    ["$sequence:invoice", "DELETE {path}/sequences/{name}"],
  ])("that belongs to something else is refused with the calls for that: %s", (text, call) => {
    expect(refusal(text)).toMatchObject({ code: "invalid_channel", remedy: expect.stringContaining(call) });
    expect(refusal("$other:a").remedy).not.toContain("DELETE");
  });

  test.each([
    "a",
    "order:42",
    "broadcast",
    "Sales.Order.281474976710657",
    "user:alice@example.com",
    "a:b:c:d",
    "~:=:,:;:-:_:.:@",
    "x".repeat(MAX_CHANNEL_LENGTH),
  ])("may be %j", (text) => {
    expect(parseChannelName(text)).toBe(text);
    expect(isChannelName(text)).toBe(true);
  });

  test.each([
    ["", "it is empty"],
    [" ", `the character " " at 0 is not allowed`],
    ["a b", `the character " " at 1 is not allowed`],
    ["order:*", `the character "*" at 6 is not allowed`],
    ["order/42", `the character "/" at 5 is not allowed`],
    ["a$", `the character "$" at 1 is not allowed`],
    ["a:$b", `the character "$" at 2 is not allowed`],
    ["café", `the character "é" at 3 is not allowed`],
    ["party:😀", `the character "😀" at 6 is not allowed`],
    ["a\n", `the character "\\n" at 1 is not allowed`],
    ["a\u0000", `the character "\\u0000" at 1 is not allowed`],
    ["a\u200bb", `the character "\\u200b" at 1 is not allowed`],
    ["a\ud83d", `the character "\\ud83d" at 1 is not allowed`],
    ["$", "names that start with $ are Fanfare's own"],
    ["$sys:stats", "names that start with $ are Fanfare's own"],
    [":", "a segment between colons is empty"],
    [":a", "a segment between colons is empty"],
    ["a:", "a segment between colons is empty"],
    ["a::b", "a segment between colons is empty"],
    ["x".repeat(MAX_CHANNEL_LENGTH + 1), "it has 201 characters, and 200 are allowed"],
    [`${"x".repeat(MAX_CHANNEL_LENGTH)} y`, `the character " " at 200 is not allowed`],
  ])("is not %j", (text, why) => {
    expect(isChannelName(text)).toBe(false);
    const error = refusal(text);
    expect(error.code).toBe("invalid_channel");
    expect(error.message).toContain(why);
    expect(error.remedy).not.toBe("");
  });

  test("is accepted exactly where the rule, spelled out naively, accepts it", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(isChannelName(text)).toBe(isNameByTheBook(text));
        if (isNameByTheBook(text)) expect(parseChannelName(text)).toBe(text);
        else expect(() => parseChannelName(text)).toThrow(FanfareError);
      }),
      { numRuns: 1000 },
    );
  });

  test("is refused with the first character named that is not allowed", () => {
    fc.assert(
      fc.property(
        anyText.filter((text) => firstForbidden(text) !== undefined && !text.startsWith("$")),
        (text) => {
          const [, named = "", at] =
            /the character (".+") at (\d+) is not allowed$/.exec(refusal(text).message) ?? [];
          const forbidden = firstForbidden(text);
          expect(JSON.parse(named)).toBe(forbidden);
          expect(text.startsWith(String(forbidden), Number(at))).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  });

  test("is refused with a message that stays short and on one line, however long and odd the text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", minLength: 100, maxLength: 5000 }), (text) => {
        fc.pre(!isNameByTheBook(text));
        const { message } = refusal(text);
        expect(message.length).toBeLessThan(600);
        expect(message).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
      }),
    );
  });
});

describe("one of the server's own channels", () => {
  test.each(OWN_KINDS)("of a %s can be heard by its name, and leads back to what it belongs to", (kind) => {
    for (const text of ["a", "order:42", "x".repeat(MAX_CHANNEL_LENGTH)]) {
      const channel = ownChannel(kind, parseChannelName(text));
      expect(channel).toBe(`$${kind}:${text}`);
      expect(parseAudibleName(channel)).toBe(channel);
      expect(plainName(channel)).toBe(text);
      expect(plainName(text)).toBe(text);
    }
  });

  test.each(["$lock", "$lock:", "$lock:a b", "$lock:$lock:a", "$Lock:a", "$other:a", "$", " $lock:a"])(
    "is not %j",
    (text) => {
      expect(() => parseAudibleName(text)).toThrow("is no channel name");
    },
  );
});
