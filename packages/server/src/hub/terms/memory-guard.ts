/**
 * Keeps the process within its memory. It compares what is counted with what the heap really holds: near the limit logs and windows
 * shrink, then publishers and newcomers are refused, until there is room again. Knows neither V8 nor what it is that shrinks.
 */
import { FanfareError } from "@fanfare/protocol";
import type { Clock } from "../../base/clock.js";
import type { Failures } from "../../base/failures.js";

/** The room for objects on the heap, and for buffers outside of it, in bytes. */
export interface MemoryRoom {
  readonly heapBytes: number;
  readonly outsideBytes: number;
}

/** Asks for the memory of this process. */
export interface MemoryMeter {
  /** Bytes of objects on the heap, those included that could be collected, and of buffers outside of it. */
  read(): { readonly heapBytes: number; readonly outsideBytes: number };
  /** Calls with the bytes on the heap after each full collection, until the answer is called. */
  onCollected(listener: (heapBytes: number) => void): () => void;
}

/** The holders of memory. */
export interface MemoryHolder {
  readonly failures: Failures;
  /** Bytes of the heap that all of it takes, as far as it is counted. */
  countedBytes(): number;
  /** Those of logs and windows, which can be let go of. */
  looseBytes(): number;
  /** Lets go of logs and windows until they have this many bytes, and keeps them there. */
  keepLoose(bytes: number): void;
  /** There is no room any more, or there is room again. */
  fullChanged(full: boolean, reading: MemoryReading): void;
}

/** The figures that the guard goes by, in bytes. */
export interface MemoryReading {
  /** The bytes alive on the heap, as well as one can tell without collecting. */
  readonly heapBytes: number;
  readonly outsideBytes: number;
}

/** The memory that a hub may use, and how it asks for it. */
export interface WatchedMemory {
  readonly meter: MemoryMeter;
  readonly room: MemoryRoom;
}

/** Nothing is watched: for a hub whose memory is somebody else's matter. */
export const UNWATCHED: WatchedMemory = {
  meter: { read: () => ({ heapBytes: 0, outsideBytes: 0 }), onCollected: () => () => {} },
  room: { heapBytes: Number.POSITIVE_INFINITY, outsideBytes: Number.POSITIVE_INFINITY },
};

/** The calls that are refused while there is no room. */
export type RefusedForMemory = "publishes" | "subscriptions" | "connections";

/** The part of the heap that may be full before logs and windows shrink: V8 needs room to collect. */
export const SHRINK_ABOVE = 0.6;
/** The part of the room from which on nothing new is let in: V8 gives up when four fifths live. */
const REFUSE_ABOVE = 0.7;
const AGAIN_BELOW = 0.65;
/** The same for what lies outside of the heap, where nothing has to be collected. */
const OUTSIDE_REFUSE_ABOVE = 0.9;
const OUTSIDE_AGAIN_BELOW = 0.8;
/** After this long without a full collection, less and less is believed of what it said: an idle process does not collect. */
const STALE_AFTER_MS = 10_000;
const STALE_FACTOR = 0.95;
const RETRY_SECONDS = 5;

export class MemoryGuard {
  readonly room: MemoryRoom;
  /** Since it began. */
  readonly refused: Record<RefusedForMemory, number> = { publishes: 0, subscriptions: 0, connections: 0 };
  readonly #meter: MemoryMeter;
  readonly #clock: Clock;
  readonly #holder: MemoryHolder;
  readonly #stopListening: () => void;
  /** The rest of the heap beside all that is counted: the program, and the error of counting. May be negative. */
  #uncounted: number;
  #collectedAt: number;
  #full = false;

  constructor({ meter, room }: WatchedMemory, clock: Clock, holder: MemoryHolder) {
    this.room = room;
    this.#meter = meter;
    this.#clock = clock;
    this.#holder = holder;
    this.#uncounted = meter.read().heapBytes - holder.countedBytes();
    this.#collectedAt = clock.monotonic();
    this.#stopListening = meter.onCollected(
      holder.failures.guarded("hub", (heapBytes) => this.#collected(heapBytes)),
    );
  }

  /** Is there no room for anything new? */
  get full(): boolean {
    return this.#full;
  }

  reading(): MemoryReading {
    const { heapBytes, outsideBytes } = this.#meter.read();
    const known = this.#uncounted + this.#holder.countedBytes();
    return { heapBytes: Math.max(0, Math.min(heapBytes, known)), outsideBytes };
  }

  /** To be called every second. */
  check(): void {
    const { heapBytes: most, outsideBytes: mostOutside } = this.room;
    const shrinkAbove = most * SHRINK_ABOVE;
    let reading = this.reading();
    if (reading.heapBytes > shrinkAbove && this.#clock.monotonic() - this.#collectedAt > STALE_AFTER_MS) {
      this.#uncounted *= this.#uncounted > 0 ? STALE_FACTOR : 1;
      reading = this.reading();
    }
    const loose = this.#holder.looseBytes();
    this.#holder.keepLoose(Math.max(0, loose + shrinkAbove - reading.heapBytes));
    // Objects that were let go of just now are not collected yet, but not counted any more.
    if (reading.heapBytes > shrinkAbove) reading = this.reading();

    const part = reading.heapBytes / most;
    const partOutside = reading.outsideBytes / mostOutside;
    const full = this.#full
      ? part > AGAIN_BELOW || partOutside > OUTSIDE_AGAIN_BELOW
      : part > REFUSE_ABOVE || partOutside > OUTSIDE_REFUSE_ABOVE;
    if (full === this.#full) return;
    this.#full = full;
    this.#holder.fullChanged(full, reading);
  }

  /** @throws FanfareError `insufficient_storage` while there is no room */
  assertRoomToPublish(): void {
    if (!this.#full) return;
    this.refused.publishes++;
    throw new FanfareError("insufficient_storage", "the memory of the server is full", { remedy: REMEDY });
  }

  /** @throws FanfareError `too_many_channels` while there is no room */
  assertRoomToSubscribe(): void {
    if (!this.#full) return;
    this.refused.subscriptions++;
    throw new FanfareError("too_many_channels", "the memory of the server is full", {
      remedy: REMEDY,
      retryAfterSeconds: RETRY_SECONDS,
    });
  }

  /** @throws FanfareError `too_many_connections` while there is no room */
  assertRoomToConnect(): void {
    if (!this.#full) return;
    this.refused.connections++;
    throw new FanfareError("too_many_connections", "the memory of the server is full", {
      remedy: REMEDY,
      retryAfterSeconds: RETRY_SECONDS,
    });
  }

  close(): void {
    this.#stopListening();
  }

  #collected(heapBytes: number): void {
    this.#uncounted = heapBytes - this.#holder.countedBytes();
    this.#collectedAt = this.#clock.monotonic();
    this.check();
  }
}

const REMEDY =
  "Come back later. For the operator: give Node more memory (--max-old-space-size), or lower what `limits` allow.";
