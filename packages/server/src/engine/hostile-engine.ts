/**
 * An engine for tests that does to another engine whatever a network may do: announcements come late, twice, out of order
 * or never, calls fail, answers get lost, the connection breaks. What works on it is fit for an engine far away.
 */
import { type ChannelName, FanfareError, type Position } from "@fanfare/protocol";
import type { Clock, Timer } from "../clock.js";
import type {
  AnyDraft,
  Appended,
  ChannelState,
  Engine,
  ListedChannel,
  Listened,
  LogListener,
  Page,
  ReadLimit,
  Retention,
} from "./engine.js";

export interface HostileEngineOptions {
  readonly clock: Clock;
  /** A number from 0 up to, not including, 1; decides everything, so that a seed can repeat a run. */
  readonly random: () => number;
  /** The longest delay of an announcement or a signal, in milliseconds. Delays differ, so order gets lost as well. @default 0 */
  readonly delayMs?: number;
  /** How probable it is that an announcement or a signal comes twice, 0 to 1. @default 0 */
  readonly duplicate?: number;
  /** How probable it is that an announcement or a signal does not come, 0 to 1. @default 0 */
  readonly drop?: number;
  /** How probable it is that append, state, read, heads, list or listen fails, 0 to 1. @default 0 */
  readonly fail?: number;
}

/** An engine whose channels can be started over on request. */
export interface RestartableEngine extends Engine {
  startOver(channel: ChannelName): Promise<Position>;
}

/** Somebody who hears something, as long as he listens. */
interface Hearing {
  readonly listening: boolean;
}

/** Someone who listens to a channel through the hostile engine. */
interface Ear extends Hearing {
  readonly listener: LogListener;
  /** What the engine behind is given in place of the listener. */
  readonly heard: LogListener;
  listening: boolean;
}

export class HostileEngine implements RestartableEngine {
  readonly durable: boolean;
  readonly lossy = true;
  readonly #inner: RestartableEngine;
  readonly #clock: Clock;
  readonly #random: () => number;
  #delayMs: number;
  #duplicate: number;
  #drop: number;
  #fail: number;
  /** When the connection broke; `null` while it stands. */
  #deafSince: number | null = null;
  readonly #ears = new Map<ChannelName, Map<LogListener, Ear>>();
  readonly #underWay = new Map<() => void, Timer>();

  constructor(inner: RestartableEngine, options: HostileEngineOptions) {
    const { clock, random, delayMs = 0, duplicate = 0, drop = 0, fail = 0 } = options;
    this.durable = inner.durable;
    this.#inner = inner;
    this.#clock = clock;
    this.#random = random;
    this.#delayMs = delayMs;
    this.#duplicate = duplicate;
    this.#drop = drop;
    this.#fail = fail;
  }

  /** Until `reconnect`, every call fails, and announcements are lost, those under way included. */
  disconnect(): void {
    this.#deafSince ??= this.#clock.now();
  }

