/**
 * One channel's log in memory: the newest messages, with offsets that follow each other without a hole up to the head.
 * Knows how to append, to drop from its front and to read; not who listens, nor how much all logs together may hold.
 */
import type { ChannelName, Epoch } from "@fanfare/protocol";
import { COSTS } from "../../base/costs.js";
import type { AnyDraft, LogEntry, ReadLimit, Retention } from "../engine.js";
import { entryOf } from "../entries.js";
import type { Linked, OwnList } from "../per-owner.js";

/** Where a log stands; all that is left of one that has become a stub, and enough to go on from. */
export interface LogStand {
  readonly epoch: Epoch;
  /** The offset of the newest message ever appended; 0 when there was none. */
  readonly head: number;
  /** The time of the newest message ever appended, in milliseconds since 1970; 0 when there was none. */
  readonly time: number;
  /** True when it took the place of an earlier log of the channel that somebody had started over. */
  readonly startedOver: boolean;
}

export class MemoryLog implements LogStand, Linked<MemoryLog> {
  list: OwnList<MemoryLog> | null = null;
  older: MemoryLog | null = null;
  newer: MemoryLog | null = null;
  readonly epoch: Epoch;
  readonly startedOver: boolean;
  #head: number;
  #time: number;
  #bytes = 0;
  #retention: Retention = { messages: 0, ageMs: 0 };
  /** Messages from `#start` on; what lies before has been dropped and waits for the array to be moved up. */
  readonly #messages: (LogEntry | undefined)[] = [];
  /** When each was appended, by the monotonic clock: the age of a message must not jump with the machine's clock. */
  readonly #appendedAt: number[] = [];
  #start = 0;

  constructor(stand: LogStand) {
    this.epoch = stand.epoch;
    this.startedOver = stand.startedOver;
    this.#head = stand.head;
    this.#time = stand.time;
  }

  get head(): number {
    return this.#head;
  }
  get time(): number {
    return this.#time;
  }
  /** How many messages are held. */
  get count(): number {
    return this.#messages.length - this.#start;
  }
  /** Places in its arrays, those of dropped messages included: at most twice as many as it holds, and one. */
  get places(): number {
    return Math.max(this.#messages.length, this.#appendedAt.length);
  }
  /** The offset of the oldest message that is held; `head + 1` when none is. */
  get first(): number {
    return this.#head - this.count + 1;
  }
  /** Roughly the bytes of memory that the messages take. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Appends, and holds on to everything until {@link trim} is called, so that it can be announced first.
   *
   * @param now milliseconds since 1970
   * @param at milliseconds of the monotonic clock
   */
  append(channel: ChannelName, draft: AnyDraft, retention: Retention, now: number, at: number): LogEntry {
    this.#head += 1;
    this.#time = Math.max(this.#time, now);
    this.#retention = retention;
    const entry = entryOf(channel, this.epoch, this.#head, this.#time, draft);
    this.#messages.push(entry);
    this.#appendedAt.push(at);
    this.#bytes += costOf(entry);
    return entry;
  }

  /** Drops what the retention given last does not hold on to at this moment of the monotonic clock. */
  trim(at: number): void {
    const { messages, ageMs } = this.#retention;
    while (this.count > messages) this.dropOldest();
    while (this.count > 0 && at - (this.#appendedAt[this.#start] ?? at) > ageMs) this.dropOldest();
  }

  /** Constant time, amortised: the arrays are moved up only when at least half of them is empty. */
  dropOldest(): void {
    const message = this.#messages[this.#start];
    if (message === undefined) return;
    this.#bytes -= costOf(message);
    this.#messages[this.#start] = undefined;
    this.#start += 1;
    if (this.#start * 2 < this.#messages.length) return;
    this.#messages.splice(0, this.#start);
    this.#appendedAt.splice(0, this.#start);
    this.#start = 0;
  }

  clear(): void {
    this.#messages.length = 0;
    this.#appendedAt.length = 0;
    this.#start = 0;
    this.#bytes = 0;
  }

  /** The messages from this offset on, or from the oldest held, as far as the limit goes. */
  from(offset: number, limit: ReadLimit): LogEntry[] {
    const found: LogEntry[] = [];
    let bytes = 0;
    let index = this.#start + Math.max(0, offset - this.first);
    while (found.length < limit.messages) {
      const message = this.#messages[index++];
      if (message === undefined) break;
      bytes += message.json.length;
      if (bytes > limit.bytes && found.length > 0) break;
      found.push(message);
    }
    return found;
  }
}

function costOf(entry: LogEntry): number {
  const own = COSTS.message + entry.json.length + costOfText(entry.id);
  return entry.change ? own : own + costOfText(entry.user) + costOfText(entry.except);
}

function costOfText(text: string | undefined): number {
  return text === undefined ? 0 : COSTS.text + text.length;
}
