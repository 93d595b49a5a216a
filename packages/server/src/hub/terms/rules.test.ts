import { FanfareError, shown } from "@fanfare/protocol";
import { expect, test } from "vitest";
import type { RuleOptions } from "./rule-options.js";
import { DEFAULT_RULE, Rules } from "./rules.js";

test("a channel that no rule is for has the default", () => {
  expect(new Rules().of("order:42")).toEqual(DEFAULT_RULE);
  expect(new Rules([{ channels: "ticker:**", history: 1 }]).of("order:42")).toEqual(DEFAULT_RULE);
});

test("the most specific rule wins, in whatever order they are written", () => {
  const rules: RuleOptions[] = [
    { channels: "**", history: 1 },
    { channels: "order:**", history: 2 },
    { channels: "order:*", history: 3 },
    { channels: "order:*:lines", history: 4 },
    { channels: "order:42:*", history: 5 },
    { channels: "order:42", history: 6 },
  ];
  for (const order of [rules, [...rules].reverse()]) {
    const of = (channel: string) => new Rules(order).of(channel).retention.messages;
    expect(of("news")).toBe(1);
    expect(of("order:7:a:b")).toBe(2);
    expect(of("order:7")).toBe(3);
    expect(of("order:7:lines")).toBe(4);
    expect(of("order:42:lines")).toBe(5);
    expect(of("order:42")).toBe(6);
  }
});

test("the winner wins whole: what it leaves out is the default, not the next best rule's", () => {
  const rules = new Rules([
    {
      channels: "order:*",
      history: 7,
      historySeconds: 5,
      maxRate: 10,
      events: "latest",
      durability: "memory",
    },
    { channels: "order:42", history: 3 },
  ]);
  expect(rules.of("order:7")).toEqual({
    retention: { messages: 7, ageMs: 5000 },
    maxWritesPerSecond: 10,
    events: "latest",
    durability: "memory",
    auto: false,
    presence: null,
  });
  expect(rules.of("order:42")).toEqual({ ...DEFAULT_RULE, retention: { messages: 3, ageMs: 300_000 } });
});

test("two rules for one pattern are refused", () => {
  const rules = [{ channels: "order:*" }, { channels: "news" }, { channels: "order:*", history: 1 }];
  expect(() => new Rules(rules)).toThrow(/order:\*/);
});

test("a pattern that is none is refused", () => {
  expect(() => new Rules([{ channels: "a:**:b" }])).toThrow(FanfareError);
});

test("channels that every connection hears are known by name", () => {
  const rules = new Rules([
    { channels: "news", auto: true },
    { channels: "a:b", auto: true },
    { channels: "c" },
  ]);
  expect([...rules.auto].sort()).toEqual(["a:b", "news"]);
  expect(() => new Rules([{ channels: "a:*", auto: true }])).toThrow(/a:\*.*auto/);
});

const refused: [string, unknown][] = [
  ["history", -1],
  ["history", 1.5],
  ["history", 100_001],
  ["history", Number.NaN],
  ["history", "5"],
  ["historySeconds", 0],
  ["historySeconds", -5],
  ["historySeconds", Number.POSITIVE_INFINITY],
  ["historySeconds", "5"],
  ["maxRate", 0],
  ["maxRate", 1001],
  ["maxRate", Number.NaN],
  ["maxRate", "5"],
  ["events", "newest"],
  ["durability", "disk"],
];
test.each(refused)("%s: %s is refused, and the refusal names both", (name, value) => {
  const refuse = () => new Rules([{ channels: "order:*", [name]: value }]);
  expect(refuse).toThrow(expect.objectContaining({ code: "invalid_rule" }));
  expect(refuse).toThrow(`rules[0].${name} is ${shown(value)}`);
});

test("a mistyped member is refused, with those that there are", () => {
  const mistyped: object = { histroy: 5 };
  expect(() => new Rules([{ channels: "order:*", ...mistyped }])).toThrow(
    expect.objectContaining({
      message: 'rules[0]: "histroy" is not known',
      remedy: expect.stringMatching(/^Did you mean history\? Use channels, history, /),
    }),
  );
  const nameless = { chanels: "a" } as unknown as RuleOptions;
  expect(() => new Rules([{ channels: "a" }, nameless])).toThrow(
    expect.objectContaining({ message: 'rules[1]: "chanels" is not known' }),
  );
});

test("the edges of what is allowed are allowed", () => {
  const edges: Partial<RuleOptions>[] = [
    { history: 0 },
    { history: 100_000 },
    { maxRate: 1000 },
    { maxRate: 0.1 },
    { historySeconds: 0.5 },
  ];
  for (const edge of edges) expect(() => new Rules([{ channels: "a", ...edge }])).not.toThrow();
});

test("other rules are taken over whole, or not at all", () => {
  const rules = new Rules([{ channels: "a", history: 1 }]);
  expect(() => rules.prepareOthers([{ channels: "a", history: -1 }])).toThrow(
    expect.objectContaining({ code: "invalid_rule" }),
  );
  const takeOver = rules.prepareOthers([{ channels: "b", history: 2, auto: true }]);
  expect(rules.of("a").retention.messages).toBe(1);
  takeOver();
  expect(rules.of("a")).toEqual(DEFAULT_RULE);
  expect(rules.of("b").retention.messages).toBe(2);
  expect(rules.auto).toEqual(["b"]);
});

test("no channel moves into memory or out of it by other rules", () => {
  const none = new Rules([{ channels: "a", history: 1 }]);
  expect(() => none.prepareOthers([{ channels: "a", durability: "memory" }])).toThrow(/durability "memory"/);
  const some = new Rules([{ channels: "a:**", durability: "memory" }]);
  expect(() => some.prepareOthers([])).toThrow(expect.objectContaining({ code: "invalid_rule" }));
  expect(() => some.prepareOthers([{ channels: "a:**", durability: "memory" }, { channels: "a:b" }])).toThrow(
    expect.objectContaining({ code: "invalid_rule" }),
  );
  some.prepareOthers([{ channels: "a:**", durability: "memory", history: 5 }])();
  expect(some.of("a:b").retention.messages).toBe(5);
});

test("the server's own channels are kept in the engine, whatever the rules say, and have the rate of the name they belong to", () => {
  const rules = new Rules([
    { channels: "**", durability: "memory", history: 0 },
    { channels: "order:*", maxRate: 5 },
  ]);
  const lock = { ...DEFAULT_RULE, retention: { messages: 10, ageMs: 60_000 } };
  expect(rules.of("$lock:order:42")).toEqual({ ...lock, maxWritesPerSecond: 5 });
  expect(rules.of("$lock:a")).toEqual(lock);
  expect(rules.of("$sequence:a")).toMatchObject({ durability: "engine", retention: { ageMs: 300_000 } });
});
