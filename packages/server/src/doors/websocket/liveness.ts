/**
 * Signs of life of one connection, and when their absence means that it is dead; see PROTOCOL.md, section 7. Knows times and
 * byte counts, no socket. Times are those of the wheel, in milliseconds.
 */
import type { Random } from "../../base/clock.js";
import type { TimingWheel } from "../../base/timing-wheel.js";

const PING_EVERY_MS = 25_000;
const DEAD_AFTER_MS = 40_000;
/** The same while the client cannot answer, because it does not take what waits for it or we do not read from it. */
const STUCK_AFTER_MS = 300_000;

/** The next step. */
export interface Verdict {
  /** It is dead; for this long there was no sign of life. */
  readonly deadForMs: number | null;
  /** It is to be asked for a sign of life. Not while it is stuck: it would only have more to take. */
  readonly ping: boolean;
  /** A ping was due, whether it made sense or not. */
  readonly due: boolean;
  /** When to look again. */
  readonly lookAt: number;
}

export class Liveness {
  protected readonly wheel: TimingWheel;
  readonly #random: Random;
  #heard: number;
  /** When the socket last took something, or had nothing to take. */
  #accepted: number;
  #nextPing: number;
  #waitingAtLook = 0;
  #wasStuck = false;

  constructor(wheel: TimingWheel, random: Random) {
    this.wheel = wheel;
    this.#random = random;
    this.#heard = wheel.now;
    this.#accepted = wheel.now;
    this.#nextPing = this.#pingAfter(wheel.now);
  }

  /** Bytes came. */
  heard(): void {
    this.#heard = this.wheel.now;
  }

  /** The socket takes what it is given, or has just begun not to. */
  accepted(): void {
    this.#accepted = this.wheel.now;
  }

  /**
   * @param waitingBytes what the socket has not taken yet
   * @param reading whether anything the client sends would be noticed
   */
  look(now: number, waitingBytes: number, reading: boolean): Verdict {
    if (waitingBytes < this.#waitingAtLook) this.#accepted = now;
    this.#waitingAtLook = waitingBytes;
    const stuck = !reading || waitingBytes > 0;
    // While it was stuck it was not asked for a sign of life, and had no way to give one.
    if (this.#wasStuck && !stuck) this.#heard = Math.max(this.#heard, this.#accepted);
    this.#wasStuck = stuck;
    const lastSign = stuck ? this.#accepted : this.#heard;
    const deadAt = lastSign + (stuck ? STUCK_AFTER_MS : DEAD_AFTER_MS);
    const due = now >= this.#nextPing;
    if (due) this.#nextPing = this.#pingAfter(now);
    return {
      deadForMs: now >= deadAt ? now - lastSign : null,
      ping: due && !stuck,
      due,
      lookAt: Math.min(deadAt, this.#nextPing),
    };
  }

  /** Spread, so that clients which came together are not pinged together for ever. */
  #pingAfter(now: number): number {
    return now + Math.round(PING_EVERY_MS * (0.9 + 0.2 * this.#random.fraction()));
  }
}
