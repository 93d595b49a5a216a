/** An engine for tests whose answers are true when they are made, and arrive some turns of the event loop later. */
import type { ChannelName, Position } from "@fanfare/protocol";
import type { AnyDraft, Engine, LogListener, ReadLimit, Retention } from "../engine/engine.js";
import { turns } from "./fake-clock.js";
import { ForwardingEngine } from "./forwarding-engine.js";

export class LateAnswers extends ForwardingEngine {
  readonly #lateTurns: () => number;

  constructor(inner: Engine, lateTurns: () => number) {
    super(inner);
    this.#lateTurns = lateTurns;
  }

  override append(channel: ChannelName, draft: AnyDraft, retention: Retention) {
    return this.#late(super.append(channel, draft, retention));
  }
  override state(channel: ChannelName) {
    return this.#late(super.state(channel));
  }
  override listen(channel: ChannelName, listener: LogListener) {
    return this.#late(super.listen(channel, listener));
  }
  override read(channel: ChannelName, after: Position | null, limit: ReadLimit) {
    return this.#late(super.read(channel, after, limit));
  }
  override heads(channels: readonly ChannelName[]) {
    return this.#late(super.heads(channels));
  }
  override list(after: ChannelName | null, limit: number) {
    return this.#late(super.list(after, limit));
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
