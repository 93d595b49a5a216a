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
  Holdings,
  ListedChannel,
  Listened,
  LogEntry,
  Logs,
  LossReason,
  Message,
  OwnerHoldings,
  Page,
  PresentState,
  ReadLimit,
} from "../engine/engine.js";
import { MemorySpace } from "../engine/memory/memory-space.js";
import { NO_HOLDINGS } from "../engine/shares.js";
import type { Space } from "../engine/space.js";

export const NEWS = parseChannelName("news");
export const EPOCH = parseEpoch("00000000000000a1");
export const NEXT_EPOCH = parseEpoch("00000000000000a2");

/** A message with its offset as data. */
export function aMessage(offset: number, parts: Partial<Message> = {}): Message {
  return { channel: NEWS, epoch: EPOCH, offset, time: 0, event: "message", json: String(offset), ...parts };
}

export class ScriptedEngine implements Engine {
  readonly logs = new ScriptedLogs();
  readonly durable = false;
  readonly lossy: boolean;
  readonly signals = { send: async () => {}, on: () => () => {} };
  readonly sessions = { put: async () => {}, renew: async () => false, take: async () => null };
  readonly #spaces = new Map<string, MemorySpace>();

  constructor(lossy = true) {
    this.lossy = lossy;
  }

  space(name: string): Space {
    const space = this.#spaces.get(name) ?? new MemorySpace(() => {});
    this.#spaces.set(name, space);
    return space;
  }
  async now(): Promise<number> {
    return 0;
  }
  async close(): Promise<void> {}
}

class ScriptedLogs implements Logs {
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
  async state(): Promise<PresentState> {
    const state = this.present ?? { epoch: this.epoch, offset: 0, json: null };
    return await this.#answer({ ...state, time: 0 });
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
  async owners(): Promise<OwnerHoldings[]> {
    return await this.#answer([]);
  }
  async holdings(): Promise<Holdings> {
    return await this.#answer(NO_HOLDINGS);
  }
  async remove(): Promise<boolean> {
    return await this.#answer(false);
  }
  append(): Promise<never> {
    return Promise.reject(new TypeError("nothing is appended here"));
  }

  async #answer<Answer>(answer: Answer): Promise<Answer> {
    if (this.failures > 0) {
      this.failures--;
      throw new FanfareError("unavailable", "the engine is told to fail");
    }
    if (this.#holding) await new Promise<void>((give) => this.#held.push(give));
    return answer;
  }
}
