/** The memory of a process for tests: it holds what the test says. */
import type { MemoryRoom, WatchedMemory } from "../hub/terms/memory-guard.js";

export class FakeMemory implements WatchedMemory {
  readonly room: MemoryRoom;
  /** Bytes on the heap, those included that could be collected. */
  heapBytes: number;
  outsideBytes = 0;
  readonly #listeners = new Set<(heapBytes: number) => void>();

  constructor(room: MemoryRoom, heapBytes = 0) {
    this.room = room;
    this.heapBytes = heapBytes;
  }

  readonly meter = {
    read: () => ({ heapBytes: this.heapBytes, outsideBytes: this.outsideBytes }),
    onCollected: (listener: (heapBytes: number) => void) => {
      this.#listeners.add(listener);
      return () => void this.#listeners.delete(listener);
    },
  };

  /** How many listen. */
  get listeners(): number {
    return this.#listeners.size;
  }

  /** A full collection leaves this much. */
  collect(heapBytes: number): void {
    this.heapBytes = heapBytes;
    for (const listener of this.#listeners) listener(heapBytes);
  }
}
