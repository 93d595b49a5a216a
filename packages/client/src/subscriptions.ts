/**
 * What the page has subscribed: a channel for each name, with the handlers that share it. Asks the server for what is wanted, and passes
 * on what the server says about channels.
 */
import type { ServerFrame } from "@fanfare/protocol";
import { Channel } from "./channel.js";
import { checkAudible, checkHandler, checkPosition } from "./checks.js";
import type { Link } from "./link.js";
import { Listener, type ListenerHost } from "./listener.js";
import { type Requests, type SubscribeItem, splitBatches } from "./requests.js";
import { ClientError, type Message, type SubscribeOptions, type Subscription } from "./types.js";

/** A refused subscribe that may succeed later is tried again after half to one and a half of this, unless the server says when. */
const SUBSCRIBE_RETRY_MS = 5000;
const RETRIED = new Set(["unavailable", "rate_limited", "too_many_channels", "internal"]);

/** What subscriptions need of the client. */
export interface SubscriptionsHost extends ListenerHost {
  /** Connects, where nobody has asked for that yet. */
  start(): void;
}

export class Subscriptions {
  readonly #host: SubscriptionsHost;
  readonly #link: Link;
  readonly #requests: Requests;
  readonly #channels = new Map<string, Channel>();
  /** The names of those that the server subscribes by itself. */
  readonly #auto = new Set<string>();
  #flushDue = false;

  constructor(host: SubscriptionsHost, link: Link, requests: Requests) {
    this.#host = host;
    this.#link = link;
    this.#requests = requests;
  }

  subscribe(name: string, handler: (message: Message) => void, options: SubscribeOptions = {}): Subscription {
    checkAudible(name);
    checkHandler(handler);
    checkPosition(options.since);
    let channel = this.#channels.get(name);
    if (!channel) {
      channel = new Channel(name);
      this.#channels.set(name, channel);
    }
    const joined = channel;
    const listener = new Listener(name, handler, options, this.#host);
    joined.listeners.add(listener);
    this.#host.start();
    this.#flushSoon();
    return {
      channel: name,
      get position() {
        return listener.given;
      },
      get state() {
        return joined.state;
      },
      get stateVersion() {
        return joined.stateVersion;
      },
      get presence() {
        return joined.presence;
      },
      unsubscribe: () => {
        listener.end();
        joined.listeners.delete(listener);
        if (joined.listeners.size === 0) this.#forget(joined);
      },
    };
  }

  /** Where those go on that the server subscribes by itself. */
  autoPositions(): readonly object[] {
    return [...this.#auto].flatMap((name) => {
      const channel = this.#channels.get(name);
      const since = channel?.since;
      return since && !channel.lacksState(since) ? [{ channel: name, ...since }] : [];
    });
  }

  /** Subscribes what is wanted. */
  flush(): void {
    for (const channel of this.#channels.values()) if (!channel.begin()) this.#askAgain(channel);
    if (!this.#link.connected) return;
    const items: SubscribeItem[] = [];
    for (const channel of this.#channels.values()) {
      const { name, status, since } = channel;
      if (status.kind !== "wanted") continue;
      if (since) items.push({ channel: name, since, ...(channel.lacksState(since) && { state: true }) });
      else items.push({ channel: name });
    }
    for (const channels of splitBatches(items)) {
      const id = this.#requests.nextId();
      for (const { channel, since = null } of channels) this.#channels.get(channel)?.asked(id, since);
      this.#link.send({ type: "subscribe", id, channels });
    }
  }

  disconnected(): void {
    for (const channel of this.#channels.values()) channel.disconnected();
  }

  /** A frame that is about a channel. */
  received(frame: ServerFrame): void {
    switch (frame.type) {
      case "subscribed":
        this.#subscribed(frame);
        return;
      case "message":
      case "gap":
        this.#channels.get(frame.channel)?.deliver(frame);
        return;
      case "presence":
        this.#channels.get(frame.channel)?.present(frame);
        return;
      case "state": {
        const channel = this.#channels.get(frame.channel);
        if (!channel || channel.changed(frame)) return;
        this.#askAgain(channel);
        this.flush();
        return;
      }
      case "unsubscribed": {
        const { channel: name, code } = frame;
        const channel = this.#channels.get(name);
        // It may be about an earlier subscription, while a later one is on its way.
        if (channel?.status.kind !== "live") return;
        channel.refused(new ClientError(code, `the server ended ${name}`, "Ask for the grant."));
        return;
      }
      // Other types are those of later servers.
    }
  }

  /** A request was refused: all of its channels, or the one that is named. */
  refused(id: number, name: string | undefined, error: ClientError): void {
    // The server subscribed by itself before we asked, and its `subscribed` was here or comes yet.
    if (error.code === "already_subscribed") return;
    for (const channel of [...this.#channels.values()]) {
      const { status } = channel;
      if (status.kind !== "asked" || status.id !== id || channel.name !== (name ?? channel.name)) continue;
      channel.refused(error, this.#retry(channel, error));
    }
  }

  /** Sends what is wanted at the end of this turn, so that what a page subscribes in one go travels together. */
  #flushSoon(): void {
    if (this.#flushDue) return;
    this.#flushDue = true;
    queueMicrotask(() => {
      this.#flushDue = false;
      this.flush();
    });
  }

  /** Leaves a channel on the server, to subscribe from another position with the next flush. */
  #askAgain(channel: Channel): void {
    this.#unsubscribe(channel.name);
    channel.wanted();
  }

  #unsubscribe(channel: string): void {
    this.#link.send({ type: "unsubscribe", id: this.#requests.nextId(), channel });
  }

  #forget(channel: Channel): void {
    if (this.#channels.get(channel.name) !== channel) return;
    this.#channels.delete(channel.name);
    const { kind } = channel.status;
    if (kind === "asked" || kind === "live") this.#unsubscribe(channel.name);
    channel.disconnected();
  }

  #subscribed(frame: Extract<ServerFrame, { type: "subscribed" }>): void {
    if (frame.id === undefined) this.#auto.add(frame.channel);
    const channel = this.#channels.get(frame.channel);
    if (!channel) {
      // The server did it by itself, and nobody here wants to hear it.
      if (frame.id === undefined) this.#unsubscribe(frame.channel);
      return;
    }
    const { status } = channel;
    // An answer to an earlier request is of no use: a later one is on its way.
    if (frame.id !== undefined && (status.kind !== "asked" || status.id !== frame.id)) return;
    if (channel.subscribed(frame)) return;
    this.#askAgain(channel);
    this.flush();
  }

  /** Asks again for a channel that was refused, where that may help; answers with what calls it off. */
  #retry(channel: Channel, { code, retryAfter }: ClientError): (() => void) | undefined {
    if (retryAfter === null && !RETRIED.has(code)) return undefined;
    const waitMs = retryAfter === null ? SUBSCRIBE_RETRY_MS * (0.5 + this.#link.random()) : retryAfter * 1000;
    return this.#link.clock.after(waitMs, () => {
      channel.wanted();
      this.flush();
    });
  }
}
