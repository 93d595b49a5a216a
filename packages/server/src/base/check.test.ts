import { expect, test } from "vitest";
import { z } from "zod";
import { check } from "./check.js";

const schema = z.object({
  name: z.string().min(1).max(3).default("a"),
  count: z.int().min(1).max(1000).default(1),
  list: z.array(z.string()).max(2).default([]),
  action: z.enum(["publish", "patch"]).default("patch"),
  data: z.unknown().nonoptional(),
  where: z.object({ channel: z.string() }).default({ channel: "a" }),
});

const strict = z.strictObject({
  count: z.int().default(1),
  since: z.union([z.string(), z.strictObject({ epoch: z.string(), offset: z.number() })]).optional(),
  items: z.array(z.strictObject({ channel: z.string() })).default([]),
});

test.each([
  [{ coun: 1 }, 'body has "coun", which is not known', "Did you mean count? Use count, since, items."],
  [{ size: 1, count: "x" }, 'body has "size", which is not known', "Use count, since, items."],
  [
    { items: [{ chanel: "a" }] },
    'body.items[0] has "chanel", which is not known',
    "Did you mean channel? Use channel.",
  ],
  [
    { since: { epoch: "x", ofset: 1 } },
    'body.since has "ofset", which is not known',
    "Did you mean offset? Use epoch, offset.",
  ],
])(
  "%j has a member that is not known, which is named with the one that was meant",
  (value, message, remedy) => {
    expect(() => check(strict, value, "body")).toThrow(
      expect.objectContaining({ code: "invalid_request", message, remedy }),
    );
  },
);

test("of a value that may have several forms, what is wrong is said of the one that was meant", () => {
  const wrong = (since: unknown) => () => check(strict, { since }, "body");
  expect(wrong({ epoch: "x", offset: "y" })).toThrow('body.since.offset is "y": give a number');
  expect(wrong(5)).toThrow("body.since is 5");
});

test.each([
  [{ name: 5 }, "body.name is 5: give a text"],
  [{ name: "" }, 'body.name is "": give at least 1 characters'],
  [{ name: "long" }, 'body.name is "long": give at most 3 characters'],
  [{ count: 0 }, "body.count is 0: give at least 1"],
  [{ count: 1001 }, "body.count is 1001: give at most 1000"],
  [{ count: 1.5 }, "body.count is 1.5: give a whole number"],
  [{ list: "a" }, 'body.list is "a": give an array'],
  [{ list: ["a", 2] }, "body.list[1] is 2: give a text"],
  [{ list: ["a", "b", "c"] }, "body.list is an array of 3: give at most 2 items"],
  [{ action: "pub" }, 'body.action is "pub": give publish, patch'],
  [{ where: {} }, "body.where.channel is missing: give a text"],
  [{ data: undefined }, "body.data is missing"],
  [[], "body is an array of 0: give an object"],
])("%j is answered by what is wrong, and what would be right", (value, detail) => {
  const given = Array.isArray(value) ? value : { data: 1, ...value };
  expect(() => check(schema, given, "body")).toThrow(
    expect.objectContaining({ code: "invalid_request", message: detail }),
  );
});
