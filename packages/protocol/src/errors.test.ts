import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ERRORS, type ErrorCode } from "./codes.js";
import { asError, FanfareError, quote } from "./errors.js";

const NO_TEXT = "a value without a text was thrown";

describe("an error", () => {
  test("has a code, a message, and the status and remedy that belong to the code", () => {
    const error = new FanfareError("too_large", "data has 70,000 bytes, and 65,536 are allowed");
    expect(error).toBeInstanceOf(Error);
    expect(error.name).toBe("FanfareError");
    expect(error.code).toBe("too_large");
    expect(error.message).toBe("data has 70,000 bytes, and 65,536 are allowed");
    expect(error.status).toBe(413);
    expect(error.remedy).toBe(ERRORS.too_large.remedy);
    expect(error.retryAfterSeconds).toBeUndefined();
    expect("cause" in error).toBe(false);
  });

  test("may know a better remedy, how long to wait, and its cause", () => {
    const cause = new Error("no route to host");
    const error = new FanfareError("unavailable", "the engine cannot be reached", {
      remedy: "Start it.",
      retryAfterSeconds: 1.5,
      cause,
    });
    expect(error).toMatchObject({ remedy: "Start it.", retryAfterSeconds: 1.5, status: 503 });
    expect(error.cause).toBe(cause);
  });

  test.each(Object.keys(ERRORS) as ErrorCode[])("of the code %s has its status", (code) => {
    expect(new FanfareError(code, "why").status).toBe(ERRORS[code].status);
  });
});

describe("a quoted text", () => {
  test("stands in quotation marks, as JSON writes it", () => {
    expect(quote("order:42")).toBe(`"order:42"`);
    expect(quote(`say "hi"\n`)).toBe(String.raw`"say \"hi\"\n"`);
    expect(quote("café 😀")).toBe(`"café 😀"`);
  });

  test("is cut where it is long, and says so", () => {
    expect(quote("x".repeat(60))).toBe(`"${"x".repeat(60)}"`);
    expect(quote("x".repeat(61))).toBe(`"${"x".repeat(60)}…"`);
    expect(quote("abc", 2)).toBe(`"ab…"`);
  });

  test("shows what cannot be seen, so that no log line breaks and no terminal obeys", () => {
    expect(quote("\u001b[2J\u007f\u009b")).toBe(String.raw`"\u001b[2J\u007f\u009b"`);
    expect(quote("a\u2028b\u202ec\u200bd\ufeff")).toBe(String.raw`"a\u2028b\u202ec\u200bd\ufeff"`);
    expect(quote("\ud83d")).toBe(String.raw`"\ud83d"`);
    expect(quote("\u{e0041}")).toBe(String.raw`"\udb40\udc41"`);
  });

  test("is printable and on one line for any text, and reads back as the text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => {
        const quoted = quote(text, 1000);
        expect(quoted).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
        expect(JSON.parse(quoted)).toBe(text);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("what others throw", () => {
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  class Untold extends Error {
    override get message(): string {
      throw new Error("no message");
    }
  }

  test("is an error as it is", () => {
    const error = new TypeError("no");
    expect(asError(error)).toBe(error);
  });

  test.each([
    ["a text", "no", "no"],
    ["nothing", undefined, "undefined"],
    ["a symbol", Symbol("odd"), "Symbol(odd)"],
    ["an object without a prototype", Object.create(null), NO_TEXT],
    ["a revoked proxy", revoked.proxy, NO_TEXT],
    ["an error whose message throws", new Untold(), NO_TEXT],
    ["an object whose toString is none", { toString: 1, valueOf: 1 }, NO_TEXT],
  ])("is an error with a text: %s", (_name, thrown, message) => {
    expect(asError(thrown).message).toBe(message);
  });
});
