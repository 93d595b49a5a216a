/**
 * What the page has subscribed: a channel for each name, with the handlers that share it. Brings what the server has subscribed to what the
 * page wants: asks, leaves, and asks again what was refused for a while. Passes on what the server says about channels.
 */
import type { ServerFrame } from "@fanfare/protocol";
import { type Again, Channel } from "./channel.js";
import { checkAudible, checkHandler, checkPosition } from "./checks.js";
import { ClientError } from "./client-error.js";
import type { Link } from "./link.js";
import { Listener, type ListenerHost } from "./listener.js";
import { type Requests, type SubscribeItem, splitBatches } from "./requests.js";
import { Retry } from "./retry.js";
import type { Message, SubscribeOptions, Subscription } from "./types.js";

/** The server closes a connection that it has refused more than 20 channels within a minute: this many we risk ourselves. */
const MAX_FORBIDDEN = 15;
const MINUTE_MS = 60_000;

/** What subscriptions need of the client. */
export interface SubscriptionsHost extends ListenerHost {
  /** Connects, unless the client connects already. */
  start(): void;
}

export class Subscriptions {
  readonly #host: SubscriptionsHost;
  readonly #link: Link;
  readonly #requests: Requests;
  readonly #channels = new Map<string, Channel>();
  /** The names of those that the server subscribes by itself. */
  readonly #auto = new Set<string>();
  /** What the server has and the page has left: with the request that leaves it, 0 while there is none. */
  readonly #leaving = new Map<string, number>();
  readonly #retry: Retry;
  /** A request to leave was refused: the next one goes with what is asked again. */
  #leavesLater = false;
  #flushDue = false;
  /** Channels that were refused and may be granted now: asked for in turn, as far as the server bears it. */
  readonly #inTurn = new Set<Channel>();
  #cancelTurn: (() => void) | null = null;
  /** How many requests were forbidden since then: within a minute, as the server counts. */
  #forbidden = { since: 0, count: 0 };

