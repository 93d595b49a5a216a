/** An engine for tests whose answers are true when they are made, and arrive some turns of the event loop later. */
import type { ChannelName, Position } from "@fanfare/protocol";
import type { Draft, Engine, LogListener, ReadLimit, Retention } from "../engine/engine.js";
import { turns } from "./fake-clock.js";

export class LateAnswers implements Engine {
  readonly durable: boolean;
  readonly lossy: boolean;
  readonly #inner: Engine;
  readonly #lateTurns: () => number;

  constructor(inner: Engine, lateTurns: () => number) {
    this.#inner = inner;
    this.#lateTurns = lateTurns;
    this.durable = inner.durable;
    this.lossy = inner.lossy;
  }

  append(channel: ChannelName, draft: Draft, retention: Retention) {
    return this.#late(this.#inner.append(channel, draft, retention));
  }
  listen(channel: ChannelName, listener: LogListener) {
    return this.#late(this.#inner.listen(channel, listener));
  }
  unlisten(channel: ChannelName, listener: LogListener): void {
    this.#inner.unlisten(channel, listener);
  }
  read(channel: ChannelName, after: Position | null, limit: ReadLimit) {
    return this.#late(this.#inner.read(channel, after, limit));
  }
  heads(channels: readonly ChannelName[]) {
    return this.#late(this.#inner.heads(channels));
  }
  list(after: ChannelName | null, limit: number) {
    return this.#late(this.#inner.list(after, limit));
  }
  signal(topic: string, json: string): Promise<void> {
    return this.#inner.signal(topic, json);
  }
  onSignal(topic: string, listener: (json: string) => void): () => void {
    return this.#inner.onSignal(topic, listener);
  }
  putSession(hash: string, json: string, ttlMs: number): Promise<void> {
    return this.#inner.putSession(hash, json, ttlMs);
  }
  takeSession(hash: string): Promise<string | null> {
    return this.#inner.takeSession(hash);
  }
  close(): Promise<void> {
    return this.#inner.close();
  }

  async #late<Answer>(answering: Promise<Answer>): Promise<Answer> {
    const late = this.#lateTurns();
    try {
      return await answering;
    } finally {
      await turns(late);
    }
  }
}
