/** The logs of another engine, behind a hostile network. */
import type { ChannelName, Position } from "@fanfare/protocol";
import type {
  AnyDraft,
  Appended,
  Holdings,
  ListedChannel,
  Listened,
  LogListener,
  Logs,
  OwnerHoldings,
  Page,
  PresentState,
  ReadLimit,
  Retention,
} from "../logs.js";
import type { Hearing, HostileEngineOptions, HostileNetwork } from "./hostile-network.js";
import { HostileRests } from "./hostile-rests.js";

/** Someone who listens to a channel through the hostile engine. */
interface Ear extends Hearing {
  readonly listener: LogListener;
  /** The listener that the engine behind is given. */
  readonly heard: LogListener;
  listening: boolean;
}

export class HostileLogs implements Logs {
  readonly #logs: Logs;
  readonly #network: HostileNetwork;
  readonly #ears = new Map<ChannelName, Map<LogListener, Ear>>();
  readonly #hold: number;
  readonly #forget: number;
  readonly rests: HostileRests;
  readonly #goingOn = new Map<ChannelName, Promise<void>>();

  constructor(logs: Logs, network: HostileNetwork, { random, hold = 0, forget = 0 }: HostileEngineOptions) {
    this.#logs = logs;
    this.#network = network;
    this.#hold = hold;
    this.#forget = forget;
    this.rests = new HostileRests(logs, random);
  }

  /** Starts a channel over, or lets its log go on in another epoch. @param startOver starts it over in the engine behind */
  async startOver(channel: ChannelName, startOver: () => Promise<Position>): Promise<Position> {
    if (!this.#network.happens(this.#hold)) return await startOver();
    const going = this.#goOn(channel, startOver);
    // A reader sees the log before it goes on, or after that.
    const gone = going.then(
      () => {},
      () => {},
    );
    this.#goingOn.set(channel, gone);
    void gone.then(() => this.#goingOn.get(channel) === gone && this.#goingOn.delete(channel));
    return await going;
  }

  async #goOn(channel: ChannelName, startOver: () => Promise<Position>): Promise<Position> {
    const wentOn = await this.rests.hold(channel);
    const position = await startOver();
    wentOn(position);
    return position;
  }

  /** @throws FanfareError `unavailable` before the message was appended, or after it was: who calls cannot tell */
  async append(channel: ChannelName, draft: AnyDraft, retention: Retention): Promise<Appended> {
    return await this.#network.changing(() => this.#logs.append(channel, draft, retention));
  }

  async state(channel: ChannelName): Promise<PresentState> {
    return await this.#network.reading(() => this.#logs.state(channel));
  }

  async read(channel: ChannelName, after: Position | null, limit: ReadLimit): Promise<Page> {
    return await this.#network.reading(async () => {
      await this.#goingOn.get(channel);
      if (after && this.#network.happens(this.#forget)) this.rests.forget(channel, after.epoch);
      const rest = after && this.rests.read(channel, after, limit);
      return rest ?? (await this.#logs.read(channel, after, limit));
    });
  }

  async heads(channels: readonly ChannelName[]): Promise<Position[]> {
    return await this.#network.reading(() => this.#logs.heads(channels));
  }

  async list(after: ChannelName | null, limit: number): Promise<ListedChannel[]> {
    return await this.#network.reading(() => this.#logs.list(after, limit));
  }

  async owners(by: keyof Holdings, limit: number): Promise<OwnerHoldings[]> {
    return await this.#network.reading(() => this.#logs.owners(by, limit));
  }

  async holdings(owner: string): Promise<Holdings> {
    return await this.#network.reading(() => this.#logs.holdings(owner));
  }

  async remove(channel: ChannelName): Promise<boolean> {
    return await this.#network.reading(() => {
      this.rests.remove(channel);
      return this.#logs.remove(channel);
    });
  }

  async listen(channel: ChannelName, listener: LogListener): Promise<Listened> {
    this.#network.mayFail();
    const known = this.#ears.get(channel)?.get(listener);
    const ear = known ?? this.#addEar(channel, listener);
    try {
      return await this.#network.call(() => this.#logs.listen(channel, ear.heard));
    } catch (error) {
      if (!known) this.unlisten(channel, listener);
      throw error;
    }
  }

  unlisten(channel: ChannelName, listener: LogListener): void {
    const ears = this.#ears.get(channel);
    const ear = ears?.get(listener);
    if (!ears || !ear) return;
    ear.listening = false;
    ears.delete(listener);
    if (ears.size === 0) this.#ears.delete(channel);
    this.#logs.unlisten(channel, ear.heard);
  }

  /** All listeners may have missed something since then. */
  deaf(since: number): void {
    const ears = [...this.#ears.values()].flatMap((ears) => [...ears.values()]);
    for (const ear of ears) if (ear.listening) ear.listener.deaf(since);
  }

  clear(): void {
    this.#ears.clear();
  }

  #addEar(channel: ChannelName, listener: LogListener): Ear {
    const ear: Ear = {
      listener,
      listening: true,
      heard: {
        message: (message) => this.#network.announce(ear, () => listener.message(message)),
        reset: (position, reason) => this.#network.announce(ear, () => listener.reset(position, reason)),
        deaf: (since) => listener.deaf(since),
      },
    };
    const ears = this.#ears.get(channel) ?? new Map<LogListener, Ear>();
    this.#ears.set(channel, ears.set(listener, ear));
    return ear;
  }
}