  constructor(host: SubscriptionsHost, link: Link, requests: Requests) {
    this.#host = host;
    this.#link = link;
    this.#requests = requests;
    this.#retry = new Retry(link, () => {
      this.#leavesLater = false;
      this.#want("later");
    });
  }

  subscribe(name: string, handler: (message: Message) => void, options: SubscribeOptions = {}): Subscription {
    checkAudible(name);
    checkHandler(handler);
    checkPosition(options.since);
    this.#host.start();
    let channel = this.#channels.get(name);
    if (!channel) {
      channel = new Channel(name);
      this.#channels.set(name, channel);
    }
    const joined = channel;
    const listener = new Listener(name, handler, options, this.#host);
    joined.listeners.add(listener);
    const { status } = joined;
    // The others have been told.
    if (status.kind === "refused") queueMicrotask(() => listener.failed(status.error));
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

  /** Leaves what is not wanted any more, then subscribes what is. */
  flush(): void {
    for (const channel of this.#channels.values()) if (!channel.begin()) this.#askAgain(channel);
    if (!this.#link.connected) return;
    if (!this.#leavesLater) this.#leave();
    const items: SubscribeItem[] = [];
    for (const channel of this.#channels.values()) {
      const { name, status, since } = channel;
      if (status.kind !== "wanted" || this.#leaving.get(name) === 0) continue;
      if (since) items.push({ channel: name, since, ...(channel.lacksState(since) && { state: true }) });
      else items.push({ channel: name });
    }
    for (const channels of splitBatches(items)) {
      const request = this.#requests.nextNumber();
      for (const { channel, since = null } of channels) this.#channels.get(channel)?.asked(request, since);
      this.#link.send({ type: "subscribe", request, channels });
    }
  }

  disconnected(): void {
    this.#leaving.clear();
    this.#leavesLater = false;
    this.#retry.cancel();
    this.#inTurn.clear();
    this.#cancelTurn?.();
    // It counts for each connection by itself.
    this.#forbidden.count = 0;
    for (const channel of this.#channels.values()) channel.disconnected();
  }

  /** There is a connection, or what the client may do there has changed: subscribes what is wanted and what was not granted. */
  granted(): void {
    for (const channel of this.#channels.values()) if (channel.again === "grant") this.#inTurn.add(channel);
    this.flush();
    if (this.#inTurn.size > 0) this.#askInTurn();
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
        channel.refused(new ClientError(code, `the server ended ${name}`, "Ask for the grant."), "grant");
        this.#want("room");
        return;
      }
      // Other types are those of later servers.
    }
  }

  /** A request was done: where it has left channels, there is room for others. */
  answered(request: number): void {
    let any = false;
    for (const [name, leaving] of this.#leaving) {
      if (leaving === request) any = this.#leaving.delete(name);
    }
    if (any) this.#want("room");
    if (this.#inTurn.size > 0) this.#askInTurn();
  }

  /** A request was refused, whatever it was about: all of its channels, or the one that is named. */
  refused(request: number, name: string | undefined, error: ClientError): void {
    const { code, passes } = error;
    // The server counts those of all requests together.
    if (code === "forbidden") this.#recentlyForbidden().count++;
    for (const [left, leaving] of this.#leaving) {
      if (leaving !== request) continue;
      this.#leaving.set(left, 0);
      this.#leavesLater = true;
      this.#retry.after(error);
    }
    const named = name !== undefined && this.#channels.get(name);
    for (const channel of named ? [named] : [...this.#channels.values()]) {
      const { status } = channel;
      if (status.kind !== "asked" || status.request !== request || channel.name !== (name ?? channel.name))
        continue;
      if (code === "already_subscribed") {
        // By an earlier request of ours, or by itself: where that one began is not known.
        this.#askAgain(channel);
        this.#flushSoon();
      } else if (passes) channel.refused(error, "later", !this.#retry.after(error));
      else {
        channel.refused(error, AGAIN[code] ?? null);
        // What it was before may still be left.
        this.#flushSoon();
      }
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

  /** Asks again for what was refused until then. */
  #want(until: Again): void {
    for (const channel of this.#channels.values()) if (channel.again === until) channel.wanted();
    this.flush();
  }

  /** Each that is on its way may be forbidden. A granted channel makes place for others at once, any other within a minute. */
  #askInTurn(): void {
    const asked = [...this.#channels.values()].filter(({ status }) => status.kind === "asked").length;
    let left = MAX_FORBIDDEN - this.#recentlyForbidden().count - asked;
    for (const channel of this.#inTurn) {
      if (left-- <= 0) break;
      this.#inTurn.delete(channel);
      if (channel.status.kind === "refused") channel.wanted();
    }
    this.flush();
    this.#cancelTurn?.();
    const later = () => this.#askInTurn();
    this.#cancelTurn = this.#inTurn.size > 0 ? this.#link.clock.after(MINUTE_MS, later) : null;
  }

  #recentlyForbidden(): { since: number; count: number } {
    const now = this.#link.clock.now();
    if (Math.abs(now - this.#forbidden.since) >= MINUTE_MS) this.#forbidden = { since: now, count: 0 };
    return this.#forbidden;
  }

  /** Leaves a channel on the server, to subscribe from another position with the next flush. */
  #askAgain(channel: Channel): void {
    this.#leaving.set(channel.name, 0);
    channel.wanted();
  }

  /**
   * Leaves what the page has left, and what has not been confirmed since it was refused; not what was asked for since then, since the
   * answer says whether the server has it.
   */
  #leave(): void {
    const names = [...this.#leaving.keys()].filter(
      (name) => this.#leaving.get(name) === 0 && this.#channels.get(name)?.status.kind !== "asked",
    );
    for (const channels of splitBatches(names)) {
      const request = this.#requests.nextNumber();
      for (const name of channels) this.#leaving.set(name, request);
      this.#link.send({ type: "unsubscribe", request, channels });
    }
  }

  #forget(channel: Channel): void {
    if (this.#channels.get(channel.name) !== channel) return;
    this.#channels.delete(channel.name);
    const { kind } = channel.status;
    if (kind === "asked" || kind === "live") this.#leaving.set(channel.name, 0);
    this.#flushSoon();
  }

  #subscribed(frame: Extract<ServerFrame, { type: "subscribed" }>): void {
    const { request, channel: name } = frame;
    // What the server did by itself is left at this moment, or is asked for in another way.
    const isLeft = request === undefined && this.#leaving.has(name);
    if (request === undefined) this.#auto.add(name);
    const channel = this.#channels.get(name);
    if (isLeft) return;
    if (!channel) {
      // No handler here wants to hear it.
      if (request === undefined) this.#leaving.set(name, 0);
      this.#flushSoon();
      return;
    }
    const { status } = channel;
    // An answer to an earlier request is of no use: a later one is on its way.
    if (request !== undefined && (status.kind !== "asked" || status.request !== request)) return;
    // The server has it now by this request, whatever became of one to leave that was before.
    this.#leaving.delete(name);
    if (channel.subscribed(frame)) return;
    this.#askAgain(channel);
    this.flush();
  }
}

/** What a refusal waits for that no time mends. */
const AGAIN: Readonly<Record<string, Again>> = { too_many_subscriptions: "room", forbidden: "grant" };
