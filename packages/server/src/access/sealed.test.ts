import { expect, test } from "vitest";
import { systemRandom } from "../base/clock.js";
import { seal, unseal } from "./sealed.js";

const SECRET = "a-secret-of-128-bits--";

test("a sealed text is read with its secret only, and only as it was sealed", () => {
  const text = "a token of alice, ä";
  const sealed = seal(SECRET, text, systemRandom);
  expect(unseal(SECRET, sealed)).toBe(text);
  expect(Buffer.from(sealed, "base64").toString("latin1")).not.toContain("alice");
  expect(seal(SECRET, text, systemRandom)).not.toBe(sealed);
  expect(unseal(`${SECRET}x`, sealed)).toBeNull();
  const bytes = Buffer.from(sealed, "base64");
  for (const at of [0, 12, 28, bytes.length - 1]) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(unseal(SECRET, changed.toString("base64"))).toBeNull();
  }
  for (const none of ["", "x", sealed.slice(0, 30)]) expect(unseal(SECRET, none)).toBeNull();
});
