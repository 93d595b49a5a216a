/**
 * One step of a channel's sequence, as subscribers see it: a message, or the announcement of a hole. Holds its own
 * frames, so that each is encoded once, whatever the number of subscribers.
 */
import type { Message } from "../engine/engine.js";
import type { Encoding, Gap } from "./subscriber.js";

/** What an entry costs beside the text of its data, in bytes; roughly. */
const OVERHEAD = 400;

export class Entry {
  readonly message: Message | null;
  readonly gap: Gap | null;
  /** The position's offset after this entry. */
  readonly offset: number;
  /** Milliseconds since 1970; a hole is as old as it was found. */
  readonly time: number;
  /** What it may cost in memory: the data as text and as a frame. */
  readonly cost: number;
  #encoding: Encoding | null = null;
  #frame: Uint8Array | null = null;
  #others: Map<Encoding, Uint8Array> | null = null;

  private constructor(message: Message | null, gap: Gap | null, offset: number, time: number) {
    this.message = message;
    this.gap = gap;
    this.offset = offset;
    this.time = time;
    this.cost = OVERHEAD + 2 * (message?.json.length ?? 0);
  }

  static ofMessage(message: Message): Entry {
    return new Entry(message, null, message.offset, message.time);
  }

  static ofGap(gap: Gap, time: number): Entry {
    return new Entry(null, gap, gap.to, time);
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
    if (this.gap) return encoding.gap(this.gap);
    throw new TypeError("an entry is a message or a gap");
  }
}
