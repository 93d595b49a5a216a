/** A space in the memory of this process. Each call does its work in one synchronous step. */
import { COSTS } from "../../base/costs.js";
import { bytesOfKey, keyOfBytes, type Space, type SpaceValue } from "../space.js";

export class MemorySpace implements Space {
  readonly durable = false;
  readonly #assertOpen: () => void;
  /** By the bytes of the key. */
  readonly #values = new Map<string, string>();
  /** The keys in order; `null` when keys have come or gone since they were sorted. */
  #sorted: string[] | null = null;
  #version = 0;
  #characters = 0;

  constructor(assertOpen: () => void) {
    this.#assertOpen = assertOpen;
  }

  /** Roughly its bytes on the heap. */
  get heapBytes(): number {
    return this.#characters + this.#values.size * COSTS.spaceValue;
  }

  async get(key: string): Promise<string | null> {
    this.#assertOpen();
    return this.value(key);
  }

  async compareAndSet(key: string, expected: string | null, value: string | null): Promise<boolean> {
    this.#assertOpen();
    if (this.value(key) !== expected) return false;
    this.set(key, value);
    return true;
  }

  async list(after: string | null, limit: number): Promise<SpaceValue[]> {
    this.#assertOpen();
    this.#sorted ??= [...this.#values.keys()].sort();
    const begin = after === null ? 0 : firstAfter(this.#sorted, Buffer.from(after).toString("latin1"));
    return this.#sorted
      .slice(begin, begin + limit)
      .map((place) => ({ key: keyOfBytes(place), value: this.#values.get(place) ?? "" }));
  }

  async version(): Promise<number> {
    this.#assertOpen();
    return this.#version;
  }

  // ---- for those who keep the same values elsewhere, at once

  value(key: string): string | null {
    return this.#values.get(bytesOfKey(key)) ?? null;
  }

  set(key: string, value: string | null): void {
    const place = bytesOfKey(key);
    const found = this.#values.get(place) ?? null;
    if (value === null) this.#values.delete(place);
    else this.#values.set(place, value);
    this.#characters += costOf(place, value) - costOf(place, found);
    if ((value === null) !== (found === null)) this.#sorted = null;
    this.#version++;
  }

  /** All values by their keys. */
  all(): Map<string, string> {
    return new Map([...this.#values].map(([place, value]) => [keyOfBytes(place), value]));
  }

  clear(): void {
    this.#values.clear();
    this.#sorted = null;
    this.#characters = 0;
  }
}

function costOf(place: string, value: string | null): number {
  return value === null ? 0 : place.length + value.length;
}

/** The index of the first that is greater, in a sorted list. */
function firstAfter(sorted: readonly string[], text: string): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? "") <= text) low = middle + 1;
    else high = middle;
  }
  return low;
}
