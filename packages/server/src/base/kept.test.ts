import { expect, test } from "vitest";
import { kept } from "./kept.js";

test("what is kept is read once, also by calls at the same time", async () => {
  let times = 0;
  const read = kept(async () => ++times);
  expect(await Promise.all([read(), read()])).toEqual([1, 1]);
  expect(await read()).toBe(1);
});

test("a failure is told to all who wait for it, and is not kept", async () => {
  let times = 0;
  const read = kept(async () => {
    if (++times === 1) throw new Error("no file descriptors are left");
    return times;
  });
  const both = await Promise.allSettled([read(), read()]);
  expect(both.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(await read()).toBe(2);
});
