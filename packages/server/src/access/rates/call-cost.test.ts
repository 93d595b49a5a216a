import { expect, test } from "vitest";
import { extraReads, extraWrites } from "./call-cost.js";

test.each([
  [{}, 0],
  [{ bytes: 65_535, records: 99 }, 0],
  [{ bytes: 65_536 }, 1],
  [{ records: 100 }, 1],
  [{ bytes: 1_048_576, records: 1050 }, 26],
])("a call that has read %j counts as %i more", (work, calls) => {
  expect(extraReads(work)).toBe(calls);
});

test.each([
  [0, 0],
  [16_383, 0],
  [16_384, 1],
  [65_536, 4],
])("a call that has written %i bytes counts as %i more", (bytes, calls) => {
  expect(extraWrites(bytes)).toBe(calls);
});
