/**
 * The client: channels and requests on one connection. What is the page's lives in `listener.ts`, what is the connection's in
 * `link.ts` and `machine.ts`.
 */
import type { OkFrame, ServerFrame } from "@fanfare/protocol";
import { Channel } from "./channel.js";
import { checkAudible, checkPosition } from "./checks.js";
import type { ChannelDefinitions } from "./define-channels.js";
import { Link, type LinkOwner } from "./link.js";
import { Listener, type ListenerHost, reportError } from "./listener.js";
import type { Lock, LockOptions, LockState, NextOptions, Numbers } from "./lock-types.js";
import { Locks } from "./locks.js";
import { jitterMs } from "./machine.js";
import { Publisher, type PublisherHost } from "./publisher.js";
import { Requests, type SubscribeItem, splitBatches } from "./requests.js";
import { messagesOf } from "./sequence.js";
import type { TypedClient } from "./typed-client.js";
import {
  type Client,
  type ClientClock,
  ClientError,
  type ClientEvents,
  type ClientOptions,
  type ConnectionState,
  type Gap,
  type JsonObject,
  type Message,
  type PatchOptions,
  type Position,
  type PublishOptions,
  type SubscribeOptions,
  type Subscription,
} from "./types.js";

/** A refused subscribe that may succeed later is tried again after half to one and a half of this, unless the server says when. */
const SUBSCRIBE_RETRY_MS = 5000;
const RETRIED = new Set(["unavailable", "rate_limited", "too_many_channels", "internal"]);

/**
 * Makes a client. It connects when something is subscribed, or when `connect` is called.
 *
 * With the type of typed channels, as in `createClient<typeof channels>()`, the compiler knows what each channel carries.
 *
 * @throws ClientError `invalid_url`, `no_websocket`
 * @example
 * const client = createClient({ url: "/push" });
 * client.subscribe("order:42", ({ data }) => show(data));
 */
export function createClient(options?: ClientOptions): Client;
export function createClient<Channels extends ChannelDefinitions>(
  options?: ClientOptions,
): TypedClient<Channels>;
export function createClient(options: ClientOptions = {}): Client {
  return new FanfareClient(options);
}

