import { Big } from "big.js";
import { beforeEach, describe, expect, test } from "vitest";
import {
  type AnyAttribute,
  boolean,
  date,
  enumeration,
  type FakeAttribute,
  number,
  text,
} from "../testing/mendix.js";
import { openPage, type Page } from "../testing/page.js";
import { Warnings } from "../warnings.js";
import { Attributes, slot } from "./attributes.js";
import { type AttributeValue, convertFor } from "./convert.js";

let page: Page;
let attributes: Attributes;
beforeEach(() => {
  page = openPage();
  attributes = new Attributes(new Warnings("fanfare1"));
});

/** Sets one attribute, whose type is found out, to a value of a message. */
function set(attribute: AnyAttribute, value: unknown): void {
  const any = attribute as unknown as FakeAttribute<AttributeValue>;
  attributes.update([slot("Key", any.props, convertFor(any.props))]);
  attributes.set({ Key: value });
}

describe("an attribute takes", () => {
  test.each([
    ["a text", "hello", "hello"],
    ["a number as text", 12.5, "12.5"],
    ["an object as JSON", { a: [1] }, '{"a":[1]}'],
    ["nothing", null, undefined],
  ])("String: %s", (_what, value, expected) => {
    const attribute = text("before");
    set(attribute, value);
    expect(attribute.sets).toEqual([expected]);
  });

  test.each([
    ["an Integer", 42, "42"],
    ["a Decimal", 0.1, "0.1"],
    ["a Long beyond 2^53, as text", "9223372036854775807", "9223372036854775807"],
    ["a Decimal as text", "-12.50", "-12.5"],
  ])("a number: %s", (_what, value, expected) => {
    const attribute = number(new Big(7));
    set(attribute, value);
    expect(attribute.sets.map(String)).toEqual([expected]);
    expect(attribute.value).toBeInstanceOf(Big);
  });

  test.each([
    [true, true],
    ["true", true],
  ])("Boolean: %s", (value, expected) => {
    const attribute = boolean(false);
    set(attribute, value);
    expect(attribute.sets).toEqual([expected]);
  });

  test("Boolean: nothing is false, since it is never empty", () => {
    const attribute = boolean(true);
    set(attribute, null);
    expect(attribute.sets).toEqual([false]);
  });

  test.each([
    ["milliseconds", Date.UTC(2026, 0, 31, 12)],
    ["ISO 8601", "2026-01-31T12:00:00.000Z"],
    ["ISO 8601 with a time zone", "2026-01-31T13:00:00+01:00"],
  ])("DateTime: %s", (_what, value) => {
    const attribute = date(new Date(0));
    set(attribute, value);
    expect(attribute.value?.toISOString()).toBe("2026-01-31T12:00:00.000Z");
  });

  test("an enumeration: one of its names", () => {
    const attribute = enumeration(["Open", "Paid"], "Open");
    set(attribute, "Paid");
    expect(attribute.sets).toEqual(["Paid"]);
  });

  test.each([
    ["a number", number()],
    ["a DateTime", date()],
    ["a text", text("x")],
    ["an enumeration", enumeration(["Open"], "Open")],
  ])("nothing, to become empty: %s", (_what, attribute: AnyAttribute) => {
    set(attribute, null);
    expect(attribute.value).toBeUndefined();
    expect(page.warnings).toEqual([]);
  });
});

describe("an attribute is left as it is", () => {
  test.each([
    ["a text in a number", number(), "many"],
    ["an object in a number", number(), {}],
    ["a number in a Boolean", boolean(), 1],
    ["a word in a DateTime", date(), "tomorrow"],
    ["true in a DateTime", date(), true],
    ["an unknown name in an enumeration", enumeration(["Open"]), "Gone"],
  ])("with one warning: %s", (_what, attribute: AnyAttribute, value) => {
    set(attribute, value);
    set(attribute, value);
    expect(attribute.sets).toEqual([]);
    expect(page.warnings).toHaveLength(1);
    expect(page.warnings[0]).toContain("does not fit the type of its attribute");
  });

  test("when it is read-only, with one warning", () => {
    const attribute = text("before");
    attribute.readOnly = true;
    set(attribute, "a");
    set(attribute, "b");
    expect(attribute.sets).toEqual([]);
    expect(page.warnings).toEqual([
      "Fanfare (fanfare1): Key is not set, because its attribute is read-only.",
    ]);
  });

  test("when there is no object, with one warning", () => {
    const attribute = text();
    attribute.status = "unavailable";
    set(attribute, "a");
    expect(attribute.sets).toEqual([]);
    expect(page.warnings).toEqual([
      "Fanfare (fanfare1): Key is not set, because its attribute has no object.",
    ]);
  });

  test("when the message does not name it, or is no object", () => {
    const attribute = text("before");
    attributes.update([slot("Key", attribute.props, (value) => ({ value: String(value) }))]);
    for (const data of [{ other: 1 }, "Key", ["Key"], null, 7]) attributes.set(data);
    expect(attribute.sets).toEqual([]);
  });

  test("when Mendix refuses the value, with its reason", () => {
    const attribute = text("before");
    attributes.update([
      slot(
        "Key",
        {
          ...attribute.props,
          setValue: () => {
            throw new Error("too long");
          },
        },
        (value) => ({ value: String(value) }),
      ),
    ]);
    attributes.set({ Key: "x" });
    expect(page.warnings).toEqual(["Fanfare (fanfare1): Key is not set: too long"]);
  });
});

test("what comes while an attribute is loading is set when it is there: the newest", () => {
  const attribute = text();
  attribute.status = "loading";
  set(attribute, "a");
  set(attribute, "b");
  expect(attribute.sets).toEqual([]);
  attribute.status = "available";
  attributes.update([slot("Key", attribute.props, (value) => ({ value: String(value) }))]);
  expect(attribute.sets).toEqual(["b"]);
  expect(page.warnings).toEqual([]);
});

test("the first letter of a key may be small in the message", () => {
  const attribute = text();
  attributes.update([slot("Text1", attribute.props, (value) => ({ value: String(value) }))]);
  attributes.set({ text1: "a" });
  attributes.set({ Text1: "b" });
  expect(attribute.sets).toEqual(["a", "b"]);
});
