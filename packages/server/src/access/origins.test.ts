import { FanfareError } from "@fanfare/protocol";
import { describe, expect, test } from "vitest";
import { entranceSettings } from "./entrance.js";
import { type CheckOrigin, loopbackOnly, sameOrigin } from "./origins.js";

/** The code of the refusal, or `null`. */
function refusal(check: CheckOrigin, host: string | undefined, origin: string | undefined): string | null {
  try {
    check({ host, origin, cookies: false });
    return null;
  } catch (error) {
    if (error instanceof FanfareError) return error.code;
    throw error;
  }
}

describe("loopbackOnly", () => {
  test.each([
    "localhost",
    "localhost:3030",
    "LocalHost",
    "127.0.0.1",
    "127.0.0.1:1",
    "[::1]",
    "[::1]:3030",
    "localhost.",
    "[0:0::1]:3030",
  ])("lets in the host %s", (host) => {
    expect(refusal(loopbackOnly, host, undefined)).toBeNull();
  });

  test.each([
    undefined,
    "",
    "evil.example",
    "localhost.evil.example",
    "evil.example:localhost",
    "localhost..",
    "127.0.0.2",
    "0.0.0.0",
    "[::]",
    "192.168.1.2",
    "localhost:99999",
    "evil@localhost",
    "localhost/x",
    "localhost?x",
    "localhost#x",
    "localhost\\x",
    "localhost, evil.example",
  ])("refuses the host %j", (host) => {
    expect(refusal(loopbackOnly, host, undefined)).toBe("host_not_allowed");
  });

  test.each(["http://localhost", "http://localhost:5173", "https://127.0.0.1:3030", "http://[::1]:8080"])(
    "lets in the page of %s",
    (origin) => {
      expect(refusal(loopbackOnly, "localhost:3030", origin)).toBeNull();
    },
  );

  test.each([
    "",
    "null",
    "*",
    "localhost",
    "http://evil.example",
    "http://localhost.evil.example",
    "http://localhost@evil.example",
    "http://evil.example#localhost",
    "http://localhost/path",
    "file://localhost",
    "foreign://localhost",
    "http://localhost, http://evil.example",
  ])("refuses the page of %j", (origin) => {
    expect(refusal(loopbackOnly, "localhost:3030", origin)).toBe("origin_not_allowed");
  });
});

describe("sameOrigin", () => {
  const check = sameOrigin({ allowedOrigins: ["https://app.example", "http://app.example:8080"] });

  test.each([
    ["anything", undefined],
    [undefined, undefined],
    ["push.example", "https://push.example"],
    ["push.example", "http://push.example"],
    ["push.example:443", "https://push.example"],
    ["push.example:8443", "https://push.example:8443"],
    ["PUSH.example", "https://push.example"],
    ["push.example", "https://app.example"],
    ["push.example", "http://app.example:8080"],
    [undefined, "https://app.example"],
  ])("at the host %s lets in the page of %s", (host, origin) => {
    expect(refusal(check, host, origin)).toBeNull();
  });

  test.each([
    ["push.example", "https://evil.example"],
    ["push.example", "https://push.example.evil.example"],
    ["push.example:8443", "https://push.example"],
    ["push.example:443", "http://push.example"],
    ["push.example", "http://app.example"],
    ["push.example", "https://app.example:8080"],
    ["push.example", "null"],
    ["null", "null"],
    ["", ""],
    [undefined, "https://push.example"],
    ["push.example", "https://app.example, https://push.example"],
  ])("at the host %s refuses the page of %j", (host, origin) => {
    expect(refusal(check, host, origin)).toBe("origin_not_allowed");
  });

  test("names both, in printable characters, and the setting", () => {
    expect(() => check({ host: "push.example", origin: "https://evil\u009b\n", cookies: false })).toThrow(
      expect.objectContaining({
        message: 'the page\'s origin is "https://evil\\u009b\\n", the host "push.example"',
        remedy: expect.stringContaining("allowedOrigins"),
      }),
    );
  });
});

describe("a server that knows how it is called", () => {
  const check = sameOrigin({ publicUrl: "https://push.example", allowedHosts: ["push.internal:3030"] });
  const code = (host: string | undefined, origin?: string, cookies = false) => {
    try {
      check({ host, origin, cookies });
      return null;
    } catch (error) {
      if (error instanceof FanfareError) return error.code;
      throw error;
    }
  };

  test.each([
    ["push.example", "https://push.example", true],
    ["PUSH.example:443", "https://push.example", true],
    ["push.internal:3030", undefined, true],
    ["rebound.evil.example", undefined, false],
    [undefined, undefined, false],
  ])("lets in a request to %s from the page of %s", (host, origin, cookies) => {
    expect(code(host, origin, cookies)).toBeNull();
  });

  test.each([
    ["rebound.evil.example", "http://rebound.evil.example", false],
    ["rebound.evil.example", undefined, true],
    ["push.example:8443", undefined, true],
    ["push.example@evil.example", undefined, true],
    [undefined, undefined, true],
  ])("refuses a browser's request to %s", (host, origin, cookies) => {
    expect(code(host, origin, cookies)).toBe("host_not_allowed");
  });

  test("refuses pages of another origin, whatever host they call, and names all values and the setting", () => {
    expect(code("push.internal:3030", "http://push.internal:3030")).toBe("origin_not_allowed");
    expect(() => check({ host: "evil.example", origin: undefined, cookies: true })).toThrow(
      expect.objectContaining({
        message: 'the host is "evil.example"; expected is "push.internal:3030", "push.example"',
        remedy: expect.stringContaining("allowedHosts"),
      }),
    );
  });

  test.each([
    [{ publicUrl: "push.example" }, 'publicUrl is "push.example". Give scheme, host and port only'],
    [{ publicUrl: "https://push.example/push" }, 'publicUrl is "https://push.example/push". Give scheme'],
    [
      { allowedHosts: ["https://push.example"] },
      'allowedHosts[0] is "https://push.example". Give a host name',
    ],
    [{ allowedOrigins: ["*"] }, 'allowedOrigins[0] is "*". Give scheme, host and port only'],
  ])("%o is refused", (options, message) => {
    expect(() => entranceSettings(options)).toThrow(message);
  });
});
