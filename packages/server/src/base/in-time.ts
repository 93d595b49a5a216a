/** Waits for something that may never come. */
import type { Clock } from "./clock.js";

/**
 * Waits for a promise, for this time at most.
 *
 * @returns whether it was settled in time; a rejection in time is thrown, a later one is dropped
 */
export async function inTime(clock: Clock, ms: number, promise: Promise<unknown>): Promise<boolean> {
  let late = () => {};
  const tooLate = new Promise<boolean>((resolve) => {
    late = () => resolve(false);
  });
  const timer = clock.after(ms, late);
  try {
    return await Promise.race([promise.then(() => true), tooLate]);
  } finally {
    timer.cancel();
  }
}
