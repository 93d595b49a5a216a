/** The network between a hostile engine and the engine behind: calls go through it, and so does what is announced. */
import { FanfareError } from "@fanfare/protocol";
import type { Clock, Timer } from "../../base/clock.js";

export interface HostileEngineOptions {
  readonly clock: Clock;
  /** A number from 0 up to, not including, 1; decides everything, so that a seed can repeat a run. */
  readonly random: () => number;
  /** The longest delay of an announcement or a signal, in milliseconds. Delays differ, so order gets lost as well. @default 0 */
  readonly delayMs?: number;
  /** How probable it is that an announcement or a signal comes twice, 0 to 1. @default 0 */
  readonly duplicate?: number;
  /** How probable it is that an announcement or a signal does not come, 0 to 1. @default 0 */
  readonly drop?: number;
  /** How probable it is that a log that starts over goes on from the earlier epoch, of which it holds a rest, 0 to 1. @default 0 */
  readonly hold?: number;
  /** How probable it is that such a rest is forgotten when somebody reads it, 0 to 1. @default 0 */
  readonly forget?: number;
  /** How probable it is that append, state, read, heads, list or listen fails, 0 to 1. @default 0 */
  readonly fail?: number;
}

/** Somebody who hears something, as long as he listens. */
export interface Hearing {
  readonly listening: boolean;
}

export class HostileNetwork {
  readonly #clock: Clock;
  readonly #random: () => number;
  #delayMs: number;
  #duplicate: number;
  #drop: number;
  #fail: number;
  /** When the connection broke; `null` while it stands. */
  #deafSince: number | null = null;
  readonly #underWay = new Map<() => void, Timer>();

  constructor({ clock, random, delayMs = 0, duplicate = 0, drop = 0, fail = 0 }: HostileEngineOptions) {
    this.#clock = clock;
    this.#random = random;
    this.#delayMs = delayMs;
    this.#duplicate = duplicate;
    this.#drop = drop;
    this.#fail = fail;
  }

  /** Every call fails from now on, and announcements are lost, those under way included. */
  disconnect(): void {
    this.#deafSince ??= this.#clock.now();
  }

  /** Calls work again. Answers since when announcements were lost; `null` where the connection stood. */
  reconnect(): number | null {
    const since = this.#deafSince;
    this.#deafSince = null;
    return since;
  }

  /** From now on nothing is dropped, doubled, delayed or failed, and what is under way arrives at once. */
  calm(): void {
    this.#delayMs = 0;
    this.#duplicate = 0;
    this.#drop = 0;
    this.#fail = 0;
    for (const [arrive, timer] of [...this.#underWay]) {
      timer.cancel();
      arrive();
    }
  }

  close(): void {
    for (const timer of this.#underWay.values()) timer.cancel();
    this.#underWay.clear();
  }

  announce(ear: Hearing, announcement: () => void): void {
    if (this.#deafSince !== null || this.happens(this.#drop)) return;
    const copies = this.happens(this.#duplicate) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) this.#deliver(ear, announcement);
  }

  #deliver(ear: Hearing, announcement: () => void): void {
    const arrive = () => {
      this.#underWay.delete(arrive);
      if (ear.listening && this.#deafSince === null) announcement();
    };
    if (this.#delayMs === 0) arrive();
    else this.#underWay.set(arrive, this.#clock.after(this.#random() * this.#delayMs, arrive));
  }

  /** A call to the engine behind. When the connection breaks before the answer is here, the answer is lost. */
  async call<Answer>(call: () => Promise<Answer>): Promise<Answer> {
    if (this.#deafSince !== null) throw unavailable("the connection is broken");
    const answer = await call();
    if (this.#deafSince !== null) throw unavailable("the connection broke");
    return answer;
  }

  async reading<Answer>(call: () => Promise<Answer>): Promise<Answer> {
    this.mayFail();
    return await this.call(call);
  }

  /** A call whose failure does not tell whether it changed something. */
  async changing<Answer>(call: () => Promise<Answer>): Promise<Answer> {
    const fails = this.happens(this.#fail);
    if (fails && this.happens(0.5)) throw unavailable("the call got lost");
    const answer = await this.call(call);
    if (fails) throw unavailable("the answer got lost");
    return answer;
  }

  mayFail(): void {
    if (this.happens(this.#fail)) throw unavailable("the call got lost");
  }

  happens(probability: number): boolean {
    return probability > 0 && this.#random() < probability;
  }
}

function unavailable(why: string): FanfareError {
  return new FanfareError("unavailable", `the engine cannot be reached: ${why}`);
}
