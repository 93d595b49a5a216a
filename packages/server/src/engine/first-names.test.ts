import fc from "fast-check";
import { expect, test } from "vitest";
import { FirstNames } from "./first-names.js";

test("the first names are those that sorting all of them gives", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.string({ maxLength: 3 })),
      fc.integer({ min: 1, max: 10 }),
      (names, limit) => {
        const first = new FirstNames(limit);
        for (const name of names) first.offer(name);
        expect(first.take()).toEqual([...names].sort().slice(0, limit));
      },
    ),
  );
});
