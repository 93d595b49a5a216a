/** An engine for tests whose logs are what the test says, and whose answers can be held back or fail. Announces nothing. */
import {
  type ChannelName,
  FanfareError,
  type Position,
  parseChannelName,
  parseEpoch,
} from "@fanfare/protocol";
import type {
  ChannelState,
  Engine,
  ListedChannel,
  Listened,
  LogEntry,
  LossReason,
  Message,
  Page,
  ReadLimit,
} from "../engine/engine.js";

export const NEWS = parseChannelName("news");
export const EPOCH = parseEpoch("00000000000000a1");
export const NEXT_EPOCH = parseEpoch("00000000000000a2");

/** A message with its offset as data. */
export function aMessage(offset: number, parts: Partial<Message> = {}): Message {
  return { channel: NEWS, epoch: EPOCH, offset, time: 0, event: "message", json: String(offset), ...parts };
}

export class ScriptedEngine implements Engine {
  readonly durable = false;
  readonly lossy: boolean;
  epoch = EPOCH;
  head = 0;
  /** What is held: a run of offsets that ends at the head, or nothing. */
  messages: LogEntry[] = [];
  /** The channel's state. */
  present: ChannelState | null = null;
  lost: LossReason = "epoch_changed";
  /** So many calls fail from now on. */
  failures = 0;
  /** The positions that were read from. */
  readonly reads: (Position | null)[] = [];
  listens = 0;
  #holding = false;
  #held: (() => void)[] = [];

  constructor(lossy = true) {
    this.lossy = lossy;
  }

  /** The log ends at `head`, and holds the newest so many. */
  holds(head: number, count: number, epoch = this.epoch): void {
    this.epoch = epoch;
    this.head = head;
    this.messages = Array.from({ length: count }, (_, index) =>
      aMessage(head - count + 1 + index, { epoch }),
    );
  }

  /** Answers are made, but not given until `letGo`. */
  holdBack(): void {
    this.#holding = true;
  }
  letGo(): void {
    this.#holding = false;
    for (const give of this.#held.splice(0)) give();
  }

  async listen(): Promise<Listened> {
    this.listens++;
    const { epoch, head: offset, present: state } = this;
    return await this.#answer({ epoch, offset, ...(state && { state }) });
  }
  async state(): Promise<ChannelState> {
    return await this.#answer(this.present ?? { epoch: this.epoch, offset: 0, json: null });
  }
  unlisten(): void {}
  async read(_channel: ChannelName, after: Position | null, limit: ReadLimit): Promise<Page> {
    this.reads.push(after);
    const { epoch, head } = this;
    const first = head - this.messages.length + 1;
    const lost = after !== null && after.epoch !== epoch;
    const from = after === null || lost ? 0 : after.offset;
    const messages = this.messages.filter(({ offset }) => offset > from).slice(0, limit.messages);
    return await this.#answer({ epoch, first, head, messages, ...(lost && { lost: this.lost }) });
  }
  async heads(channels: readonly ChannelName[]): Promise<Position[]> {
    return await this.#answer(channels.map(() => ({ epoch: this.epoch, offset: this.head })));
  }
  async list(): Promise<ListedChannel[]> {
    return await this.#answer([{ channel: NEWS, epoch: this.epoch, head: this.head }]);
  }
  append(): Promise<never> {
    return Promise.reject(new TypeError("nothing is appended here"));
  }
  async signal(): Promise<void> {}
  onSignal(): () => void {
    return () => {};
  }
  async putSession(): Promise<void> {}
  async renewSession(): Promise<boolean> {
    return false;
  }
  async takeSession(): Promise<null> {
    return null;
  }
  async close(): Promise<void> {}

  async #answer<Answer>(answer: Answer): Promise<Answer> {
    if (this.failures > 0) {
      this.failures--;
      throw new FanfareError("unavailable", "the engine is told to fail");
    }
    if (this.#holding) await new Promise<void>((give) => this.#held.push(give));
    return answer;
  }
}
