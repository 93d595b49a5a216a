/** The channels that this node listens to: each from its first subscription on, until it has had none for a while. */
import { type ChannelName, FanfareError } from "@fanfare/protocol";
import type { Listened } from "../engine/engine.js";
import { WindowBudget } from "./delivery/budgets.js";
import { Channel, type ChannelHost } from "./delivery/channel.js";
import type { Lifecycle } from "./lifecycle.js";
import type { Limits } from "./terms/limits.js";
import type { Rules } from "./terms/rules.js";

/** A channel without subscriptions is listened to for this long, so that a reload of a page costs nothing. */
const LINGER_MS = 30_000;

/** The parts of the hub that channels, and the list of them, need. */
export interface ChannelsHost extends ChannelHost {
  readonly rules: Rules;
  readonly limits: Limits;
  readonly lifecycle: Lifecycle;
}

export class Channels {
  readonly #host: ChannelsHost;
  readonly #known = new Map<ChannelName, Channel>();
  /** Those without subscriptions, and since when. */
  readonly #lingering = new Map<Channel, number>();
  readonly #windows: WindowBudget;
  #closed = false;

  constructor(host: ChannelsHost) {
    this.#host = host;
    this.#windows = new WindowBudget(host.limits.windowBytes);
  }

  get size(): number {
    return this.#known.size;
  }

  /** Bytes that all windows take, and copies of states, roughly. */
  get windowBytes(): number {
    return this.#windows.bytes;
  }

  /** Bytes of windows alone, which can be let go of. */
  get looseBytes(): number {
    return this.#windows.looseBytes;
  }

  /** Lets go of windows until they have this many bytes, and keeps them there. */
  keepLoose(bytes: number): void {
    this.#windows.keepLoose(bytes);
  }

  values(): Iterable<Channel> {
    return this.#known.values();
  }

  /** How many subscriptions a channel has here. */
  subscribers(name: ChannelName): number {
    return this.#known.get(name)?.subscribers ?? 0;
  }

  /** The channel, listened to or about to be. @throws FanfareError `too_many_channels`, `unavailable` */
  get(name: ChannelName): Channel {
    if (this.#closed) throw new FanfareError("unavailable", "the server stops");
    const known = this.#known.get(name);
    if (known) {
      this.#lingering.delete(known);
      return known;
    }
    const { engine, limits, rules } = this.#host;
    if (this.#known.size >= limits.channels) this.#dropLingering();
    if (this.#known.size >= limits.channels) {
      throw new FanfareError("too_many_channels", `${limits.channels} channels are listened to`);
    }
    const channel = new Channel(name, rules.of(name), this.#host);
    this.#known.set(name, channel);
    engine.logs.listen(name, channel).then(
      (position) => this.#listening(channel, position),
      (error: unknown) => this.#listenFailed(channel, error),
    );
    return channel;
  }

  /** The last subscription left. */
  deserted(channel: Channel): void {
    if (this.#known.get(channel.name) === channel) this.#lingering.set(channel, this.#host.clock.monotonic());
    this.#host.lifecycle.deserted(channel);
  }

  /**
   * Every subscription that keeps up has been written all that these channels flushed until now. All of them settle first: making room
   * for one may flush another, and what is flushed now has not been written yet.
   */
  settled(channels: ReadonlySet<Channel>): void {
    const now = this.#host.clock.now();
    for (const channel of channels) channel.settle(now);
    for (const channel of channels) {
      if (this.#known.get(channel.name) === channel) this.#windows.used(channel);
    }
  }

  /** Those that are listened to follow the rules as they are now, from their next message on. */
  rulesChanged(): void {
    for (const channel of this.#known.values()) channel.rule = this.#host.rules.of(channel.name);
  }

  /** Lets go of what is not needed any more; `now` is monotonic. */
  tick(now: number): void {
    for (const [channel, since] of this.#lingering) {
      if (now - since < LINGER_MS) break;
      this.#drop(channel);
    }
    this.#windows.trim(this.#host.clock.now(), 1000);
  }

  /** Listens to none any more. */
  close(): void {
    this.#closed = true;
    for (const channel of [...this.#known.values()]) this.#drop(channel);
  }

  /** Makes room for a channel that is wanted now. */
  #dropLingering(): void {
    for (const channel of this.#lingering.keys()) {
      this.#drop(channel);
      return;
    }
  }

  #drop(channel: Channel): void {
    this.#lingering.delete(channel);
    this.#known.delete(channel.name);
    this.#windows.forget(channel);
    this.#host.engine.logs.unlisten(channel.name, channel);
    channel.end();
  }

  #listening(channel: Channel, position: Listened): void {
    if (this.#known.get(channel.name) !== channel) return;
    try {
      channel.listening(position);
      this.#windows.used(channel);
    } catch (error) {
      // Who has joined already cannot say what it was written.
      this.#host.connections.flushFailed(channel, error);
      this.#listenFailed(channel, error);
    }
  }

  #listenFailed(channel: Channel, cause: unknown): void {
    if (this.#known.get(channel.name) !== channel) return;
    this.#drop(channel);
    const error =
      cause instanceof FanfareError
        ? cause
        : new FanfareError("unavailable", `${channel.name} cannot be listened to at the moment`, { cause });
    for (const subscription of [...channel.joining]) subscription.connection.joinFailed(subscription, error);
  }
}
