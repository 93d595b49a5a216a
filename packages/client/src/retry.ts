/**
 * When to ask again for what was refused for a while: one timer for all of it, so that it travels together, and later each time. Knows
 * nothing of what was refused.
 */

import type { ClientError } from "./client-error.js";
import type { ClientClock } from "./client-options.js";
import { waitMs } from "./machine.js";

/** The first wait, and the longest; between half as long again at random, so that pages do not come back together. */
const FIRST_MS = 1000;
const MAX_MS = 30_000;
/** After this long without a refusal the waits begin anew. */
const FORGOTTEN_MS = 60_000;

export class Retry {
  readonly #host: { readonly clock: ClientClock; readonly random: () => number };
  readonly #call: () => void;
  #cancel: (() => void) | null = null;
  /** When the timer fires, and how often in a row it was needed. */
  #at = 0;
  #rounds = 0;
  /** The codes that the page was told of since the waits began. */
  readonly #told = new Set<string>();

  constructor(host: { readonly clock: ClientClock; readonly random: () => number }, call: () => void) {
    this.#host = host;
    this.#call = call;
  }

  /**
   * Calls in time after this refusal. Those of one round share the timer.
   *
   * @returns whether it is the first of its code since the waits began
   */
  after({ code, retryAfterSeconds }: ClientError): boolean {
    const { clock, random } = this.#host;
    const now = clock.now();
    if (!this.#cancel) {
      if (now - this.#at > FORGOTTEN_MS) {
        this.#rounds = 0;
        this.#told.clear();
      }
      this.#rounds++;
    }
    const backOffMs = Math.min(MAX_MS, FIRST_MS * 2 ** (this.#rounds - 1));
    const ms = Math.max(backOffMs, retryAfterSeconds === undefined ? 0 : waitMs(retryAfterSeconds));
    if (!this.#cancel || now + ms > this.#at) {
      this.cancel();
      const jitteredMs = Math.round(ms * (1 + random() / 2));
      this.#at = now + jitteredMs;
      this.#cancel = clock.after(jitteredMs, () => {
        this.#cancel = null;
        this.#call();
      });
    }
    const isNew = !this.#told.has(code);
    this.#told.add(code);
    return isNew;
  }

  cancel(): void {
    this.#cancel?.();
    this.#cancel = null;
  }
}
