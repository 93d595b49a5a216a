import { expect, test } from "vitest";
import { FakeClock, turns } from "../testing/fake-clock.js";
import { inTime } from "./in-time.js";

test("what comes in time is said to have, and a failure in time is thrown", async () => {
  const clock = new FakeClock();
  expect(await inTime(clock, 10, Promise.resolve())).toBe(true);
  await expect(inTime(clock, 10, Promise.reject(new Error("no")))).rejects.toThrow("no");
});

test("what comes too late, or never, is waited for no longer; its failure is dropped", async () => {
  const clock = new FakeClock();
  let fail = (_: Error) => {};
  const failing = new Promise<void>((_, reject) => {
    fail = reject;
  });
  const answers = [inTime(clock, 10, failing), inTime(clock, 10, new Promise(() => {}))];
  clock.advance(10);
  expect(await Promise.all(answers)).toEqual([false, false]);
  fail(new Error("late"));
  await turns(2);
});