class FanfareClient implements Client, ListenerHost, LinkOwner, PublisherHost {
  readonly #link: Link;
  readonly #channels = new Map<string, Channel>();
  /** The names of those that the server subscribes by itself. */
  readonly #auto = new Set<string>();
  readonly #requests = new Requests();
  readonly #publisher: Publisher;
  readonly #locks: Locks;
  readonly #handlers: { [Name in keyof ClientEvents]: Set<(value: ClientEvents[Name]) => void> } = {
    state: new Set(),
    gap: new Set(),
    error: new Set(),
    queue: new Set(),
  };
  #flushDue = false;

  constructor(options: ClientOptions) {
    this.#link = new Link(options, this);
    this.#publisher = new Publisher(this, options.queue);
    this.#locks = new Locks(this, this.#link.clock, (frame) => this.ask(JSON.stringify(frame)));
  }

  get clock(): ClientClock {
    return this.#link.clock;
  }

  get state(): ConnectionState {
    return this.#link.state;
  }

  get queued(): number {
    return this.#publisher.waiting;
  }

  // ---- what the page asks

  subscribe<Data>(
    name: string,
    handler: (message: Message<Data>) => void,
    options: SubscribeOptions = {},
  ): Subscription {
    checkAudible(name);
    checkPosition(options.since);
    let channel = this.#channels.get(name);
    if (!channel) {
      channel = new Channel(name);
      this.#channels.set(name, channel);
    }
    const joined = channel;
    // What the data is like is the page's own promise to itself.
    const listener = new Listener(name, handler as (message: Message) => void, options, this);
    joined.listeners.add(listener);
    this.start();
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

  messages<Data>(
    channel: string,
    options: Pick<SubscribeOptions, "since"> = {},
  ): AsyncIterableIterator<Message<Data> | Gap> {
    return messagesOf<Data>(this, channel, options);
  }

  publish(channel: string, data: unknown, options?: PublishOptions): Promise<Position> {
    return this.#publisher.publish(channel, data, options);
  }

  patch(channel: string, patch: JsonObject, options?: PatchOptions): Promise<Position> {
    return this.#publisher.patch(channel, patch, options);
  }

  lock(name: string, options?: LockOptions): Promise<Lock> {
    return this.#locks.lock(name, options);
  }

  watchLock(name: string, handler: (lock: LockState | null) => void): Subscription {
    return this.#locks.watch(name, handler);
  }

  next(name: string, options?: NextOptions): Promise<Numbers> {
    return this.#locks.next(name, options);
  }

  watchSequence(name: string, handler: (last: number | null) => void): Subscription {
    return this.#locks.watchSequence(name, handler);
  }

  on<Name extends keyof ClientEvents>(
    event: Name,
    listener: (value: ClientEvents[Name]) => void,
  ): () => void {
    this.#handlers[event].add(listener);
    return () => void this.#handlers[event].delete(listener);
  }

  connect(): void {
    this.#link.start();
  }

  close(): void {
    this.#link.stop();
  }

  // ---- what listeners ask

  backOff(failures: number, call: () => void): () => void {
    return this.#link.clock.after(jitterMs(failures, this.#link.random), call);
  }

  gap(gap: ClientEvents["gap"]): void {
    if (this.#emit("gap", gap)) return;
    console.warn(`Fanfare: messages of ${gap.channel} are missing (${gap.reason}). Pass onGap.`);
  }

  error(error: Error): void {
    if (!this.#emit("error", error)) reportError(error);
  }

  // ---- what the publisher asks

  /** @throws ClientError `not_connected`, or what the server refuses it with */
  async ask(frame: string): Promise<OkFrame> {
    if (!this.#link.connected) {
      throw new ClientError("not_connected", "there is no connection", "Ask when the state is connected.");
    }
    return this.#requests.ask((id) => this.#link.send(`{"id":${id},${frame.slice(1)}`));
  }

  start(): void {
    if (this.#link.idle) this.#link.start();
  }

  queueChanged(waiting: number): void {
    this.#emit("queue", waiting);
  }

  // ---- what the link tells

  stateChanged(state: ConnectionState): void {
    if (state.status === "closed") this.#publisher.closed(state.why, state.remedy);
    this.#emit("state", state);
  }

  autoPositions(): readonly object[] {
    return [...this.#auto].flatMap((name) => {
      const channel = this.#channels.get(name);
      const since = channel?.since;
      return since && !channel.lacksState(since) ? [{ channel: name, ...since }] : [];
    });
  }

  ready(resumed: boolean): void {
    this.#flush();
    this.#publisher.connected(resumed);
  }

  disconnected(reason: string): void {
    for (const channel of this.#channels.values()) channel.disconnected();
    const lost = new ClientError(
      "not_connected",
      `the connection was lost before the answer came${reason && `: ${reason}`}`,
      "Publish again with the same key; or have the client do that, by `queue`.",
    );
    this.#publisher.disconnected();
    this.#requests.lost(lost);
  }

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
        this.#flush();
        return;
      }
      case "ok":
        this.#requests.answered(frame);
        return;
      case "error":
        this.#refused(frame);
        return;
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

  // ---- subscriptions

  /** Sends what is wanted at the end of this turn, so that what a page subscribes in one go travels together. */
  #flushSoon(): void {
    if (this.#flushDue) return;
    this.#flushDue = true;
    queueMicrotask(() => {
      this.#flushDue = false;
      this.#flush();
    });
  }

  #flush(): void {
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

  // ---- answers

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
    this.#flush();
  }

  #refused(frame: Extract<ServerFrame, { type: "error" }>): void {
    const { id, channel: name, code, message, remedy, retryAfter, lock } = frame;
    const error = new ClientError(code, message, remedy, retryAfter ?? null, lock ?? null);
    if (retryAfter !== undefined && code !== "locked") this.#link.slowDown(retryAfter * 1000);
    if (id === undefined) {
      this.error(error);
      return;
    }
    this.#requests.refused(id, error);
    // The server subscribed by itself before we asked, and its `subscribed` was here or comes yet.
    if (code === "already_subscribed") return;
    for (const channel of [...this.#channels.values()]) {
      const { status } = channel;
      if (status.kind !== "asked" || status.id !== id || channel.name !== (name ?? channel.name)) continue;
      channel.refused(error, this.#retry(channel, error));
    }
  }

  /** Asks again for a channel that was refused, where that may help; answers with what calls it off. */
  #retry(channel: Channel, { code, retryAfter }: ClientError): (() => void) | undefined {
    if (retryAfter === null && !RETRIED.has(code)) return undefined;
    const waitMs = retryAfter === null ? SUBSCRIBE_RETRY_MS * (0.5 + this.#link.random()) : retryAfter * 1000;
    return this.#link.clock.after(waitMs, () => {
      channel.wanted();
      this.#flush();
    });
  }

  #emit<Name extends keyof ClientEvents>(event: Name, value: ClientEvents[Name]): boolean {
    const handlers = [...this.#handlers[event]];
    for (const handler of handlers) {
      // A handler may have changed the state: then all have been told the newer.
      if (event === "state" && value !== this.#link.state) break;
      try {
        handler(value);
      } catch (error) {
        reportError(error);
      }
    }
    return handlers.length > 0;
  }
}
