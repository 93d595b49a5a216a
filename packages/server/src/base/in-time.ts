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

/**
 * The answer of something that may never answer.
 *
 * @throws Error when it takes longer than this; what it was rejected with
 */
export async function answeredWithin<Answer>(
  clock: Clock,
  ms: number,
  asked: Promise<Answer>,
): Promise<Answer> {
  if (await inTime(clock, ms, asked)) return await asked;
  throw new Error(`there was no answer within ${ms / 1000} seconds`);
}
