import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  applyMergePatch,
  findNullMember,
  isJsonObject,
  type JsonObject,
  mergePatches,
} from "./merge-patch.js";

/** RFC 7396, appendix A: original, patch, result. */
const APPENDIX_A = [
  [{ a: "b" }, { a: "c" }, { a: "c" }],
  [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
  [{ a: "b" }, { a: null }, {}],
  [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
  [{ a: ["b"] }, { a: "c" }, { a: "c" }],
  [{ a: "c" }, { a: ["b"] }, { a: ["b"] }],
  [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
  [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
  [
    ["a", "b"],
    ["c", "d"],
    ["c", "d"],
  ],
  [{ a: "b" }, ["c"], ["c"]],
  [{ a: "foo" }, null, null],
  [{ a: "foo" }, "bar", "bar"],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [[1, 2], { a: "b", c: null }, { a: "b" }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
] as const;

/** Few keys, so that patches meet. */
const key = fc.constantFrom("a", "b", "c", "__proto__", "constructor", "0");
const { value } = fc.letrec<{ value: unknown; object: JsonObject }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom(null, null, 0, 1, "x", true),
    fc.array(fc.nat(2), { maxLength: 2 }),
    tie("object"),
  ),
  object: fc.dictionary(key, tie("value"), { maxKeys: 4 }),
}));
const patch = fc.dictionary(key, value, { maxKeys: 4 });
const target = fc.oneof(patch, value);

function frozen<Value>(value: Value): Value {
  if (typeof value === "object" && value !== null) Object.values(Object.freeze(value)).forEach(frozen);
  return value;
}

/** Members in whatever order, and `__proto__` as a member: what JSON means. */
function same(a: unknown, b: unknown): boolean {
  return canonical(a) === canonical(b);
}

function canonical(value: unknown): string {
  if (!isJsonObject(value)) return JSON.stringify(value);
  const members = Object.keys(value).sort();
  return `{${members.map((name) => `${JSON.stringify(name)}:${canonical(Object.getOwnPropertyDescriptor(value, name)?.value)}`)}}`;
}

describe("applyMergePatch", () => {
  test.each(APPENDIX_A)("%j patched with %j is %j, as in RFC 7396", (original, change, result) => {
    expect(applyMergePatch(frozen(original), frozen(change))).toStrictEqual(result);
  });

  test("follows the example of RFC 7396, section 3", () => {
    const original = {
      title: "Goodbye!",
      author: { givenName: "John", familyName: "Doe" },
      tags: ["example", "sample"],
      content: "This will be unchanged",
    };
    const change = {
      title: "Hello!",
      phoneNumber: "+01-123-456-7890",
      author: { familyName: null },
      tags: ["example"],
    };
    expect(applyMergePatch(original, change)).toStrictEqual({
      title: "Hello!",
      author: { givenName: "John" },
      tags: ["example"],
      content: "This will be unchanged",
      phoneNumber: "+01-123-456-7890",
    });
  });

  test("takes __proto__ for a key like any other", () => {
    const change: JsonObject = JSON.parse('{"__proto__":{"admin":true},"constructor":{"x":1}}');
    const result = applyMergePatch({}, change);
    expect(Object.getPrototypeOf(result)).toBe(Object.prototype);
    expect("admin" in {}).toBe(false);
    expect(JSON.stringify(result)).toBe('{"__proto__":{"admin":true},"constructor":{"x":1}}');
    const removed = applyMergePatch(result, JSON.parse('{"__proto__":null}'));
    expect(JSON.stringify(removed)).toBe('{"constructor":{"x":1}}');
  });

  test("changes nothing that it is given, and shares what is not touched", () => {
    fc.assert(
      fc.property(target, patch, (before, change) => {
        applyMergePatch(frozen(before), frozen(change));
      }),
    );
    const before = { kept: { deep: 1 }, changed: { deep: 1 } };
    expect(applyMergePatch(before, { changed: { deep: 2 } }).kept).toBe(before.kept);
  });

  test("applied twice is the same as once", () => {
    fc.assert(
      fc.property(target, patch, (before, change) => {
        const once = applyMergePatch(before, change);
        expect(same(applyMergePatch(once, change), once)).toBe(true);
      }),
    );
  });

  test("leaves no null behind that was not there", () => {
    fc.assert(fc.property(patch, (change) => findNullMember(applyMergePatch({}, change)) === null));
  });
});

describe("mergePatches", () => {
  test("does what the two do one after the other, to whatever value", () => {
    fc.assert(
      fc.property(patch, patch, target, (first, second, before) => {
        const both = mergePatches(frozen(first), frozen(second));
        if (both === null) return;
        const inTurn = applyMergePatch(applyMergePatch(before, first), second);
        expect(same(applyMergePatch(before, both), inTurn)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  test("merged from many does no harm to who has seen some of them already", () => {
    fc.assert(
      fc.property(
        fc.array(patch, { minLength: 1, maxLength: 5 }),
        target,
        fc.nat(5),
        (patches, before, seen) => {
          const merged = patches.reduce<JsonObject | null>(
            (all, next) => (all === null ? null : mergePatches(all, next)),
            {},
          );
          if (merged === null) return;
          const apply = (state: unknown, change: JsonObject) => applyMergePatch(state, change);
          const ahead = patches.slice(0, seen).reduce(apply, before);
          const end = patches.reduce(apply, before);
          expect(same(applyMergePatch(ahead, merged), end)).toBe(true);
        },
      ),
      { numRuns: 2000 },
    );
  });

  test("finds a patch wherever one and the same does for all values", () => {
    const values = [{}, { a: 1 }, { a: { x: 1 } }, { a: { x: 1, y: 2 } }, { a: { z: { x: 1 } } }];
    const small = fc.dictionary(
      fc.constant("a"),
      fc.oneof(fc.constantFrom(null, 1), fc.dictionary(fc.constantFrom("x", "y"), fc.constantFrom(null, 1))),
    );
    fc.assert(
      fc.property(small, small, small, (first, second, candidate) => {
        if (mergePatches(first, second) !== null) return;
        const does = values.every((before) =>
          same(applyMergePatch(before, candidate), applyMergePatch(applyMergePatch(before, first), second)),
        );
        expect(does, `${canonical(first)} then ${canonical(second)} is ${canonical(candidate)}`).toBe(false);
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    [{ a: { x: 1 } }, { a: null }, { a: null }],
    [{ a: null }, { b: { y: 2 } }, { a: null, b: { y: 2 } }],
    [{ a: { x: null } }, { a: { y: 2 } }, { a: { x: null, y: 2 } }],
    [{ a: 1 }, { a: 2 }, { a: 2 }],
  ])("%j, then %j is %j", (first, second, both) => {
    expect(mergePatches(first, second)).toStrictEqual(both);
  });

  test.each([
    [{ a: null }, { a: { y: 2 } }],
    [{ a: 1 }, { a: { y: 2 } }],
    [{ a: [] }, { a: {} }],
    [{ a: { b: null } }, { a: { b: { c: 1 } } }],
  ])("%j, then %j is no patch", (first, second) => {
    expect(mergePatches(first, second)).toBeNull();
  });
});

describe("findNullMember", () => {
  test.each([
    [{}, null],
    [{ a: { b: [null] } }, null],
    [{ a: 1, b: { c: null } }, "b.c"],
  ])("in %j finds %j", (object, found) => {
    expect(findNullMember(object)).toBe(found);
  });
});
