/**
 * Walks over all locks now and then, a few at a time: finds those whose node is gone, so that somebody writes down when their leases
 * end, and takes away the records of those that have been free for long.
 */
import type { ChannelName, LockRecord } from "@fanfare/protocol";
import type { Timer } from "../base/clock.js";
import { changeTo, type HeldRecord, heldAt, KEPT_FREE_MS, recordOf } from "./lock-record.js";
import type { RecordsHost } from "./records-host.js";

const EVERY_MS = 600_000;
/** The most records of one round; the next one goes on there. */
const PAGES_PER_ROUND = 10;
const PAGE = 1000;
/** The names of locks come first in a list of all channels. */
const PREFIX = "$lock:";

export class LockUpkeep {
  readonly #host: RecordsHost;
  readonly #held: (channel: ChannelName, record: HeldRecord, time: number) => void;
  readonly #timer: Timer;
  /** Where the next round goes on; `null` is the beginning. */
  #after: ChannelName | null = null;
  #closed = false;
  #walking = false;

  /** @param held hears of each lock that is held, or was until its lease ended, and of the engine's time */
  constructor(host: RecordsHost, held: (channel: ChannelName, record: HeldRecord, time: number) => void) {
    this.#host = host;
    this.#held = held;
    this.#timer = host.clock.every(EVERY_MS, () => this.#begin());
    this.#begin();
  }

  #begin(): void {
    this.#host.failures.inBackground("looking after locks", () => this.walk());
  }

  /** One round. An engine that cannot be reached is asked again in the next. */
  async walk(): Promise<void> {
    if (this.#walking) return;
    this.#walking = true;
    try {
      for (let page = 0; page < PAGES_PER_ROUND; page++) if (!(await this.#page())) break;
    } catch (error) {
      this.#after = null;
      this.#host.failures.goesOn("looking after locks", error);
    } finally {
      this.#walking = false;
    }
  }

  close(): void {
    this.#closed = true;
    this.#timer.cancel();
  }

  /** False when there are no more. */
  async #page(): Promise<boolean> {
    const listed = await this.#host.engine.logs.list(this.#after, PAGE);
    const locks = listed.filter(({ channel }) => channel.startsWith(PREFIX));
    for (const { channel } of locks) {
      if (this.#closed) return false;
      await this.#look(channel);
    }
    this.#after = locks.length === PAGE ? (locks.at(-1)?.channel ?? null) : null;
    return this.#after !== null;
  }

  async #look(channel: ChannelName): Promise<void> {
    const state = await this.#host.engine.logs.state(channel);
    const record = recordOf(state);
    if (!record) return;
    // Also where its lease has ended: no node may have written that down.
    const held = heldAt(record, Number.NEGATIVE_INFINITY);
    if (held) {
      this.#held(channel, held, state.time);
      return;
    }
    if (!isOld(record, state.time)) return;
    await this.#host.updateState(channel, (present, now) => {
      const latest = recordOf(present);
      return latest && !latest.holder && isOld(latest, now) ? changeTo(null) : null;
    });
  }
}

/** Has the lock been free for long enough that its record can go? */
function isOld({ freed = 0 }: LockRecord, now: number): boolean {
  return freed + KEPT_FREE_MS <= now;
}
