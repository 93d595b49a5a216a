/** Signals by way of the process that has the engine: one topic is asked for once, however many listen. */
import type { Signals } from "../signals.js";
import type { Link } from "./link.js";

export class RemoteSignals implements Signals {
  readonly #link: Link;
  readonly #topics = new Map<string, Set<{ readonly hear: (json: string) => void }>>();

  constructor(link: Link) {
    this.#link = link;
  }

  send(topic: string, json: string): Promise<void> {
    return this.#link.call("send", topic, json);
  }

  on(topic: string, listener: (json: string) => void): () => void {
    let listeners = this.#topics.get(topic);
    if (!listeners) {
      listeners = new Set();
      this.#topics.set(topic, listeners);
      this.#link.say(["on", topic]);
    }
    const entry = { hear: listener };
    listeners.add(entry);
    return () => {
      if (!listeners.delete(entry) || listeners.size > 0 || this.#topics.get(topic) !== listeners) return;
      this.#topics.delete(topic);
      this.#link.say(["off", topic]);
    };
  }

  told(topic: string, json: string): void {
    for (const { hear } of this.#topics.get(topic) ?? []) hear(json);
  }

  /** Asks for all topics anew. */
  reconnected(): void {
    for (const topic of this.#topics.keys()) this.#link.say(["on", topic]);
  }
}
