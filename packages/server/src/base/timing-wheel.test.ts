import { describe, expect, test } from "vitest";
import { FakeClock } from "../testing/fake-clock.js";
import { TimingWheel, type Watched } from "./timing-wheel.js";

/** Notes when it was looked at. */
class Noting implements Watched {
  readonly at: number[] = [];
  readonly #again: (number | null)[];

  constructor(...again: (number | null)[]) {
    this.#again = again;
  }

  failedInside(error: unknown): void {
    throw error;
  }

  check(now: number): number | null {
    this.at.push(now);
    return this.#again.shift() ?? null;
  }
}

describe("a timing wheel", () => {
  test.each([
    [1, 1000],
    [999, 1000],
    [1000, 1000],
    [1001, 2000],
    [40_000, 40_000],
    [127_000, 127_000],
    [10_000_000, 127_000],
    [Number.POSITIVE_INFINITY, 127_000],
    [0, 1000],
    [-5000, 1000],
  ])("looks after %d ms at %d, rounded up to the second, and after two minutes at the latest", (ms, at) => {
    const clock = new FakeClock();
    const wheel = new TimingWheel(clock);
    const watched = new Noting();
    wheel.add(watched, ms);
    clock.advance(300_000);
    expect(watched.at).toEqual([at]);
  });

  test("looks again when it was asked to, round after round", () => {
    const clock = new FakeClock();
    const wheel = new TimingWheel(clock);
    const watched = new Noting(1000, 100_000, 120_000, 500, null);
    wheel.add(watched, 5000);
    clock.advance(1_000_000);
    expect(watched.at).toEqual([5000, 6000, 106_000, 226_000, 227_000]);
  });

  test("looks no more once it is stopped", () => {
    const clock = new FakeClock();
    const wheel = new TimingWheel(clock);
    const watched = new Noting();
    wheel.add(watched, 5000);
    wheel.stop();
    clock.advance(300_000);
    expect(watched.at).toEqual([]);
  });

  test("goes on with the others when one throws, which is told of it and looked at no more", () => {
    const clock = new FakeClock();
    const wheel = new TimingWheel(clock);
    const failed: unknown[] = [];
    const mistake = new Error("a mistake");
    const broken = {
      check(): number | null {
        throw mistake;
      },
      failedInside: (error: unknown) => void failed.push(error),
    };
    const watched = new Noting(1000);
    wheel.add(broken, 1000);
    wheel.add(watched, 1000);
    clock.advance(5000);
    expect(failed).toEqual([mistake]);
    expect(watched.at).toEqual([1000, 2000]);
  });

  test("tells the time to the second, and exactly", () => {
    const clock = new FakeClock();
    const wheel = new TimingWheel(clock);
    clock.advance(2700);
    expect(wheel.now).toBe(2000);
    expect(wheel.exactly()).toBe(2700);
  });

  test("does not count the time in which the process was stopped", () => {
    let now = 5000;
    let tick = () => {};
    const clock = new FakeClock();
    clock.monotonic = () => now;
    clock.every = (_ms, call) => {
      tick = call;
      return { cancel() {} };
    };
    const wheel = new TimingWheel(clock);
    now += 1000;
    tick();
    expect(wheel.now).toBe(1000);
    now += 3_600_000;
    tick();
    expect(wheel.now).toBeLessThanOrEqual(3000);
    now += 1000;
    tick();
    expect(wheel.now).toBeLessThanOrEqual(4000);
  });
});
