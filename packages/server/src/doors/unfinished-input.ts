/**
 * The message of one client that has not come whole over a WebSocket: it counts together with the bodies of requests, and has the same
 * time. Knows no protocol and no socket.
 */
import type { FanfareError } from "@fanfare/protocol";
import { type Arrival, type Arriving, tooLate } from "../wire/arriving.js";

export class UnfinishedInput {
  readonly #arriving: Arriving;
  readonly #line: string | null;
  readonly #giveUp: (error: FanfareError) => void;
  #arrival: Arrival | null = null;

  /**
   * @param line the address whose share counts
   * @param giveUp it takes too much, or too long: the client has to go
   */
  constructor(arriving: Arriving, line: string | null, giveUp: (error: FanfareError) => void) {
    this.#arriving = arriving;
    this.#line = line;
    this.#giveUp = giveUp;
  }

  /** It takes this many bytes now; 0 when all has come whole. */
  takes(bytes: number): void {
    if (bytes === 0) {
      this.end();
      return;
    }
    this.#arrival ??= this.#arriving.begin(this.#line, () => this.#giveUp(tooLate("a message")));
    const more = bytes - this.#arrival.bytes;
    if (more <= 0) return;
    try {
      this.#arriving.count(this.#arrival, more);
    } catch (error) {
      this.end();
      this.#giveUp(error as FanfareError);
    }
  }

  /** The client is gone. */
  end(): void {
    if (this.#arrival) this.#arriving.end(this.#arrival);
    this.#arrival = null;
  }
}
