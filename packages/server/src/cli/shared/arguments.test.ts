import { describe, expect, test } from "vitest";
import { UsageError } from "../../base/usage-error.js";
import { checkArguments, type Definitions, parsePort } from "./arguments.js";

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
  const definitions: Definitions = {
    channel: { type: "positional" },
    event: { type: "string" },
    "api-key": { type: "string" },
    pattern: { type: "string", several: true },
    json: { type: "boolean" },
  };
  const check = (rawArgs: string[], words: string[] = []) =>
    checkArguments({ rawArgs, args: { _: words } }, definitions);

  test.each<[string[], string[]]>([
    [[], []],
    [["a"], ["a"]],
    [["--event", "x", "a"], ["a"]],
    [["--event=-x", "--json"], []],
    [["--event", "-"], []],
    [["--pattern", "a", "--pattern=b"], []],
    [["--", "--event"], ["--event"]],
  ])("%j are taken", (raw, words) => {
    expect(() => check(raw, words)).not.toThrow();
  });

  test.each<[string[], string, string]>([
    [["--evnt", "x"], 'the option "--evnt" is not known', "Did you mean --event? "],
    [["--apiKey=x"], 'the option "--apiKey=x" is not known', "Did you mean --api-key? "],
    [["-e", "x"], 'the option "-e" is not known', "Call it with --help"],
    [["-event", "x"], 'the option "-event" is not known', "Did you mean --event? "],
    [["--no-json"], 'the option "--no-json" is not known', "Call it with --help"],
    [["--channel", "a"], 'the option "--channel" is not known', "Call it with --help"],
    [["--toString"], 'the option "--toString" is not known', "Call it with --help"],
    [["--event"], "--event has no value", "--event=…"],
    [["--event", "--json"], "--event has no value", "--event=…"],
    [["--event", ""], '--event is ""', "or leave it out"],
    [["--event="], '--event is ""', "or leave it out"],
    [["--event", "x", "--event", "y"], "--event is given twice", "Give it once."],
    [["--json", "--json"], "--json is given twice", "Give it once."],
    [["--json=no"], '--json has the value "no"', "Give it without one"],
  ])("%j are refused", (raw, message, remedy) => {
    expect(() => check(raw)).toThrow(
      expect.objectContaining({ name: "UsageError", message, remedy: expect.stringContaining(remedy) }),
    );
  });

  test("name an unknown option rather than the word that follows it", () => {
    expect(() => check(["--evnt", "1"], ["1", "2"])).toThrow('"--evnt"');
  });

  test("name a word too many, in printable characters", () => {
    expect(() => check(["a", "\u001b[31m"], ["a", "\u001b[31m"])).toThrow('"\\u001b[31m" is not understood');
  });
});
