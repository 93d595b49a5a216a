/**
 * The part of a channel's log that this node holds in memory: the newest entries, in order. Places in it are *sequence
 * numbers*, which only ever grow, also when the log's epoch changes. Knows nothing of engines or subscribers.
 */
import type { ChannelName, Epoch, Position } from "@fanfare/protocol";
import type { Retention } from "../../engine/engine.js";
import type { Gap } from "../terms/subscriber.js";
import { Entry } from "./entry.js";

export class Window {
  readonly channel: ChannelName;
  #epoch: Epoch;
  #head: number;
  /** Cursors below this offset reach further back than the window. */
  #floor: number;
  /** No hole lies beyond this offset. */
  #solid: number;
  #entries: (Entry | undefined)[] = [];
  /** Entries before this index are gone; the array is compacted now and then. */
  #start = 0;
  /** The sequence number of `#entries[0]`, gone or not. */
  #base = 0;
  #cost = 0;
  /** The sequence number of the gap with which the epoch began, if it began here. */
  #beginning = -1;

  /** Where the epoch before ended, if the log went on from there. */
  #earlier: Position | null = null;

  constructor(channel: ChannelName, position: Position) {
    this.channel = channel;
    this.#epoch = position.epoch;
    this.#head = position.offset;
    this.#floor = position.offset;
    this.#solid = position.offset;
  }

  get epoch(): Epoch {
    return this.#epoch;
  }
  /** The offset of the newest entry. */
  get head(): number {
    return this.#head;
  }
  /** The sequence number of the oldest entry. */
  get first(): number {
    return this.#base + this.#start;
  }
  /** The sequence number that the next entry will get. */
  get end(): number {
    return this.#base + this.#entries.length;
  }
  /** The sequence number of the gap with which the epoch began; `null` when the window does not hold it. */
  get beginning(): number | null {
    return this.#beginning >= this.first ? this.#beginning : null;
  }
  /** Does a cursor in the epoch before still have entries of it to come, which the window does not hold? */
  hasEarlier({ epoch, offset }: Position): boolean {
    return this.#earlier?.epoch === epoch && offset < this.#earlier.offset;
  }

  /** Bytes of memory that the entries take, roughly. */
  get cost(): number {
    return this.#cost;
  }

  /** Places in its array, those of entries that are gone included: at most 32 more than twice as many as it holds. */
  get places(): number {
    return this.#entries.length;
  }

  /** The entry with this sequence number, which must lie from `first` up to, not including, `end`. */
  at(sequence: number): Entry {
    const entry = this.#entries[sequence - this.#base];
    if (!entry) throw new RangeError(`no entry ${sequence} from ${this.first} to ${this.end}`);
    return entry;
  }

  /** The entries from one sequence number up to, not including, another. */
  slice(from: number, to: number): Entry[] {
    const entries: Entry[] = [];
    for (let sequence = from; sequence < to; sequence++) entries.push(this.at(sequence));
    return entries;
  }

  push(entry: Entry): void {
    this.#entries.push(entry);
    this.#head = entry.offset;
    this.#cost += entry.cost;
    if (entry.gap) this.#solid = entry.offset;
  }

  /**
   * The log started over: what is here belongs to the log that is gone, and the gap says so.
   *
   * @param wentOn the engine may still have entries of the earlier epoch
   */
  startOver(gap: Gap, time: number, wentOn = false): void {
    this.#earlier = wentOn ? { epoch: this.#epoch, offset: this.#head } : null;
    this.dropBefore(this.end);
    this.#epoch = gap.epoch;
    this.#floor = gap.to;
    this.#beginning = this.end;
    this.push(Entry.ofGap(gap, time));
  }

  /** Does the window hold everything after this position, without a hole? */
  covers(position: Position): boolean {
    return (
      position.epoch === this.#epoch &&
      position.offset >= Math.max(this.#floor, this.#solid) &&
      position.offset <= this.#head
    );
  }

  /**
   * The sequence number of the first entry after this position; `null` when that lies outside the window, or within
   * a hole: a cursor there has seen something that the window has not.
   */
  seek(position: Position): number | null {
    const { epoch, offset } = position;
    if (epoch !== this.#epoch || offset < this.#floor || offset > this.#head) return null;
    let low = this.#start;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#entries[middle]?.offset ?? 0) > offset) high = middle;
      else low = middle + 1;
    }
    const gap = this.#entries[low]?.gap;
    return gap && gap.from <= offset ? null : this.#base + low;
  }

  /** Lets go of what the retention no longer keeps, but of nothing from `keepFrom` (a sequence number) on. */
  trim(retention: Retention, now: number, keepFrom: number): void {
    let until = Math.max(this.first, this.end - retention.messages);
    const tooOld = now - retention.ageMs;
    while (until < this.end && this.at(until).time <= tooOld) until++;
    this.dropBefore(Math.min(until, keepFrom));
  }

  /** Lets go of all entries before this sequence number. */
  dropBefore(sequence: number): void {
    const start = Math.min(sequence, this.end) - this.#base;
    while (this.#start < start) {
      const entry = this.at(this.#base + this.#start);
      this.#entries[this.#start++] = undefined;
      this.#cost -= entry.cost;
      this.#floor = entry.offset;
    }
    if (this.#start > 32 && this.#start * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#start);
      this.#base += this.#start;
      this.#start = 0;
    }
  }
}
