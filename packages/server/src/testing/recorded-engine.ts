/** An engine for tests that writes down all that another ever appended: the truth that what is delivered is compared with. */
import type { ChannelName, Epoch, Position } from "@fanfare/protocol";
import type { AnyDraft, Appended, Logs, Retention } from "../engine/engine.js";
import type { RestartableEngine } from "../engine/hostile/hostile-engine.js";
import { changedEngine } from "./changed-engine.js";

export class RecordedEngine {
  /** To be used in place of the other. */
  readonly engine: RestartableEngine;
  readonly #inner: RestartableEngine;
  readonly #appended = new Map<string, AnyDraft>();
  readonly #heads = new Map<string, number>();
  /** How many calls of `append` are under way. */
  readonly #underWay = new Map<ChannelName, number>();
  /** The epochs that each channel was seen in, in order. */
  readonly #epochs = new Map<ChannelName, string[]>();

  constructor(inner: RestartableEngine) {
    this.#inner = inner;
    const append: Logs["append"] = (...args) => this.#append(...args);
    this.engine = changedEngine(inner, { logs: { append }, startOver: (channel) => this.startOver(channel) });
  }

  async #append(channel: ChannelName, draft: AnyDraft, retention: Retention): Promise<Appended> {
    this.#count(channel, 1);
    try {
      const appended = await this.#inner.logs.append(channel, draft, retention);
      this.#saw(channel, appended.epoch);
      if (!appended.repeated) {
        this.#appended.set(`${channel} ${appended.epoch} ${appended.offset}`, draft);
        this.#heads.set(`${channel} ${appended.epoch}`, appended.offset);
      }
      return appended;
    } finally {
      this.#count(channel, -1);
    }
  }

  async startOver(channel: ChannelName): Promise<Position> {
    await this.truth(channel);
    const position = await this.#inner.startOver(channel);
    this.#saw(channel, position.epoch);
    return position;
  }

  /** Where the channel stands. */
  async truth(channel: ChannelName): Promise<Position> {
    const [position] = await this.#inner.logs.heads([channel]);
    if (!position) throw new TypeError(`no position of ${channel}`);
    this.#saw(channel, position.epoch);
    return position;
  }

  /** Everything that was ever appended. */
  all(): AnyDraft[] {
    return [...this.#appended.values()];
  }

  appended(channel: string, epoch: string, offset: number): AnyDraft | undefined {
    return this.#appended.get(`${channel} ${epoch} ${offset}`);
  }

  /** The state after this offset as JSON text; `null` when there was none. */
  stateAt(channel: string, epoch: string, offset: number): string | null {
    for (let at = offset; at > 0; at--) {
      const draft = this.appended(channel, epoch, at);
      if (draft?.change) return draft.state;
    }
    return null;
  }

  /** The newest offset that was ever appended in this epoch. */
  newest(channel: string, epoch: string): number {
    return this.#heads.get(`${channel} ${epoch}`) ?? 0;
  }

  /** The newest offset that may have been appended by now, whether or not the answer has arrived. */
  atMost(channel: ChannelName, epoch: string): number {
    return this.newest(channel, epoch) + (this.#underWay.get(channel) ?? 0);
  }

  /** The how-manieth log of the channel this is; -1 when there never was such a log. */
  ageOf(channel: ChannelName, epoch: string): number {
    return (this.#epochs.get(channel) ?? []).indexOf(epoch);
  }

  /** Is there no later log of the channel? */
  isNewest(channel: ChannelName, epoch: string): boolean {
    return this.#epochs.get(channel)?.at(-1) === epoch;
  }

  #count(channel: ChannelName, more: number): void {
    this.#underWay.set(channel, (this.#underWay.get(channel) ?? 0) + more);
  }

  #saw(channel: ChannelName, epoch: Epoch): void {
    const epochs = this.#epochs.get(channel) ?? [];
    if (!epochs.includes(epoch)) this.#epochs.set(channel, [...epochs, epoch]);
  }
}
