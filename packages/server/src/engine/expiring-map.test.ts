import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ExpiringMap } from "./expiring-map.js";

describe("an expiring map", () => {
  test("holds an entry until its time, not at it", () => {
    const map = new ExpiringMap<number>(10);
    map.set("a", 1, 100);
    expect(map.get("a", 99)).toBe(1);
    expect(map.get("a", 100)).toBeUndefined();
    expect(map.size).toBe(0);
  });

  test("lets the older of two go that expire together", () => {
    const map = new ExpiringMap<number>(2);
    for (const [index, key] of ["a", "b", "c"].entries()) map.set(key, index, 100);
    expect([map.get("a", 0), map.get("b", 0), map.get("c", 0)]).toEqual([undefined, 1, 2]);
  });

  test("removes no more expired entries at once than it is told", () => {
    const map = new ExpiringMap<number>(10);
    for (const expiresAt of [5, 3, 1, 4, 2]) map.set(String(expiresAt), expiresAt, expiresAt);
    map.expire(4, 3);
    expect(map.size).toBe(2);
    map.expire(4, 3);
    expect(map.size).toBe(1);
    expect(map.get("5", 4)).toBe(5);
  });

  test("holds nothing when it may hold nothing", () => {
    const map = new ExpiringMap<number>(0);
    map.set("a", 1, 100);
    expect(map.size).toBe(0);
    expect(map.take("a", 0)).toBeUndefined();
  });

  test("does what a sorted list would do", () => {
    const key = fc.constantFrom(..."abcdefghijklmnop");
    const step = fc.oneof(
      fc.record({ does: fc.constant("set" as const), key, ttl: fc.nat(20) }),
      fc.record({ does: fc.constant("take" as const), key }),
      fc.record({ does: fc.constant("expire" as const), atMost: fc.nat(3) }),
    );
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 200 }),
        fc.integer({ min: 1, max: 12 }),
        (steps, maxEntries) => {
          const map = new ExpiringMap<number>(maxEntries);
          let list: { key: string; value: number; expiresAt: number }[] = [];
          for (const [at, step] of steps.entries()) {
            if (step.does === "set") {
              list = list.filter(({ key }) => key !== step.key);
              list.push({ key: step.key, value: at, expiresAt: at + step.ttl });
              list.sort((a, b) => a.expiresAt - b.expiresAt || a.value - b.value);
              if (list.length > maxEntries) list.shift();
              map.set(step.key, at, at + step.ttl);
            } else if (step.does === "take") {
              const found = list.find(({ key }) => key === step.key);
              list = list.filter((entry) => entry !== found);
              expect(map.take(step.key, at)).toBe(found && found.expiresAt > at ? found.value : undefined);
            } else {
              const expired = list.filter(({ expiresAt }) => expiresAt <= at).slice(0, step.atMost);
              list = list.filter((entry) => !expired.includes(entry));
              map.expire(at, step.atMost);
            }
            expect(map.size).toBe(list.length);
          }
          for (const { key, value } of list) expect(map.take(key, -1)).toBe(value);
        },
      ),
    );
  });
});
