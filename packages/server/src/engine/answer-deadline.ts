/**
 * Gives each call of an engine a time to answer. An engine that never does would hold the caller of every publish for ever. Its late
 * answers are dropped: what was asked may have been done, as when an answer gets lost on the way.
 */
import { FanfareError } from "@fanfare/protocol";
import type { Clock } from "../base/clock.js";
import type { Log } from "../base/log.js";

const TICK_MS = 1000;
const ANSWER_WITHIN_SECONDS = 5;
/** The tick that gives a call up, counted from the call. A time in which the process stood still is one tick. */
const GIVEN_UP_AT = ANSWER_WITHIN_SECONDS + 1;
/** The engine counts as silent for this long after a call was given up. */
const SILENT_MS = 10_000;

interface Waiting {
  readonly call: string;
  readonly about: string | null;
  /** The tick that gives it up. */
  readonly until: number;
  readonly fail: (error: FanfareError) => void;
}

export class AnswerDeadline {
  readonly #clock: Clock;
  readonly #log: Log;
  /** Those that were made first come first. */
  readonly #waiting = new Set<Waiting>();
  /** The subjects of calls that were given up, until the next tick. */
  readonly #refused = new Set<string>();
  #tick = 0;
  #isTicking = false;
  /** When a call was last given up, by the monotonic clock. */
  #givenUp = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Was a call given up a moment ago? */
  get isSilent(): boolean {
    return this.#clock.monotonic() - this.#givenUp < SILENT_MS;
  }

  /**
   * The answer, if it comes within 5 seconds or so. When a call is given up, others about the same fail at once for a second: callers
   * that wait for each other do not add up their times.
   *
   * @param call its name, for people
   * @param about the channel or the space that it is about; `null` for none
   * @param late hears of an answer that came too late
   * @throws FanfareError `unavailable` when it does not come in time; what it was rejected with
   */
  of<Answer>(
    call: string,
    about: string | null,
    ask: () => Promise<Answer>,
    late?: () => void,
  ): Promise<Answer> {
    if (about !== null && this.#refused.has(about)) return Promise.reject(notAnswered(call));
    return new Promise((resolve, fail) => {
      const waiting = { call, about, until: this.#tick + GIVEN_UP_AT, fail };
      this.#waiting.add(waiting);
      this.#awaitTick();
      promised(ask).then(
        (answer) => {
          if (this.#waiting.delete(waiting)) resolve(answer);
          else late?.();
        },
        (error: unknown) => {
          if (this.#waiting.delete(waiting)) fail(error);
        },
      );
    });
  }

  /** Where there is nothing to wait for, no timer waits. */
  #awaitTick(): void {
    if (this.#isTicking || (this.#waiting.size === 0 && this.#refused.size === 0)) return;
    this.#isTicking = true;
    this.#clock.after(TICK_MS, () => {
      this.#isTicking = false;
      this.#tick++;
      this.#refused.clear();
      for (const waiting of this.#waiting) {
        if (waiting.until > this.#tick) break;
        this.#giveUp(waiting);
      }
      this.#awaitTick();
    });
  }

  #giveUp(waiting: Waiting): void {
    const { call, about, fail } = waiting;
    this.#waiting.delete(waiting);
    if (about !== null) this.#refused.add(about);
    if (!this.isSilent) {
      this.#log.error(
        { call },
        `the engine does not answer: calls are given up after ${ANSWER_WITHIN_SECONDS} seconds`,
      );
    }
    this.#givenUp = this.#clock.monotonic();
    fail(notAnswered(call));
  }
}

function notAnswered(call: string): FanfareError {
  return new FanfareError(
    "unavailable",
    `the engine did not answer ${call} within ${ANSWER_WITHIN_SECONDS} seconds`,
    {
      remedy: "Try again with the same idempotency key; if it stays, look at the engine and its disk.",
      retryAfterSeconds: 1,
    },
  );
}

/** The answer of code that somebody else has written, as a promise; nothing but the promise fails. */
export function promised<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
  try {
    const answer = ask();
    return answer instanceof Promise ? answer : Promise.resolve(answer);
  } catch (error) {
    return Promise.reject(error);
  }
}
