import fc from "fast-check";
import { expect, test } from "vitest";
import { type SubscribeItem, splitBatches } from "./requests.js";

const item = fc.record<SubscribeItem>(
  {
    channel: fc.string({ unit: fc.constantFrom("a", "9", ":", "~"), minLength: 1, maxLength: 200 }),
    since: fc.record({ epoch: fc.constant("0123456789abcdef"), offset: fc.maxSafeNat() }),
  },
  { requiredKeys: ["channel"] },
);

test("every channel travels once, in order, in frames under 32 KiB with at most 1,000 channels", () => {
  fc.assert(
    fc.property(fc.array(item, { maxLength: 3000, size: "max" }), (items) => {
      const batches = splitBatches(items);
      expect(batches.flat()).toEqual(items);
      for (const channels of batches) {
        expect(channels.length).toBeGreaterThan(0);
        expect(channels.length).toBeLessThanOrEqual(1000);
        const frame = JSON.stringify({ type: "subscribe", request: Number.MAX_SAFE_INTEGER, channels });
        expect(Buffer.byteLength(frame)).toBeLessThan(32 * 1024);
      }
    }),
    { numRuns: 10 },
  );
});

test("short names fill a batch by number, long ones by bytes", () => {
  const short = Array.from({ length: 2500 }, (_, index) => ({ channel: `c${index}` }));
  expect(splitBatches(short).map(({ length }) => length)).toEqual([1000, 1000, 500]);
  const long = Array.from({ length: 400 }, (_, index) => ({ channel: String(index).padStart(200, "x") }));
  expect(splitBatches(long).length).toBe(3);
});

test("nothing to subscribe is no frame", () => {
  expect(splitBatches([])).toEqual([]);
});
