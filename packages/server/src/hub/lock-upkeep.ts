/**
 * Walks over all locks now and then, a few at a time: finds those whose node is gone, so that somebody writes down when their leases
 * end, and takes away the records of those that nobody has held for long.
 */
import type { ChannelName } from "@fanfare/protocol";
import type { Timer } from "../clock.js";
import type { Hub } from "./hub.js";
import { changeTo, type HeldRecord, heldAt, KEPT_FREE_MS, recordOf } from "./lock-record.js";

const EVERY_MS = 600_000;
/** What is looked at in one round; the next one goes on there. */
const PAGES_PER_ROUND = 10;
const PAGE = 1000;
/** The names of locks come first in a list of all channels. */
const PREFIX = "$lock:";

export class LockUpkeep {
  readonly #hub: Hub;
  readonly #held: (channel: ChannelName, record: HeldRecord) => void;
  readonly #timer: Timer;
  /** Where the next round goes on; `null` is the beginning. */
  #after: ChannelName | null = null;
  #closed = false;
  #walking = false;

  /** @param held hears of each lock that is held, or was until its lease ended */
  constructor(hub: Hub, held: (channel: ChannelName, record: HeldRecord) => void) {
    this.#hub = hub;
    this.#held = held;
    this.#timer = hub.clock.every(EVERY_MS, () => void this.walk());
    void this.walk();
  }

  /** One round. An engine that cannot be reached is asked again in the next. */
  async walk(): Promise<void> {
    if (this.#walking) return;
    this.#walking = true;
    try {
      for (let page = 0; page < PAGES_PER_ROUND; page++) if (!(await this.#page())) break;
    } catch {
      this.#after = null;
    }
    this.#walking = false;
  }

  close(): void {
    this.#closed = true;
    this.#timer.cancel();
  }

  /** False when there are no more. */
  async #page(): Promise<boolean> {
    const listed = await this.#hub.engine.list(this.#after, PAGE);
    const locks = listed.filter(({ channel }) => channel.startsWith(PREFIX));
    for (const { channel } of locks) {
      if (this.#closed) return false;
      await this.#look(channel);
    }
    this.#after = locks.length === PAGE ? (locks.at(-1)?.channel ?? null) : null;
    return this.#after !== null;
  }

  async #look(channel: ChannelName): Promise<void> {
    const { clock, engine } = this.#hub;
    const record = recordOf(await engine.state(channel));
    if (!record) return;
    // Also where its lease has ended: nobody may have written that down.
    const held = heldAt(record, Number.NEGATIVE_INFINITY);
    if (held) {
      this.#held(channel, held);
      return;
    }
    const isOld = (freed: number | undefined) => (freed ?? 0) + KEPT_FREE_MS <= clock.now();
    if (!isOld(record.freed)) return;
    await this.#hub.updateState(channel, (present) => {
      const latest = recordOf(present);
      return latest && !latest.holder && isOld(latest.freed) ? changeTo(null) : null;
    });
  }
}
