/**
 * An engine for tests that does to another engine whatever a network may do: announcements come late, twice, out of order
 * or never, calls fail, answers get lost, the connection breaks, logs go on in another epoch. Code that works on it is fit for an engine far away.
 */
import type { ChannelName, Position } from "@fanfare/protocol";
import type { Engine } from "../engine.js";
import type { Sessions } from "../sessions.js";
import type { Signals } from "../signals.js";
import type { Space, SpaceOptions } from "../space.js";
import { HostileLogs } from "./hostile-logs.js";
import { type HostileEngineOptions, HostileNetwork } from "./hostile-network.js";

export type { HostileEngineOptions };

/** An engine whose channels can be started over on request. */
export interface RestartableEngine extends Engine {
  startOver(channel: ChannelName): Promise<Position>;
}

export class HostileEngine implements RestartableEngine {
  readonly durable: boolean;
  readonly lossy = true;
  readonly logs: HostileLogs;
  readonly signals: Signals;
  readonly sessions: Sessions;
  readonly #inner: RestartableEngine;
  readonly #network: HostileNetwork;

  constructor(inner: RestartableEngine, options: HostileEngineOptions) {
    const network = new HostileNetwork(options);
    this.durable = inner.durable;
    this.#inner = inner;
    this.#network = network;
    this.logs = new HostileLogs(inner.logs, network, options);
    this.signals = {
      send: (topic, json) => network.call(() => inner.signals.send(topic, json)),
      on: (topic, listener) => {
        const ear = { listening: true };
        const stop = inner.signals.on(topic, (json) => network.announce(ear, () => listener(json)));
        return () => {
          ear.listening = false;
          stop();
        };
      },
    };
    this.sessions = {
      put: (hash, json, ttlMs, owner) => network.call(() => inner.sessions.put(hash, json, ttlMs, owner)),
      renew: (hash, ttlMs) => network.call(() => inner.sessions.renew(hash, ttlMs)),
      take: (hash) => network.call(() => inner.sessions.take(hash)),
    };
  }

  /** Until `reconnect`, every call fails, and announcements are lost, those under way included. */
  disconnect(): void {
    this.#network.disconnect();
  }

  /** Calls work again, and all listeners learn since when they may have missed something. */
  reconnect(): void {
    const since = this.#network.reconnect();
    if (since !== null) this.logs.deaf(since);
  }

  /**
   * From now on nothing is dropped, doubled, delayed or failed, and what is under way arrives at once. A broken
   * connection stays broken until `reconnect`.
   */
  calm(): void {
    this.#network.calm();
  }

  space(name: string, options?: SpaceOptions): Space {
    const [space, network] = [this.#inner.space(name, options), this.#network];
    return {
      durable: space.durable,
      get: (key) => network.reading(() => space.get(key)),
      compareAndSet: (key, expected, value) =>
        network.changing(() => space.compareAndSet(key, expected, value)),
      list: (after, limit) => network.reading(() => space.list(after, limit)),
      version: () => network.reading(() => space.version()),
    };
  }

  now(): Promise<number> {
    return this.#network.reading(() => this.#inner.now());
  }

  /** Starts the channel over in the engine behind, even while the connection is broken: somebody else may do so. */
  startOver(channel: ChannelName): Promise<Position> {
    return this.logs.startOver(channel, () => this.#inner.startOver(channel));
  }

  async close(): Promise<void> {
    this.#network.close();
    this.logs.clear();
    await this.#inner.close();
  }
}
