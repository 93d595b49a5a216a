import { describe, expect, test } from "vitest";
import { keysOf } from "./keys.js";

const KEY = "0123456789abcdef0123456789abcdef";

describe("API keys", () => {
  const authenticate = keysOf(["another-key-of-some-length", KEY]);

  test("are known by the Authorization header, in whatever case the scheme is written", () => {
    expect(authenticate(`Bearer ${KEY}`)).toEqual({ kind: "key" });
    expect(authenticate(`bearer ${KEY}`)).toEqual({ kind: "key" });
  });

  test("need not be given: then it is nobody who asks", () => {
    expect(authenticate(undefined)).toEqual({ kind: "nobody" });
  });

  test.each([
    "",
    "Bearer",
    `Bearer ${KEY}x`,
    `Bearer ${KEY.slice(1)}`,
    `Basic ${KEY}`,
    KEY,
    `Bearer ${KEY} x`,
  ])("are refused when they are wrong, never taken for nobody: %j", (header) => {
    expect(() => authenticate(header)).toThrow(
      expect.objectContaining({ code: "not_logged_in", status: 401 }),
    );
  });

  test("are never part of a message", () => {
    const secret = "a-secret-that-is-wrong-here";
    try {
      authenticate(`Bearer ${secret}`);
      expect.unreachable();
    } catch (error) {
      expect(String(error)).not.toContain(secret);
    }
  });

  test("that can be guessed are refused when the server is made", () => {
    expect(() => keysOf(["short"])).toThrow(/apiKeys\[0\] has 5 characters.*openssl rand/);
  });
});
