/**
 * Events of connections and channels of this node, for the application's own code. Without listeners it keeps nothing. A
 * listener that fails harms no others.
 */
import { type ChannelName, shown } from "@fanfare/protocol";
import type { Clock } from "../base/clock.js";
import { checkKnown } from "../base/known-names.js";
import type { Channel } from "./delivery/channel.js";
import type { Connection } from "./delivery/connection.js";

/** A channel without subscriptions is vacated after this long, so that loading a page anew is no event. */
const VACATED_AFTER_MS = 10_000;

/** A client has come in, or is gone. */
export interface ConnectionEvent {
  /** The connection's name; no secret. */
  readonly connection: string;
  /** The session's name, the same through all its connections; no secret. */
  readonly session: string;
  /** The user, where one is known. */
  readonly user?: string;
  /** Milliseconds since 1970. */
  readonly time: number;
  /**
   * Grows with each event of the session, whatever the node: odd when it is connected, even when it is not. A session can be resumed
   * before its earlier connection is known to be gone, so `disconnected` may come late: drop what is not above the last one seen.
   */
  readonly version: number;
}

/** A channel has its first subscription on this node, or has had none for 10 seconds. */
export interface ChannelEvent {
  readonly channel: string;
  /** The name of this node, another one for each process: each speaks of its own subscriptions. */
  readonly node: string;
  /** Milliseconds since 1970. */
  readonly time: number;
  /** Grows with each event of this node: a listener that passes events on can drop those not above the last of the channel and node. */
  readonly version: number;
}

export interface LifecycleEvents {
  connected: ConnectionEvent;
  disconnected: ConnectionEvent;
  occupied: ChannelEvent;
  vacated: ChannelEvent;
}

export type LifecycleListener<Name extends keyof LifecycleEvents> = (
  event: LifecycleEvents[Name],
) => void | Promise<void>;

const USER = "user ";

export class Lifecycle {
  readonly #clock: Clock;
  readonly #node: string;
  readonly #channels: () => Iterable<Channel>;
  readonly #listeners: { readonly [Name in keyof LifecycleEvents]: Set<LifecycleListener<Name>> } = {
    connected: new Set(),
    disconnected: new Set(),
    occupied: new Set(),
    vacated: new Set(),
  };
  /** Channels that are not vacated, as soon as somebody wants to know. */
  #occupied: Set<ChannelName> | null = null;
  /** Those of them that have no subscription any more, and when they will be vacated; the next first. */
  readonly #vacating = new Map<ChannelName, number>();
  /** How often a session has been connected, where it was more than once. */
  readonly #resumed = new Map<Connection, number>();
  #version = 0;
  #failed: (error: unknown) => void = () => {};

  constructor(clock: Clock, node: string, channels: () => Iterable<Channel>) {
    this.#clock = clock;
    this.#node = node;
    this.#channels = channels;
  }

  /** Hears of listeners that fail. */
  onFailure(failed: (error: unknown) => void): void {
    this.#failed = failed;
  }

  /** @throws TypeError when there is no such event */
  on<Name extends keyof LifecycleEvents>(name: Name, listener: LifecycleListener<Name>): () => void {
    checkKnown("on", name, Object.keys(this.#listeners));
    if (typeof listener !== "function") {
      throw new TypeError(`on: the listener of ${name} is ${shown(listener)}. Give a function.`);
    }
    // A client that listens from now on hears what changes from now on.
    if (name === "occupied" || name === "vacated") this.#occupied ??= this.#populated();
    // Of its own, so that one function can listen twice.
    const entry: LifecycleListener<Name> = (event) => listener(event);
    this.#listeners[name].add(entry);
    return () => void this.#listeners[name].delete(entry);
  }

  // ---- connections

  /**
   * A client has come in, by whatever door.
   *
   * @param owner who it is
   * @param times how often the session has been connected, this time included
   */
  connected(connection: Connection, owner: string, times = 1): void {
    connection.owner = owner;
    if (times > 1) this.#resumed.set(connection, times);
    this.#tell("connected", () => this.#ofConnection(connection, 2 * times - 1));
  }

  /** A connection goes on as somebody else: the one is gone, and the other has come. */
  becomes(connection: Connection, owner: string): void {
    if (connection.owner === owner) return;
    const times = this.#resumed.get(connection) ?? 1;
    this.#tell("disconnected", () => this.#ofConnection(connection, 2 * times));
    this.connected(connection, owner, times + 1);
  }

  left(connection: Connection): void {
    const times = this.#resumed.get(connection) ?? 1;
    this.#resumed.delete(connection);
    // One that was never let in was no session.
    if (connection.owner === "") return;
    this.#tell("disconnected", () => this.#ofConnection(connection, 2 * times));
  }

  // ---- channels

  /** The channel has its first subscription. */
  populated({ name }: Channel): void {
    // Those of locks and sequences are internal.
    if (name.startsWith("$")) return;
    this.#vacating.delete(name);
    if (!this.#occupied || this.#occupied.has(name)) return;
    this.#occupied.add(name);
    this.#tell("occupied", () => this.#ofChannel(name));
  }

  /** The last subscription is gone. */
  deserted({ name }: Channel): void {
    if (this.#occupied?.has(name)) this.#vacating.set(name, this.#clock.monotonic() + VACATED_AFTER_MS);
  }

  /** To be called every second or so. */
  tick(now: number): void {
    for (const [name, at] of this.#vacating) {
      if (now < at) break;
      this.#vacating.delete(name);
      this.#occupied?.delete(name);
      this.#tell("vacated", () => this.#ofChannel(name));
    }
  }

  #populated(): Set<ChannelName> {
    const populated = new Set<ChannelName>();
    for (const { name, subscribers } of this.#channels())
      if (subscribers > 0 && !name.startsWith("$")) populated.add(name);
    return populated;
  }

  #ofConnection({ id, publisher, owner }: Connection, version: number): ConnectionEvent {
    const user = owner.startsWith(USER) ? { user: owner.slice(USER.length) } : {};
    return { connection: id, session: publisher, ...user, time: this.#clock.now(), version };
  }

  #ofChannel(channel: ChannelName): ChannelEvent {
    return { channel, node: this.#node, time: this.#clock.now(), version: ++this.#version };
  }

  /** At the end of what is being done, so that a listener may do anything. */
  #tell<Name extends keyof LifecycleEvents>(name: Name, make: () => LifecycleEvents[Name]): void {
    const listeners = [...this.#listeners[name]];
    if (listeners.length === 0) return;
    const event = make();
    queueMicrotask(() => {
      for (const listener of listeners) {
        // An exception and a rejection of its promise are handled alike.
        (async () => listener(event))().catch(this.#failed);
      }
    });
  }
}
