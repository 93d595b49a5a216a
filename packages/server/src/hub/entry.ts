/**
 * One step of a channel's sequence, as subscribers see it: a message, a change of the state, or the announcement of a hole.
 * Holds its own frames, so that each is encoded once, whatever the number of subscribers.
 */
import type { LogEntry, Message, StateChange } from "../engine/engine.js";
import type { Encoding, Gap } from "./subscriber.js";

/** What an entry costs beside the text of its data, in bytes; roughly. */
const OVERHEAD = 400;

export class Entry {
  readonly message: Message | null;
  readonly gap: Gap | null;
  readonly state: StateChange | null;
  /** The position's offset after this entry. */
  readonly offset: number;
  /** Milliseconds since 1970; a hole is as old as it was found. */
  readonly time: number;
  /** What it may cost in memory: the data as text and as a frame. */
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
  ) {
    this.message = message;
    this.gap = gap;
    this.state = state;
    this.offset = offset;
    this.time = time;
    this.cost = OVERHEAD + 2 * ((message ?? state)?.json.length ?? 0);
  }

  static of(entry: LogEntry): Entry {
    return entry.change ? Entry.ofState(entry) : Entry.ofMessage(entry);
  }

  static ofMessage(message: Message): Entry {
    return new Entry(message, null, null, message.offset, message.time);
  }

  static ofGap(gap: Gap, time: number): Entry {
    return new Entry(null, gap, null, gap.to, time);
  }

  static ofState(change: StateChange): Entry {
    return new Entry(null, null, change, change.offset, change.time);
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
