import type { JsonObject } from "@fanfare/protocol";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { parseQuery } from "./query.js";

const find = (query: unknown, texts = false) => parseQuery(query, { method: "find", texts, pages: null });

/** The names of the records that are asked for. */
function found(query: unknown, records: readonly JsonObject[], texts = false) {
  const { matches } = find(query, texts);
  return records.filter(matches).map(({ id }) => id);
}

const PEOPLE: readonly JsonObject[] = [
  { id: 1, name: "Ann", age: 30, tags: ["a", "b"], at: { city: "Bonn" } },
  { id: 2, name: "Bob", age: 7, tags: [] },
  { id: 3, name: "Cid", age: "30", open: true },
];

describe("a query", () => {
  test.each<[string, object, number[]]>([
    ["a field that is equal", { name: "Ann" }, [1]],
    ["a field that is not there", { open: null }, [1, 2]],
    ["a number, not its text", { age: 30 }, [1]],
    ["a field inside of another", { "at.city": "Bonn" }, [1]],
    ["a member of a list", { tags: "b" }, [1]],
    ["$in", { name: { $in: ["Bob", "Cid"] } }, [2, 3]],
    ["$in, with what is not there and with an object", { at: { $in: [null, { city: "Bonn" }] } }, [1, 2, 3]],
    ["$nin, also of a list", { tags: { $nin: ["a"] } }, [2, 3]],
    ["a whole object", { at: { city: "Bonn" } }, [1]],
    ["$nin", { name: { $nin: ["Bob", "Cid"] } }, [1]],
    ["$ne", { name: { $ne: "Bob" } }, [1, 3]],
    ["$lt and $gte, between values of one type", { age: { $gte: 7, $lt: 30 } }, [2]],
    ["$or", { $or: [{ name: "Bob" }, { open: true }] }, [2, 3]],
    ["$and inside of $or", { $or: [{ $and: [{ age: { $gt: 7 } }, { name: "Ann" }] }] }, [1]],
    ["everything", {}, [1, 2, 3]],
  ])("matches by %s", (_name, query, ids) => {
    expect(found(query, PEOPLE)).toEqual(ids);
  });

  test.each<[string, object, number[]]>([
    ["equal to a number or a text", { age: "30" }, [1, 3]],
    ["true and false", { open: "true" }, [3]],
    ["what is not there", { open: "" }, [1, 2]],
    ["an order of numbers, and of texts", { age: { $lt: "8" } }, [2, 3]],
    ["an order of texts", { name: { $gt: "Ann" } }, [2, 3]],
    ["lists", { age: { $in: ["7"] } }, [2]],
    ["lists that are to be another", { age: { $nin: ["30"] } }, [2]],
    ["an object", { at: { city: "Bonn" } }, [1]],
    ["a whole list", { tags: ["a", "b"] }, [1]],
  ])("in an address matches by %s, which are all texts there", (_name, query, ids) => {
    expect(found(query, PEOPLE, true)).toEqual(ids);
  });

  test("has an order, also by fields that some records do not have", () => {
    const { order } = find({ $sort: { "at.city": -1, age: "1" } });
    const sorted = [...PEOPLE].sort(
      (one, other) => order?.compare(order.keysOf(one), order.keysOf(other)) ?? 0,
    );
    expect(sorted.map(({ id }) => id)).toEqual([1, 2, 3]);
  });

  test("selects fields, and the id always", () => {
    const { selected } = find({ $select: ["name", "missing", "__proto__"] });
    expect(PEOPLE.map(selected)[0]).toEqual({ id: 1, name: "Ann" });
    expect(find({ $select: "name" }).selected({ id: 1, name: "Ann", age: 1 })).toEqual({
      id: 1,
      name: "Ann",
    });
  });

  test.each<[string, unknown, RegExp]>([
    [
      "an operator that is not known",
      { age: { $regex: "a" } },
      /the operator "age\.\$regex" .* is not known/,
    ],
    ["one at the top", { $where: "1" }, /the operator "\$where"/],
    ["one deep inside", { $or: [{ a: { $in: [{ $where: "1" }] } }] }, /\$or\[0\]\.a\.\$in\[0\]\.\$where/],
    ["one where it cannot stand", { age: { $or: [{ name: "Ann" }] } }, /cannot be followed/],
    ["fields among operators", { age: { $gt: 1, more: 2 } }, /cannot be followed/],
    ["no conditions", { $or: [] }, /\$or of the query is not a list of conditions/],
    ["conditions that are no objects", { $and: ["name"] }, /\$and of the query is not a list of conditions/],
    [
      "names that lead out of a record",
      { "constructor.name": "Object" },
      /the query asks for "constructor\.name"/,
    ],
    ["an order that is none", { $sort: { name: "up" } }, /\$sort is/],
    ["an order without fields", { $sort: "name" }, /\$sort is/],
    ["fields that are no names", { $select: [1] }, /\$select is/],
    ["a limit that is none", { $limit: -1 }, /\$limit is -1/],
    ["a text", "name", /the query is not an object/],
    [
      "more values than are looked for",
      { id: { $in: Array.from({ length: 1001 }, (_, id) => id) } },
      /1000 values/,
    ],
    [
      "more conditions than are looked at",
      { $or: Array.from({ length: 30 }, (_, id) => ({ id })) },
      /50 parts/,
    ],
    ["nothing, many times", { id: { $in: Array.from({ length: 51 }, () => ({})) } }, /50 parts/],
    [
      "an operator among values",
      { id: { $in: [{ $gt: 1 }] } },
      /id\.\$in\[0\]\.\$gt of the query stands in a list/,
    ],
    [
      "more fields of an order than are compared",
      { $sort: Object.fromEntries([...Array(11).keys()].map((each) => [`field${each}`, 1])) },
      /\$sort is/,
    ],
    ["more fields than are selected", { $select: Array(1001).fill("a") }, /\$select is/],
    ["more levels than are looked into", JSON.parse(`${'{"a":'.repeat(40)}1${"}".repeat(40)}`), /16 levels/],
  ])("is refused with %s, by its name and with a remedy", (_name, query, message) => {
    expect(() => find(query)).toThrow(
      expect.objectContaining({ code: "invalid_request", message: expect.stringMatching(message) }),
    );
    expect(() => find(query)).toThrow(expect.objectContaining({ remedy: expect.stringMatching(/\.$/) }));
  });

  test("looks at long lists of records as often as it has parts, and not as often as it has values", () => {
    const record = { id: 1, list: Array.from({ length: 20_000 }, () => 1) };
    const { matches } = find({ list: { $in: Array.from({ length: 1000 }, (_, id) => id + 2) } });
    const test = vi.spyOn(Set.prototype, "has");
    expect(matches(record)).toBe(false);
    expect(test.mock.calls.length).toBeLessThanOrEqual(20_001);
  });

  test("orders by the beginning of texts, and not by lists and objects", () => {
    const { order } = find({ $sort: { value: 1 } });
    const keys = (value: unknown) => order?.keysOf({ id: 1, value });
    expect(keys("x".repeat(1000))).toEqual(["x".repeat(256)]);
    expect([keys([1, 2]), keys({ a: 1 }), keys(null), keys(3), keys(true)]).toEqual([
      [null],
      [null],
      [null],
      [3],
      [true],
    ]);
  });

  test("never runs code, whatever it pretends to be", () => {
    const native = "function Object() { [native code] }";
    const ran = `globalThis.ranCode = true`;
    for (const pretending of [
      { constructor: native, $where: ran },
      { a: { constructor: native, $where: ran } },
      { a: JSON.parse(`{"__proto__": {"$where": ${JSON.stringify(ran)}}}`) },
    ]) {
      expect(() => found(pretending, PEOPLE)).toThrow();
    }
    expect(Reflect.get(globalThis, "ranCode")).toBeUndefined();
  });

  test("is answered or refused, whatever it is, and changes nothing of what it was given", () => {
    const name = fc.constantFrom(
      "id",
      "name",
      "a.b",
      "$in",
      "$or",
      "$and",
      "$gt",
      "$ne",
      "$nin",
      "$sort",
      "$limit",
    );
    const { query } = fc.letrec<{ query: unknown; value: unknown }>((tie) => ({
      query: fc.dictionary(name, tie("value"), { maxKeys: 3 }),
      value: fc.oneof(
        { depthSize: "small" },
        fc.jsonValue({ maxDepth: 1 }),
        fc.array(tie("query")),
        tie("query"),
      ),
    }));
    fc.assert(
      fc.property(query, fc.boolean(), (asked, texts) => {
        const before = JSON.stringify(asked);
        try {
          found(asked, PEOPLE, texts);
        } catch (error) {
          expect(error).toMatchObject({ code: "invalid_request" });
        }
        expect(JSON.stringify(asked)).toBe(before);
      }),
      { numRuns: 300 },
    );
  });
});
