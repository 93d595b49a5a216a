import { expect, test } from "vitest";
import { maxOpenFiles, parseLimits, tooFewFiles } from "./file-descriptors.js";

test("the limit is read where Linux has it", () => {
  const text =
    "Limit   Soft Limit  Hard Limit  Units\nMax open files            1024                 4096      files\n";
  expect(parseLimits(text)).toBe(1024);
  expect(parseLimits(text.replace("1024 ", "unlimited"))).toBeNull();
  const here = maxOpenFiles();
  expect(here === null || here > 0).toBe(true);
});

test("too few are told with what to do; enough, or no limit, is nothing to tell", () => {
  const told = tooFewFiles(1024, 50_000);
  expect(told?.message).toContain("1024 files");
  expect(told?.remedy).toContain("ulimit -n 50200");
  expect(told?.remedy).toContain("limits.connections to 824");
  expect(tooFewFiles(50_200, 50_000)).toBeNull();
  expect(tooFewFiles(null, 50_000)).toBeNull();
});
