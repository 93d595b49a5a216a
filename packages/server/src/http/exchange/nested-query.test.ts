import { describe, expect, test } from "vitest";
import { nestedQuery } from "./nested-query.js";

const parsed = (search: string) => nestedQuery(new URLSearchParams(search));

describe("parameters of an address", () => {
  test.each([
    ["", {}],
    ["status=open&count=3", { status: "open", count: "3" }],
    ["age[$gt]=5&age[$lt]=9", { age: { $gt: "5", $lt: "9" } }],
    ["age%5B%24gt%5D=5", { age: { $gt: "5" } }],
    ["$select[]=name&$select[]=age", { $select: ["name", "age"] }],
    ["$select[1]=age&$select[0]=name", { $select: ["name", "age"] }],
    ["$select=name&$select=age", { $select: ["name", "age"] }],
    ["a=1&a=2&a=3", { a: ["1", "2", "3"] }],
    ["$or[0][name]=Ann&$or[1][age][$gt]=5", { $or: [{ name: "Ann" }, { age: { $gt: "5" } }] }],
    ["a[999999999]=1", { a: ["1"] }],
    ["a[b][c][0][d]=1", { a: { b: { c: [{ d: "1" }] } } }],
    ["name=a+b%20c", { name: "a b c" }],
    // No brackets that belong together: a name as it is.
    ["a[b=1&]=2&[c]=3", { "a[b": "1", "]": "2", "[c]": "3" }],
  ])("%s", (search, query) => {
    expect(parsed(search)).toEqual(query);
  });

  test("lists may have more members than a page of them", () => {
    const search = Array.from({ length: 200 }, (_, index) => `id[$in][${index}]=${index}`).join("&");
    expect(parsed(search)).toEqual({ id: { $in: Array.from({ length: 200 }, (_, index) => String(index)) } });
  });

  test("reach nothing outside of the query", () => {
    const query = parsed("__proto__[polluted]=1&a[__proto__][polluted]=1&constructor[prototype][polluted]=1");
    expect(Object.keys(query)).toEqual(["__proto__", "a", "constructor"]);
    expect(Reflect.get({}, "polluted")).toBeUndefined();
  });

  test("are refused by their name when they contradict each other, or have no end", () => {
    expect(() => parsed("a=1&a[$gt]=2")).toThrow(/the parameter "a\[\$gt\]" has a value without brackets/);
    expect(() => parsed(`a${"[b]".repeat(17)}=1`)).toThrow(/has 17 brackets/);
  });
});
