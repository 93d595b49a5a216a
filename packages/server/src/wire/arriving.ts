/**
 * Bodies of requests and messages of WebSockets that have not come whole. The bytes of all of them together are
 * bounded, and so are the part of one address and the time of each. Knows neither bodies nor messages.
 */
import { FanfareError } from "@fanfare/protocol";
import type { Clock, Timer } from "../base/clock.js";

/** Anything that has not come whole after this time is given up. */
const ARRIVES_WITHIN_MS = 30_000;
/** One address may have this part of all. */
const SHARE_OF_ADDRESS = 1 / 4;
/** When it is tried again: by then others have come whole, or were given up. */
const RETRY_SECONDS = 5;

export interface ArrivingOptions {
  readonly clock: Clock;
  /** Bytes of all together. */
  readonly maxBytes: number;
}

/** Something on its way. They are a list in the order in which they are given up: that costs less than a timer for each. */
export class Arrival {
  previous: Arrival | null = null;
  next: Arrival | null = null;
  isListed = true;
  /** Bytes that count. */
  bytes = 0;
  readonly line: string | null;
  readonly due: number;
  readonly late: () => void;

  constructor(line: string | null, due: number, late: () => void) {
    this.line = line;
    this.due = due;
    this.late = late;
  }
}

export class Arriving {
  readonly #clock: Clock;
  readonly #maxBytes: number;
  #bytes = 0;
  readonly #ofLines = new Map<string, number>();
  #first: Arrival | null = null;
  #last: Arrival | null = null;
  #timer: Timer | null = null;

  constructor({ clock, maxBytes }: ArrivingOptions) {
    this.#clock = clock;
    this.#maxBytes = maxBytes;
  }

  /** Bytes that all of it takes. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * @param line whose share counts; `null` counts for no share
   * @param late called once, when it has not come whole in time; then it counts no longer
   */
  begin(line: string | null, late: () => void): Arrival {
    const arrival = new Arrival(line, this.#clock.monotonic() + ARRIVES_WITHIN_MS, late);
    arrival.previous = this.#last;
    if (this.#last) this.#last.next = arrival;
    else this.#first = arrival;
    this.#last = arrival;
    // It is not called off when the list is empty again: then nearly every request would cost a timer.
    this.#timer ??= this.#clock.after(ARRIVES_WITHIN_MS, () => this.#look());
    return arrival;
  }

  /** Takes this many bytes more. @throws FanfareError `rate_limited`, `unavailable` */
  count(arrival: Arrival, bytes: number): void {
    if (!arrival.isListed) return;
    const { line } = arrival;
    if (this.#bytes + bytes > this.#maxBytes) {
      throw new FanfareError(
        "unavailable",
        `what has not come whole takes ${this.#bytes} bytes, and ${this.#maxBytes} are allowed`,
        {
          retryAfterSeconds: RETRY_SECONDS,
          remedy: "Try again with the same idempotency key; if it stays, raise `limits.bodyBytes`.",
        },
      );
    }
    if (line !== null) {
      const ofLine = (this.#ofLines.get(line) ?? 0) + bytes;
      if (ofLine > this.#maxBytes * SHARE_OF_ADDRESS) {
        throw new FanfareError(
          "rate_limited",
          "this address has too much on its way that has not come whole",
          {
            retryAfterSeconds: RETRY_SECONDS,
            remedy: "Send less at the same time, and each body or message at once.",
          },
        );
      }
      this.#ofLines.set(line, ofLine);
    }
    this.#bytes += bytes;
    arrival.bytes += bytes;
  }

  /** Its bytes count no longer; its time does. */
  giveBack(arrival: Arrival): void {
    const { line, bytes } = arrival;
    if (bytes === 0) return;
    arrival.bytes = 0;
    this.#bytes -= bytes;
    if (line === null) return;
    const left = (this.#ofLines.get(line) ?? 0) - bytes;
    if (left > 0) this.#ofLines.set(line, left);
    else this.#ofLines.delete(line);
  }

  /** It has come whole, or is not wanted any more. */
  end(arrival: Arrival): void {
    this.giveBack(arrival);
    if (!arrival.isListed) return;
    arrival.isListed = false;
    const { previous, next } = arrival;
    if (previous) previous.next = next;
    else this.#first = next;
    if (next) next.previous = previous;
    else this.#last = previous;
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #look(): void {
    this.#timer = null;
    const now = this.#clock.monotonic();
    while (this.#first && this.#first.due <= now) {
      const arrival = this.#first;
      this.end(arrival);
      arrival.late();
    }
    if (this.#first) this.#timer = this.#clock.after(Math.max(1, this.#first.due - now), () => this.#look());
  }
}

/** @param what has not come whole, such as "the body" */
export function tooLate(what: string): FanfareError {
  const seconds = ARRIVES_WITHIN_MS / 1000;
  return new FanfareError("request_timeout", `${what} did not come whole within ${seconds} seconds`);
}
