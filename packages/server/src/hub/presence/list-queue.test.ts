import { expect, test } from "vitest";
import { FakeClock, turns } from "../../testing/fake-clock.js";
import { ListQueue } from "./list-queue.js";

const MiB = 2 ** 20;

test("lists go out in the order in which they were wanted, no more than 8 MiB a second after the first 8, and no timer stays", async () => {
  const clock = new FakeClock();
  const queue = new ListQueue(clock);
  const read: number[] = [];
  for (let index = 0; index < 24; index++) queue.add({ listBytes: MiB, read: () => void read.push(index) });
  const readAfter = async (ms: number) => {
    for (let left = ms; left > 0; left -= 50) {
      clock.advance(50);
      await turns();
    }
    return read.length;
  };
  await turns();
  expect(read.length).toBeLessThanOrEqual(1);
  expect(await readAfter(1000)).toBeLessThanOrEqual(17);
  const after = read.length;
  expect(await readAfter(500)).toBeLessThanOrEqual(after + 5);
  expect(await readAfter(1000)).toBe(24);
  expect(read).toEqual(Array.from({ length: 24 }, (_, index) => index));
  expect(clock.timers).toBe(0);
});
