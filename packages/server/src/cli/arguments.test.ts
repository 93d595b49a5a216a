import { describe, expect, test } from "vitest";
import { checkNoOthers, parsePort, UsageError } from "./arguments.js";

describe("a port", () => {
  test.each([
    ["0", 0],
    ["1", 1],
    ["03030", 3030],
    ["65535", 65_535],
  ])("may be %s", (text, port) => {
    expect(parsePort(text)).toBe(port);
  });

  test.each(["", " ", "abc", "-1", "65536", "99999", "1e3", "0x50", "3030 ", "3.5", "\u0663"])(
    "may not be %j, which is named",
    (text) => {
      expect(() => parsePort(text)).toThrow(UsageError);
      expect(() => parsePort(text)).toThrow(JSON.stringify(text));
    },
  );
});

describe("the arguments", () => {
  test.each([[[]], [["--port", "1"]], [["--port=1", "--path=/x"]]])("%j are known", (raw) => {
    expect(() => checkNoOthers(raw, [], ["port", "path"])).not.toThrow();
  });

  test("name an unknown option rather than the word that follows it", () => {
    for (const option of ["--prot", "--prot=1", "-p", "--no-port"]) {
      expect(() => checkNoOthers([option, "1"], ["1"], ["port"])).toThrow(JSON.stringify(option));
    }
  });

  test("name a word, in printable characters", () => {
    expect(() => checkNoOthers(["\u001b[31m"], ["\u001b[31m"], [])).toThrow(
      '"\\u001b[31m" is not understood',
    );
  });
});