  /** Calls work again, and all listeners learn since when they may have missed something. */
  reconnect(): void {
    const since = this.#deafSince;
    if (since === null) return;
    this.#deafSince = null;
    const ears = [...this.#ears.values()].flatMap((ears) => [...ears.values()]);
    for (const ear of ears) if (ear.listening) ear.listener.deaf(since);
  }

  /**
   * From now on nothing is dropped, doubled, delayed or failed, and what is under way arrives at once. A broken
   * connection stays broken until `reconnect`.
   */
  calm(): void {
    this.#delayMs = 0;
    this.#duplicate = 0;
    this.#drop = 0;
    this.#fail = 0;
    for (const [arrive, timer] of [...this.#underWay]) {
      timer.cancel();
      arrive();
    }
  }

  /** @throws FanfareError `unavailable` before the message was appended, or after it was: who calls cannot tell */
  async append(channel: ChannelName, draft: AnyDraft, retention: Retention): Promise<Appended> {
    const fails = this.#happens(this.#fail);
    if (fails && this.#happens(0.5)) throw unavailable("the call got lost");
    const appended = await this.#call(() => this.#inner.append(channel, draft, retention));
    if (fails) throw unavailable("the answer got lost");
    return appended;
  }

  async state(channel: ChannelName): Promise<ChannelState> {
    this.#mayFail();
    return await this.#call(() => this.#inner.state(channel));
  }

  async read(channel: ChannelName, after: Position | null, limit: ReadLimit): Promise<Page> {
    this.#mayFail();
    return await this.#call(() => this.#inner.read(channel, after, limit));
  }

  async heads(channels: readonly ChannelName[]): Promise<Position[]> {
    this.#mayFail();
    return await this.#call(() => this.#inner.heads(channels));
  }

  async list(after: ChannelName | null, limit: number): Promise<ListedChannel[]> {
    this.#mayFail();
    return await this.#call(() => this.#inner.list(after, limit));
  }

  async listen(channel: ChannelName, listener: LogListener): Promise<Listened> {
    this.#mayFail();
    const known = this.#ears.get(channel)?.get(listener);
    const ear = known ?? this.#addEar(channel, listener);
    try {
      return await this.#call(() => this.#inner.listen(channel, ear.heard));
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
    this.#inner.unlisten(channel, ear.heard);
  }

  signal(topic: string, json: string): Promise<void> {
    return this.#call(() => this.#inner.signal(topic, json));
  }

  onSignal(topic: string, listener: (json: string) => void): () => void {
    const ear = { listening: true };
    const stop = this.#inner.onSignal(topic, (json) => this.#announce(ear, () => listener(json)));
    return () => {
      ear.listening = false;
      stop();
    };
  }

  putSession(hash: string, json: string, ttlMs: number): Promise<void> {
    return this.#call(() => this.#inner.putSession(hash, json, ttlMs));
  }

  renewSession(hash: string, ttlMs: number): Promise<boolean> {
    return this.#call(() => this.#inner.renewSession(hash, ttlMs));
  }

  takeSession(hash: string): Promise<string | null> {
    return this.#call(() => this.#inner.takeSession(hash));
  }

  /** Starts the channel over in the engine behind, even while the connection is broken: somebody else may do so. */
  startOver(channel: ChannelName): Promise<Position> {
    return this.#inner.startOver(channel);
  }

  async close(): Promise<void> {
    for (const timer of this.#underWay.values()) timer.cancel();
    this.#underWay.clear();
    this.#ears.clear();
    await this.#inner.close();
  }

  #addEar(channel: ChannelName, listener: LogListener): Ear {
    const ear: Ear = {
      listener,
      listening: true,
      heard: {
        message: (message) => this.#announce(ear, () => listener.message(message)),
        reset: (position, reason) => this.#announce(ear, () => listener.reset(position, reason)),
        deaf: (since) => listener.deaf(since),
      },
    };
    const ears = this.#ears.get(channel) ?? new Map<LogListener, Ear>();
    this.#ears.set(channel, ears.set(listener, ear));
    return ear;
  }

  #announce(ear: Hearing, announcement: () => void): void {
    if (this.#deafSince !== null || this.#happens(this.#drop)) return;
    const copies = this.#happens(this.#duplicate) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) this.#deliver(ear, announcement);
  }

  #deliver(ear: Hearing, announcement: () => void): void {
    const arrive = () => {
      this.#underWay.delete(arrive);
      if (ear.listening && this.#deafSince === null) announcement();
    };
    if (this.#delayMs === 0) arrive();
    else this.#underWay.set(arrive, this.#clock.after(this.#random() * this.#delayMs, arrive));
  }

  /** A call to the engine behind. When the connection breaks before the answer is here, the answer is lost. */
  async #call<Answer>(call: () => Promise<Answer>): Promise<Answer> {
    if (this.#deafSince !== null) throw unavailable("the connection is broken");
    const answer = await call();
    if (this.#deafSince !== null) throw unavailable("the connection broke");
    return answer;
  }

  #mayFail(): void {
    if (this.#happens(this.#fail)) throw unavailable("the call got lost");
  }

  #happens(probability: number): boolean {
    return probability > 0 && this.#random() < probability;
  }
}

function unavailable(why: string): FanfareError {
  return new FanfareError("unavailable", `the engine cannot be reached: ${why}`);
}
