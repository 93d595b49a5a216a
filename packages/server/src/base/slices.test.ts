import { expect, test } from "vitest";
import { FakeClock } from "../testing/fake-clock.js";
import { Slices } from "./slices.js";

/** Work that takes its time, and writes down what was done in which turn of the event loop. */
function working() {
  let turn = 0;
  class TurnCountingClock extends FakeClock {
    override endOfTurn(call: () => void): void {
      super.endOfTurn(() => {
        turn++;
        call();
      });
    }
  }
  const clock = new TurnCountingClock();
  const done: string[] = [];
  const work = (name: string, ms: number) => {
    clock.advance(ms);
    done.push(`${turn} ${name}`);
  };
  return { slices: new Slices(clock), work, done };
}

test("a few milliseconds of work are done in each turn, whoever asked, and those who wait are served in turn", async () => {
  const { slices, work, done } = working();
  const names = ["a", "b", "c"];
  await Promise.all(names.map((name) => slices.each([1, 2, 3], (item) => work(`${name}${item}`, 3))));
  expect(done).toEqual(["0 a1", "0 a2", "1 a3", "1 b1", "2 c1", "2 c2", "3 b2", "3 b3", "4 c3"]);
});

test("what is short is done at once, and what comes later in the same turn waits when its time is used up", async () => {
  const { slices, work, done } = working();
  expect(await slices.run(() => 42)).toBe(42);
  const long = slices.run(() => work("long", 50));
  const late = slices.run(() => work("late", 1));
  expect(done).toEqual(["0 long"]);
  await Promise.all([long, late]);
  expect(done).toEqual(["0 long", "1 late"]);
});

test("steps that wait in between are counted whole, with what they do after their waits", async () => {
  const { slices, work, done } = working();
  for (const name of ["a", "b", "c", "d"]) {
    await slices.run(async () => {
      await null;
      work(name, 3);
    });
  }
  expect(done).toEqual(["0 a", "0 b", "1 c", "1 d"]);
});

test("what fails rejects, and stops nobody else", async () => {
  const { slices, work, done } = working();
  const fails = () => {
    throw new RangeError("no");
  };
  const failing = [
    slices.run(fails),
    slices.each([1, 2], fails),
    slices.run(() => Promise.reject(new RangeError("no"))),
  ];
  const other = slices.each([1, 2, 3], (item) => work(`other${item}`, 3));
  for (const each of failing) await expect(each).rejects.toThrow("no");
  await other;
  expect(done).toHaveLength(3);
});
