import fc from "fast-check";
import { expect, test } from "vitest";
import { FakeClock } from "../testing/fake-clock.js";
import { Deadlines } from "./deadlines.js";

const step = fc.oneof(
  fc.record({ do: fc.constant("set" as const), key: fc.nat(20), afterMs: fc.nat(100) }),
  fc.record({ do: fc.constant("delete" as const), key: fc.nat(20) }),
  fc.record({ do: fc.constant("wait" as const), ms: fc.nat(40) }),
);

test("each is called once, when its time comes, and in the order of their times", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const clock = new FakeClock();
      const called: [number, number][] = [];
      const wanted: [number, number][] = [];
      const model = new Map<number, number>();
      const deadlines = new Deadlines<number>(clock, (key) => called.push([clock.monotonic(), key]));
      for (const each of steps) {
        if (each.do === "set") {
          deadlines.set(each.key, each.afterMs);
          model.set(each.key, clock.monotonic() + each.afterMs);
        } else if (each.do === "delete") {
          deadlines.delete(each.key);
          model.delete(each.key);
        } else {
          clock.advance(each.ms);
          for (const [key, due] of model) {
            if (due > clock.monotonic()) continue;
            wanted.push([due, key]);
            model.delete(key);
          }
        }
        expect(deadlines.size).toBe(model.size);
      }
      const byTime = (a: [number, number], b: [number, number]) => a[0] - b[0] || a[1] - b[1];
      expect(called.map(([at]) => at)).toEqual(called.map(([at]) => at).sort((a, b) => a - b));
      expect(called.sort(byTime)).toEqual(wanted.sort(byTime));
    }),
  );
});

test("what is called may set a deadline anew, and longer ones than a timer can wait for come in time", () => {
  const clock = new FakeClock();
  const called: number[] = [];
  const deadlines = new Deadlines<string>(clock, (key) => {
    called.push(clock.monotonic());
    if (called.length < 3) deadlines.set(key, 10);
  });
  deadlines.set("a", 86_400_000);
  clock.advance(86_400_020);
  expect(called).toEqual([86_400_000, 86_400_010, 86_400_020]);
  deadlines.set("a", 10);
  deadlines.close();
  clock.advance(10);
  expect(called).toHaveLength(3);
});
