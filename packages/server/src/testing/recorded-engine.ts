/** An engine for tests that writes down all that another ever appended: the truth that what is delivered is compared with. */
import type { ChannelName, Epoch, Position } from "@fanfare/protocol";
import type { Appended, Draft, Retention } from "../engine/engine.js";
import type { RestartableEngine } from "../engine/hostile-engine.js";
import { ForwardingEngine } from "./forwarding-engine.js";

export class RecordedEngine extends ForwardingEngine<RestartableEngine> implements RestartableEngine {
  readonly #appended = new Map<string, Draft>();
  readonly #heads = new Map<string, number>();
  /** The epochs that each channel was seen in, in order. */
  readonly #epochs = new Map<ChannelName, string[]>();

  override async append(channel: ChannelName, draft: Draft, retention: Retention): Promise<Appended> {
    const appended = await super.append(channel, draft, retention);
    this.#saw(channel, appended.epoch);
    if (!appended.repeated) {
      this.#appended.set(`${channel} ${appended.epoch} ${appended.offset}`, draft);
      this.#heads.set(`${channel} ${appended.epoch}`, appended.offset);
    }
    return appended;
  }

  async startOver(channel: ChannelName): Promise<Position> {
    await this.truth(channel);
    const position = await this.inner.startOver(channel);
    this.#saw(channel, position.epoch);
    return position;
  }

  /** Where the channel stands. */
  async truth(channel: ChannelName): Promise<Position> {
    const [position] = await this.heads([channel]);
    if (!position) throw new TypeError(`no position of ${channel}`);
    this.#saw(channel, position.epoch);
    return position;
  }

  appended(channel: string, epoch: string, offset: number): Draft | undefined {
    return this.#appended.get(`${channel} ${epoch} ${offset}`);
  }

  /** The newest offset that was ever appended in this epoch. */
  newest(channel: string, epoch: string): number {
    return this.#heads.get(`${channel} ${epoch}`) ?? 0;
  }

  /** The how-manieth log of the channel this is; -1 when there never was such a log. */
  ageOf(channel: ChannelName, epoch: string): number {
    return (this.#epochs.get(channel) ?? []).indexOf(epoch);
  }

  #saw(channel: ChannelName, epoch: Epoch): void {
    const epochs = this.#epochs.get(channel) ?? [];
    if (!epochs.includes(epoch)) this.#epochs.set(channel, [...epochs, epoch]);
  }
}
