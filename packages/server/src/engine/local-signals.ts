/** Signals of an engine whose only node is this process: told to all that listen, and kept nowhere. */
import type { Signals } from "./signals.js";

export class LocalSignals implements Signals {
  readonly #assertOpen: () => void;
  readonly #topics = new Map<string, Set<{ readonly hear: (json: string) => void }>>();

  constructor(assertOpen: () => void) {
    this.#assertOpen = assertOpen;
  }

  /** Tells those who listen by then, when the caller is done with what it does. */
  async send(topic: string, json: string): Promise<void> {
    this.#assertOpen();
    queueMicrotask(() => {
      for (const { hear } of this.#topics.get(topic) ?? []) hear(json);
    });
  }

  on(topic: string, listener: (json: string) => void): () => void {
    const listeners = this.#topics.get(topic) ?? new Set();
    this.#topics.set(topic, listeners);
    const entry = { hear: listener };
    listeners.add(entry);
    return () => {
      listeners.delete(entry);
      if (listeners.size === 0 && this.#topics.get(topic) === listeners) this.#topics.delete(topic);
    };
  }

  clear(): void {
    this.#topics.clear();
  }
}
