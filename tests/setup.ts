/** For every test file: property tests repeat by their seed, and no call is answered with an error that the document does not have. */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import fc from "fast-check";
import { afterAll, afterEach, expect } from "vitest";
import { UNDESCRIBED, type UndescribedAnswer } from "../packages/server/src/http/exchange/errors.js";

const seed = process.env.FAST_CHECK_SEED;

if (seed) fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(seed) });

const undescribed = new Set<string>();
function hear(message: unknown): void {
  const { call, code } = message as UndescribedAnswer;
  undescribed.add(`${call}: ${code}`);
}

subscribe(UNDESCRIBED, hear);
// Files share a process.
afterAll(() => void unsubscribe(UNDESCRIBED, hear));

afterEach(() => {
  const found = [...undescribed];
  undescribed.clear();
  expect(found, "errors that openapi.json does not have").toEqual([]);
});
