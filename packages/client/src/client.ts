/**
 * The client: subscriptions, requests and locks on one connection. The page's part lives in `subscriptions.ts` and `listener.ts`, the connection's in `link.ts` and `machine.ts`.
 */
import type { JsonObject, LockRecord, Numbers, OkFrame, ServerFrame } from "@fanfare/protocol";
import { ClientError } from "./client-error.js";
import type { ClientClock, ClientOptions } from "./client-options.js";
import type { Client } from "./client-types.js";
import type { ChannelDefinitions } from "./define-channels.js";
import { Handlers } from "./handlers.js";
import { Link, type LinkOwner } from "./link.js";
import { reportError } from "./listener.js";
import type { Lock, LockOptions, NextOptions } from "./lock-types.js";
import { Locks, whenConnected } from "./locks.js";
import { jitterMs, RETRY_MIN_MS, waitMs } from "./machine.js";
import { CLIENT, checkOptions, LOCK, MESSAGES, NEXT, PATCH, PUBLISH, SUBSCRIBE } from "./names.js";
import { Publisher, type PublisherHost } from "./publisher.js";
import { Requests } from "./requests.js";
import { messagesOf } from "./sequence.js";
import { Subscriptions, type SubscriptionsHost } from "./subscriptions.js";
import type { TypedClient } from "./typed-client.js";
import type {
  ClientEvents,
  Connection,
  Gap,
  Message,
  PatchOptions,
  Position,
  PublishOptions,
  SubscribeOptions,
  Subscription,
} from "./types.js";

