/**
 * One step of a channel's sequence, as subscribers see it: a message, a change of the state, or the announcement of a hole.
 * Holds its own frames, so that each is encoded once, whatever the number of subscribers.
 */
import { COSTS } from "../../base/costs.js";
import type { LogEntry, Message, StateChange } from "../../engine/engine.js";
import type { Encoding, Gap } from "../terms/subscriber.js";

export class Entry {
  readonly message: Message | null;
  readonly gap: Gap | null;
  readonly state: StateChange | null;
  /** The position's offset after this entry. */
  readonly offset: number;
  /** Milliseconds since 1970; a hole is as old as it was found. */
  readonly time: number;
  /** Bytes that it costs in memory, its frame included, and its message where no other place keeps that. */
  readonly cost: number;
  #encoding: Encoding | null = null;
  #frame: Uint8Array | null = null;
  #others: Map<Encoding, Uint8Array> | null = null;

  private constructor(
    message: Message | null,
    gap: Gap | null,
    state: StateChange | null,
    offset: number,
    time: number,
    isShared: boolean,
  ) {
    this.message = message;
    this.gap = gap;
    this.state = state;
    this.offset = offset;
    this.time = time;
    const length = (message ?? state)?.json.length ?? 0;
    this.cost = COSTS.windowEntry + length + (isShared ? 0 : COSTS.message + length);
  }

  /** @param isShared a log in this process keeps the same object */
  static of(entry: LogEntry, isShared = false): Entry {
    return entry.change ? Entry.ofState(entry, isShared) : Entry.ofMessage(entry, isShared);
  }

  static ofMessage(message: Message, isShared = false): Entry {
    return new Entry(message, null, null, message.offset, message.time, isShared);
  }

  static ofGap(gap: Gap, time: number): Entry {
    return new Entry(null, gap, null, gap.to, time, false);
  }

  static ofState(change: StateChange, isShared = false): Entry {
    return new Entry(null, null, change, change.offset, change.time, isShared);
  }

  frame(encoding: Encoding): Uint8Array {
    if (this.#encoding === encoding && this.#frame) return this.#frame;
    if (!this.#frame) {
      this.#encoding = encoding;
      this.#frame = this.#encode(encoding);
      return this.#frame;
    }
    this.#others ??= new Map();
    let frame = this.#others.get(encoding);
    if (!frame) {
      frame = this.#encode(encoding);
      this.#others.set(encoding, frame);
    }
    return frame;
  }

  #encode(encoding: Encoding): Uint8Array {
    if (this.message) return encoding.message(this.message);
    if (this.state) return encoding.state(this.state);
    if (this.gap) return encoding.gap(this.gap);
    throw new TypeError("an entry is a message, a change of the state or a gap");
  }
}
