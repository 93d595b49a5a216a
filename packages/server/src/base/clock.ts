/** Time and randomness come in from outside, so that tests neither sleep nor flake. */
import { randomBytes } from "node:crypto";

/** A timer that can be called off. */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since 1970; may jump when somebody sets the machine's clock. */
  now(): number;
  /** Milliseconds since some moment; never goes back. For durations. */
  monotonic(): number;
  /** Calls once, after this many milliseconds. Does not keep the process alive. */
  after(ms: number, call: () => void): Timer;
  /** Calls again and again, every this many milliseconds. Does not keep the process alive. */
  every(ms: number, call: () => void): Timer;
  /** Calls at the end of this turn of the event loop. */
  endOfTurn(call: () => void): void;
}

export interface Random {
  /** This many bytes that cannot be guessed. */
  bytes(count: number): Uint8Array;
  /** A number from 0 up to, not including, 1. */
  fraction(): number;
}

/** Timers of Node cannot wait for longer, and would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: Date.now,
  monotonic: () => performance.now(),
  after(ms, call) {
    const timer = setTimeout(call, Math.min(ms, MAX_TIMER_MS)).unref();
    return { cancel: () => clearTimeout(timer) };
  },
  every(ms, call) {
    const timer = setInterval(call, ms).unref();
    return { cancel: () => clearInterval(timer) };
  },
  endOfTurn: (call) => void setImmediate(call),
};

/** Asking the system for many bytes costs little more than for few, and every connection needs some. */
const POOL_BYTES = 4096;
let pool = Buffer.alloc(0);
let used = 0;

export const systemRandom: Random = {
  bytes(count) {
    if (count > POOL_BYTES) return randomBytes(count);
    if (used + count > pool.length) {
      pool = randomBytes(POOL_BYTES);
      used = 0;
    }
    // Copied, and wiped here: no byte is ever given twice.
    const bytes = new Uint8Array(pool.subarray(used, used + count));
    pool.fill(0, used, used + count);
    used += count;
    return bytes;
  },
  fraction: Math.random,
};