/**
 * Makes a client. It connects when something is subscribed, or when `connect` is called.
 *
 * With the type of typed channels, as in `createClient<typeof channels>()`, the compiler knows what each channel carries.
 *
 * @throws ClientError `invalid_url`, `no_websocket`, `invalid_options`
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

class FanfareClient implements Client, SubscriptionsHost, LinkOwner, PublisherHost {
  readonly #link: Link;
  readonly #requests = new Requests();
  readonly #subscriptions: Subscriptions;
  readonly #publisher: Publisher;
  readonly #locks: Locks;
  readonly #handlers = new Handlers();

  constructor(options: ClientOptions) {
    checkOptions(options, CLIENT);
    this.#link = new Link(options, this);
    this.#subscriptions = new Subscriptions(this, this.#link, this.#requests);
    this.#publisher = new Publisher(this, options.queue);
    this.#locks = new Locks(this, this.#link, (frame) => this.ask(JSON.stringify(frame)));
  }

  get clock(): ClientClock {
    return this.#link.clock;
  }

  get connection(): Connection {
    return this.#link.connection;
  }

  get queued(): number {
    return this.#publisher.waiting;
  }

  get memberId(): string | null {
    return this.#link.memberId;
  }

  // ---- what the page asks

  subscribe<Data>(
    name: string,
    handler: (message: Message<Data>) => void,
    options?: SubscribeOptions,
  ): Subscription {
    checkOptions(options, SUBSCRIBE);
    // The type of the data is the page's own promise to itself.
    return this.#subscriptions.subscribe(name, handler as (message: Message) => void, options);
  }

  messages<Data>(
    channel: string,
    options: Pick<SubscribeOptions, "since"> = {},
  ): AsyncIterableIterator<Message<Data> | Gap> {
    checkOptions(options, MESSAGES);
    return messagesOf<Data>(this, channel, options);
  }

  async publish(channel: string, data: unknown, options?: PublishOptions): Promise<Position> {
    checkOptions(options, PUBLISH);
    return this.#publisher.publish(channel, data, options);
  }

  async patch(channel: string, patch: JsonObject, options?: PatchOptions): Promise<Position> {
    checkOptions(options, PATCH);
    return this.#publisher.patch(channel, patch, options);
  }

  async lock(name: string, options?: LockOptions): Promise<Lock> {
    checkOptions(options, LOCK);
    return this.#locks.lock(name, options);
  }

  watchLock(name: string, handler: (lock: LockRecord | null) => void): Subscription {
    return this.#locks.watch(name, handler);
  }

  async next(name: string, options?: NextOptions): Promise<Numbers> {
    checkOptions(options, NEXT);
    return this.#locks.next(name, options);
  }

  watchSequence(name: string, handler: (last: number | null) => void): Subscription {
    return this.#locks.watchSequence(name, handler);
  }

  on<Name extends keyof ClientEvents>(
    event: Name,
    listener: (value: ClientEvents[Name]) => void,
  ): () => void {
    return this.#handlers.on(event, listener);
  }

  connect(): void {
    this.#link.start();
  }

  close(): void {
    this.#link.stop();
  }

  // ---- what listeners ask

  backOff(failures: number, call: () => void): () => void {
    const { clock, random } = this.#link;
    const ms = jitterMs(failures, random);
    let cancel = () => {};
    // A client that is closed leaves no timer behind.
    const off = this.#handlers.on("connection", ({ status }) => {
      if (status === "closed") cancel();
      else if (status === "connected") start();
    });
    const start = () => {
      cancel();
      cancel = clock.after(ms, () => {
        off();
        call();
      });
    };
    if (this.connection.status !== "closed") start();
    return () => {
      cancel();
      off();
    };
  }

  gap(gap: ClientEvents["gap"]): void {
    if (this.#handlers.tell("gap", gap)) return;
    console.warn(`Fanfare: messages of ${gap.channel} are missing (${gap.reason}). Pass onGap.`);
  }

  error(error: Error): void {
    if (!this.#handlers.tell("error", error)) reportError(error);
  }

  // ---- what the publisher asks

  /** @throws ClientError `not_connected`, or what the server refuses it with */
  async ask(frame: string): Promise<OkFrame> {
    if (!this.#link.connected) {
      const now = this.connection;
      throw new ClientError(
        "not_connected",
        "reason" in now ? now.reason : "there is no connection",
        "remedy" in now ? now.remedy : "Ask when it is connected, or have publishes wait, by `queue`.",
      );
    }
    const { frameBytes } = this.#link;
    return this.#requests.ask((request) => {
      const text = `{"request":${request},${frame.slice(1)}`;
      // For a larger one the server would close the connection, which all share.
      const bytes = 3 * text.length > frameBytes ? new TextEncoder().encode(text).length : 0;
      if (bytes > frameBytes) {
        throw new ClientError(
          "too_large",
          `the frame has ${bytes} bytes, and the server reads ${frameBytes}`,
          "Send less, or send a reference to the data.",
        );
      }
      this.#link.send(text);
    });
  }

  get isConnected(): boolean {
    return this.#link.connected;
  }

  whenConnected(): Promise<void> {
    return whenConnected(this);
  }

  start(): void {
    if (this.#link.idle) this.#link.start();
  }

  queueChanged(waiting: number): void {
    this.#handlers.tell("queue", waiting);
  }

  // ---- what the link tells

  connectionChanged(now: Connection): void {
    if (now.status === "closed") this.#publisher.closed(now.reason, now.remedy);
    // A handler may have changed the connection: then all have been told the newer.
    this.#handlers.tell("connection", now, () => now === this.connection);
  }

  autoPositions(): readonly object[] {
    return this.#subscriptions.autoPositions();
  }

  ready(resumed: boolean): void {
    this.#subscriptions.granted();
    this.#publisher.connected(resumed);
  }

  disconnected(reason: string): void {
    this.#subscriptions.disconnected();
    const lost = new ClientError(
      "not_connected",
      `the connection was lost before the answer came${reason && `: ${reason}`}`,
      "Where `client.connection` is closed, it says what to do; else publish again with the same id, or have the client do that, by `queue`.",
    );
    this.#publisher.disconnected();
    this.#requests.lost(lost);
  }

  granted(): void {
    this.#subscriptions.granted();
  }

  woken(): void {
    this.#locks.wake();
  }

  received(frame: ServerFrame): void {
    if (frame.type === "ok") {
      this.#requests.answered(frame);
      this.#subscriptions.answered(frame.request);
    } else if (frame.type === "error") this.#refused(frame);
    else this.#subscriptions.received(frame);
  }

  #refused(frame: Extract<ServerFrame, { type: "error" }>): void {
    const { request, channel, code, message, remedy, retryAfterSeconds, lock, time } = frame;
    const error = new ClientError(code, message, remedy, { retryAfterSeconds, channel, lock, time });
    if (retryAfterSeconds !== undefined && code !== "locked")
      this.#link.slowDown(waitMs(retryAfterSeconds, RETRY_MIN_MS));
    if (request === undefined) {
      this.error(error);
      return;
    }
    this.#requests.refused(request, error);
    this.#subscriptions.refused(request, channel, error);
  }
}
