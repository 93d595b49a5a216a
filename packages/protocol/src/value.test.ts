import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { findValueProblem, MAX_DEPTH } from "./value.js";

/** How many levels of arrays and objects a JSON value has. */
function depthOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

/** Every number in a JSON value. */
function numbersIn(value: unknown): number[] {
  if (typeof value === "number") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(numbersIn) : [];
}

/** The value inside `levels` arrays and objects, by turns. */
function nest(value: unknown, levels: number): unknown {
  let nested = value;
  for (let level = 0; level < levels; level++) nested = level % 2 === 0 ? [nested] : { in: nested };
  return nested;
}

const refused = (message: string) => ({
  code: "invalid_value",
  message,
  remedy: expect.stringMatching(/\.$/),
});

/** JSON values as they come in: through a parser, so that there is no -0 as JSON.stringify would not write it. */
const jsonValue = fc.jsonValue({ maxDepth: 5 }).map((value): unknown => JSON.parse(JSON.stringify(value)));

describe("a value can be carried", () => {
  test.each([
    null,
    true,
    "",
    "text",
    "\ud83d",
    0,
    -0,
    0.1,
    -1.5e-300,
    Number.MAX_SAFE_INTEGER,
    Number.MIN_SAFE_INTEGER,
    [],
    {},
    [[], {}],
    { items: [{ n: 1 }] },
    Object.assign(Object.create(null), { plain: true }),
  ])("if it is JSON: %j", (value) => {
    expect(findValueProblem(value)).toBeNull();
  });

  test("if it is any JSON value within 32 levels whose integers a double holds, and then JSON round trips", () => {
    fc.assert(
      fc.property(jsonValue, fc.nat({ max: MAX_DEPTH + 2 }), (inner, levels) => {
        const value = nest(inner, levels);
        const exact = numbersIn(value).every((one) => !Number.isInteger(one) || Number.isSafeInteger(one));
        const flat = depthOf(value) <= MAX_DEPTH;
        expect(findValueProblem(value) === null).toBe(exact && flat);
        if (exact && flat) expect(isDeepStrictEqual(JSON.parse(JSON.stringify(value)), value)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test("with members that are undefined: they are left out, as JSON.stringify does", () => {
    expect(findValueProblem({ a: undefined, b: { c: undefined } })).toBeNull();
  });

  test("with a member named __proto__ of its own, a key like any other", () => {
    const value: unknown = JSON.parse(`{"__proto__": {"admin": true}, "constructor": 1, "toString": null}`);
    expect(Object.keys(Object(value))).toContain("__proto__");
    expect(findValueProblem(value)).toBeNull();

    const bad: unknown = JSON.parse(`{"__proto__": {"n": 9007199254740993}}`);
    expect(findValueProblem(bad)?.message).toMatch(/^data\.__proto__\.n is the integer/);
  });

  test("with 32 levels, in arrays and objects alike", () => {
    expect(findValueProblem(nest(1, MAX_DEPTH))).toBeNull();
    expect(findValueProblem(nest([], MAX_DEPTH - 1))).toBeNull();
  });
});

describe("a value is refused", () => {
  class Money {
    readonly amount = 1;
  }
  const noJson: [string, unknown][] = [
    ["is NaN", Number.NaN],
    ["is Infinity", Number.POSITIVE_INFINITY],
    ["is -Infinity", Number.NEGATIVE_INFINITY],
    ["is the integer 9007199254740992, beyond ±(2^53 − 1), where digits get lost", 2 ** 53],
    ["is the integer -9007199254740992, beyond ±(2^53 − 1), where digits get lost", -(2 ** 53)],
    ["is the integer 1e+300, beyond ±(2^53 − 1), where digits get lost", 1e300],
    ["is a bigint, which JSON does not have", 1n],
    ["is a function, which JSON does not have", () => 1],
    ["is a symbol, which JSON does not have", Symbol("s")],
    ["is a Date, not a plain object", new Date(0)],
    ["is a Map, not a plain object", new Map()],
    ["is a Money, not a plain object", new Money()],
    ["is a class instance, not a plain object", new (class {})()],
    ["is a Number, not a plain object", new Number(1)],
    ["is a Uint8Array, not a plain object", new Uint8Array(1)],
  ];

  test.each(noJson)("if it %s, with the place named", (what, value) => {
    expect(findValueProblem(value)).toEqual(refused(`data ${what}`));
    expect(findValueProblem({ items: [0, 1, 2, { n: value }] })).toEqual(refused(`data.items[3].n ${what}`));
    expect(findValueProblem([[value]])).toEqual(refused(`data[0][0] ${what}`));
  });

  test("if it is undefined itself, or has undefined or a hole in an array, which JSON would turn into null", () => {
    const what = "is undefined, which JSON does not have";
    expect(findValueProblem(undefined)).toEqual(refused(`data ${what}`));
    expect(findValueProblem({ list: [1, undefined] })).toEqual(refused(`data.list[1] ${what}`));
    expect(findValueProblem({ list: new Array(3) })).toEqual(refused(`data.list[0] ${what}`));
  });

  test("if it has a toJSON of its own: JSON.stringify would write something else than was checked", () => {
    expect(findValueProblem({ a: { toJSON: () => 1 } })?.message).toMatch(/^data\.a\.toJSON is a function/);
  });

  test("if it has 33 levels, though the innermost is empty", () => {
    expect(findValueProblem(nest(1, MAX_DEPTH + 1))).toEqual(
      refused(expect.stringContaining("lies deeper than 32 levels, or in a cycle")),
    );
    expect(findValueProblem(nest([], MAX_DEPTH))).not.toBeNull();
    expect(findValueProblem(nest({}, MAX_DEPTH))).not.toBeNull();
  });

  test("if it is a cycle", () => {
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    expect(findValueProblem(cycle)?.message).toMatch(/^(data)(\.self){32} lies deeper/);
    const throughList: unknown[] = [];
    throughList.push({ back: throughList });
    expect(findValueProblem(throughList)?.code).toBe("invalid_value");
  });

  test("with a place that stays short and on one line, whatever the keys are", () => {
    expect(findValueProblem({ "two words": { "": Number.NaN } })?.message).toBe(
      `data["two words"][""] is NaN`,
    );
    expect(findValueProblem({ "a\n\u001b[2J\u009b": Number.NaN })?.message).toBe(
      String.raw`data["a\n\u001b[2J\u009b"] is NaN`,
    );
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "binary" }), { minLength: 1, maxLength: 20 }), (keys) => {
        const value = keys.reduceRight<unknown>((inner, key) => ({ [key]: inner }), Number.NaN);
        const message = findValueProblem(value)?.message ?? "";
        expect(message.length).toBeLessThan(350);
        expect(message).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
      }),
    );
    expect(findValueProblem({ ["k".repeat(5000)]: Number.NaN })?.message.length).toBeLessThan(100);
  });

  test("at the first such place only, in the order of JSON.stringify", () => {
    expect(findValueProblem({ a: 1, b: [Number.NaN], c: 2n })?.message).toBe("data.b[0] is NaN");
  });
});

describe("the walk is bounded", () => {
  test("and ends early at a value that doubles at each of 32 levels by sharing", () => {
    let wide: unknown = 1;
    for (let level = 0; level < MAX_DEPTH; level++) wide = [wide, wide];
    // 2^33 steps without a bound: no test would live to see the end.
    expect(findValueProblem(wide, 65_536)).toEqual({
      code: "too_large",
      message: "data has too many members",
      remedy: "Send less at once.",
    });
  });

  test("by the number of values, the outermost included", () => {
    expect(findValueProblem([1, 2, 3], 4)).toBeNull();
    expect(findValueProblem([1, 2, 3], 3)?.code).toBe("too_large");
    expect(findValueProblem("text", 1)).toBeNull();
    expect(findValueProblem("text", 0)?.code).toBe("too_large");
  });

  test("so that a limit in bytes never refuses a value that fits into it", () => {
    fc.assert(
      fc.property(jsonValue, (value) => {
        const bytes = Buffer.byteLength(JSON.stringify(value));
        expect(findValueProblem(value, bytes)?.code).not.toBe("too_large");
      }),
    );
  });
});
