import { expect, test } from "vitest";
import { isAt, isUnder } from "./path.js";

test.each([
  ["/push", true, true],
  ["/push?x=/", true, true],
  ["/push/", true, true],
  ["/push/?x", true, true],
  ["/push/x", true, false],
  ["/push//", true, false],
  ["/push/?/../x", true, true],
  ["/pushy", false, false],
  ["/push-x", false, false],
  ["/PUSH", false, false],
  ["/x/push", false, false],
  ["/push%2fx", false, false],
  ["push", false, false],
  ["*", false, false],
  ["", false, false],
  [undefined, false, false],
])("the address %s: under /push %s, at /push %s", (url, under, at) => {
  expect([isUnder("/push", url), isAt("/push", url)]).toEqual([under, at]);
});
