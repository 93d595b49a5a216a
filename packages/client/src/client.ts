/**
 * The client: does what the state machine says, and hands frames to the channels they belong to. What is the page's lives in
 * `listener.ts`, what is the connection's in `machine.ts`.
 */
import { FanfareError, parseChannelName, type ServerFrame, SUBPROTOCOL } from "@fanfare/protocol";
import { Channel } from "./channel.js";
import { pageEvents, socketConstructor, systemClock, webSocketUrl } from "./environment.js";
import { Listener, type ListenerHost, reportError } from "./listener.js";
import { type Machine, type MachineEvent, publicState, step } from "./machine.js";
import { type SubscribeItem, splitBatches } from "./requests.js";
import { messagesOf } from "./sequence.js";
import {
  type Client,
  ClientError,
  type ClientEvents,
  type ClientOptions,
  type ConnectionState,
  type Gap,
  type Message,
  type Position,
  type PublishOptions,
  type SocketLike,
  type SubscribeOptions,
  type Subscription,
} from "./types.js";

/** A refused subscribe that may succeed later is tried again after so long, unless the server says otherwise. */
const SUBSCRIBE_RETRY_MS = 5000;
const OPEN = 1;

interface Publishing {
  resolve(position: Position): void;
  reject(error: ClientError): void;
}

/**
 * Makes a client. It connects when something is subscribed, or when `connect` is called.
 *
 * @throws ClientError `invalid_url`, `no_websocket`
 * @example
 * const client = createClient({ url: "/push" });
 * client.subscribe("order:42", ({ data }) => show(data));
 */
export function createClient(options: ClientOptions = {}): Client {
  return new FanfareClient(options);
}

class FanfareClient implements Client, ListenerHost {
  readonly #options: ClientOptions;
  readonly #url: string;
  readonly #clock;
  readonly #random: () => number;
  readonly #Socket;
  readonly #channels = new Map<string, Channel>();
  readonly #publishing = new Map<number, Publishing>();
  readonly #handlers: { [Name in keyof ClientEvents]: Set<(value: ClientEvents[Name]) => void> } = {
    state: new Set(),
    gap: new Set(),
    error: new Set(),
  };
  #machine: Machine = { phase: "idle" };
  #state: ConnectionState = { status: "idle" };
  #socket: SocketLike | null = null;
  #cancelTimer: (() => void) | null = null;
  #session: string | null = null;
  #nextId = 1;
  #flushDue = false;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#url = webSocketUrl(options.url ?? "/push");
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#Socket = socketConstructor(options.WebSocket);
    const page = options.page ?? pageEvents();
    for (const event of ["visible", "online", "offline"] as const)
      page?.on(event, () => this.#step({ kind: "wake" }));
    for (const event of ["pagehide", "pageshow"] as const) page?.on(event, () => this.#step({ kind: event }));
  }

  get state(): ConnectionState {
    return this.#state;
  }

  // ---- what the page asks

  subscribe<Data>(
    name: string,
    handler: (message: Message<Data>) => void,
    options: SubscribeOptions = {},
  ): Subscription {
    checkChannel(name);
    let channel = this.#channels.get(name);
    if (!channel) {
      channel = new Channel(name);
      this.#channels.set(name, channel);
    }
    const joined = channel;
    // What the data is like is the page's own promise to itself.
    const listener = new Listener(name, handler as (message: Message) => void, options, this);
    joined.add(listener);
    if (options.since && joined.status.kind === "live") this.#askAgain(joined);
    if (this.#machine.phase === "idle") this.#step({ kind: "start" });
    this.#flushSoon();
    return {
      channel: name,
      get position() {
        return listener.position;
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

  publish(channel: string, data: unknown, { event, key }: PublishOptions = {}): Promise<Position> {
    return new Promise((resolve, reject) => {
      checkChannel(channel);
      if (this.#machine.phase !== "connected") {
        throw new ClientError(
          "not_connected",
          "there is no connection",
          "Publish when the state is connected.",
        );
      }
      const id = this.#nextId++;
      this.#publishing.set(id, { resolve, reject });
      this.#send({ type: "publish", id, channel, data, event, key });
    });
  }

  on<Name extends keyof ClientEvents>(
    event: Name,
    listener: (value: ClientEvents[Name]) => void,
  ): () => void {
    this.#handlers[event].add(listener);
    return () => void this.#handlers[event].delete(listener);
  }

  connect(): void {
    this.#step({ kind: "start" });
  }

  close(): void {
    this.#step({ kind: "stop" });
  }

  // ---- what listeners ask

  after(ms: number, call: () => void): () => void {
    return this.#clock.after(ms, call);
  }

  gap(gap: ClientEvents["gap"]): void {
    if (this.#emit("gap", gap)) return;
    console.warn(`Fanfare: messages of ${gap.channel} are missing (${gap.reason}). Pass onGap to handle it.`);
  }

  error(error: Error): void {
    if (!this.#emit("error", error)) reportError(error);
  }

  // ---- what the machine says

  #step(event: MachineEvent): void {
    const before = this.#machine;
    const { next, effects } = step(before, event, { now: this.#clock.now(), random: this.#random });
    this.#machine = next;
    if (effects.timerMs !== undefined) {
      this.#cancelTimer?.();
      this.#cancelTimer =
        effects.timerMs === null
          ? null
          : this.#clock.after(effects.timerMs, () => this.#step({ kind: "timer" }));
    }
    if (effects.leave) this.#dropSocket(1000);
    if (effects.drop || effects.open) this.#dropSocket();
    if (effects.open) this.#openSocket();
    if (effects.greet) void this.#greet();
    if (effects.ping) this.#send({ type: "ping" });
    if (effects.subscribe) this.#flush();
    // A handler of the page may have caused another step: then that one has told.
    if (next.phase === before.phase || this.#machine !== next) return;
    const state = publicState(next);
    if (state.status === "connecting" && this.#state.status === "connecting") return;
    this.#state = state;
    this.#emit("state", state);
  }

  #openSocket(): void {
    let socket: SocketLike;
    try {
      socket = new this.#Socket(this.#url, SUBPROTOCOL);
    } catch (error) {
      // A page's own policy can forbid the address; trying again is all that can be done.
      this.#clock.after(0, () => this.#step({ kind: "lost", code: 1006, reason: String(error) }));
      return;
    }
    this.#socket = socket;
    const mine = (act: () => void) => () => void (this.#socket === socket && act());
    socket.onopen = mine(() => this.#step({ kind: "opened" }));
    socket.onerror = () => {}; // `onclose` follows.
    socket.onclose = ({ code, reason }) => mine(() => this.#closed(code, reason))();
    socket.onmessage = ({ data }) => mine(() => this.#receive(String(data)))();
  }

  #closed(code: number, reason: string): void {
    this.#socket = null;
    this.#disconnected();
    this.#step({ kind: "lost", code, reason });
  }

  /** Lets go of the socket: whatever it still says is not heard. */
  #dropSocket(code?: number): void {
    const socket = this.#socket;
    if (!socket) return;
    this.#socket = null;
    if (code !== undefined) this.#session = null;
    socket.close(code);
    this.#disconnected();
  }

  #disconnected(): void {
    for (const channel of this.#channels.values()) channel.status = { kind: "wanted" };
    const lost = new ClientError(
      "not_connected",
      "the connection was lost before the answer came",
      "Publish again with the same key; without a key it may appear twice.",
    );
    for (const { reject } of this.#publishing.values()) reject(lost);
    this.#publishing.clear();
  }

  async #greet(): Promise<void> {
    const socket = this.#socket;
    const { getToken } = this.#options;
    let { token } = this.#options;
    try {
      if (getToken) token = await getToken();
    } catch (error) {
      this.error(error instanceof Error ? error : new Error(String(error)));
      if (this.#socket === socket) this.#closedByUs("The token could not be had.");
      return;
    }
    // While the token was fetched the socket may have gone.
    if (this.#socket === socket) this.#send({ type: "connect", session: this.#session ?? undefined, token });
  }

  #closedByUs(reason: string): void {
    this.#dropSocket();
    this.#step({ kind: "lost", code: 1006, reason });
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
    if (this.#machine.phase !== "connected") return;
    const items: SubscribeItem[] = [];
    for (const { name, status, since } of this.#channels.values()) {
      if (status.kind === "wanted") items.push({ channel: name, ...(since && { since }) });
    }
    for (const channels of splitBatches(items)) {
      const id = this.#nextId++;
      for (const { channel } of channels) {
        const asked = this.#channels.get(channel);
        if (asked) asked.status = { kind: "asked", id };
      }
      this.#send({ type: "subscribe", id, channels });
    }
  }

  #askAgain(channel: Channel): void {
    this.#send({ type: "unsubscribe", id: this.#nextId++, channel: channel.name });
    channel.status = { kind: "wanted" };
  }

  #forget(channel: Channel): void {
    if (this.#channels.get(channel.name) !== channel) return;
    this.#channels.delete(channel.name);
    const { kind } = channel.status;
    if (kind === "asked" || kind === "live") {
      this.#send({ type: "unsubscribe", id: this.#nextId++, channel: channel.name });
    }
  }

  // ---- frames

  #send(frame: object): void {
    if (this.#socket?.readyState === OPEN) this.#socket.send(JSON.stringify(frame));
  }

  #receive(text: string): void {
    const frame = JSON.parse(text) as ServerFrame;
    this.#step({ kind: "heard" });
    switch (frame.type) {
      case "connected":
        this.#session = frame.session;
        this.#step({ kind: "connected", connection: frame.connection, resumed: frame.resumed });
        return;
      case "subscribed": {
        const channel = this.#channels.get(frame.channel);
        // An answer to an earlier request is of no use: a later one is on its way.
        if (channel?.status.kind === "asked" && channel.status.id === frame.id) channel.subscribed(frame);
        return;
      }
      case "message":
      case "gap":
        this.#channels.get(frame.channel)?.deliver(frame);
        return;
      case "ok":
        if (frame.epoch !== undefined && frame.offset !== undefined) {
          this.#publishing.get(frame.id)?.resolve({ epoch: frame.epoch, offset: frame.offset });
        }
        this.#publishing.delete(frame.id);
        return;
      case "error":
        this.#refused(frame);
        return;
      case "unsubscribed": {
        const channel = this.#channels.get(frame.channel);
        if (!channel) return;
        channel.status = { kind: "refused" };
        channel.failed(
          new ClientError(frame.code, `the server ended ${frame.channel}`, "Ask for the grant."),
        );
        return;
      }
      case "goodbye":
        this.#step({ kind: "goodbye", retryAfterMs: frame.retryAfter * 1000 });
        return;
    }
  }

  #refused({
    id,
    channel: name,
    code,
    message,
    remedy,
    retryAfter,
  }: Extract<ServerFrame, { type: "error" }>): void {
    const error = new ClientError(code, message, remedy, retryAfter ?? null);
    const publishing = id === undefined ? undefined : this.#publishing.get(id);
    if (publishing) {
      publishing.reject(error);
      if (id !== undefined) this.#publishing.delete(id);
      return;
    }
    const channel = name === undefined ? undefined : this.#channels.get(name);
    if (channel?.status.kind !== "asked" || channel.status.id !== id) return;
    channel.status = { kind: "refused" };
    channel.failed(error);
    if (code !== "unavailable" && code !== "rate_limited" && code !== "too_many_channels") return;
    this.#clock.after(retryAfter === undefined ? SUBSCRIBE_RETRY_MS : retryAfter * 1000, () => {
      if (channel.status.kind !== "refused") return;
      channel.status = { kind: "wanted" };
      this.#flush();
    });
  }

  #emit<Name extends keyof ClientEvents>(event: Name, value: ClientEvents[Name]): boolean {
    const handlers = this.#handlers[event];
    for (const handler of [...handlers]) {
      try {
        handler(value);
      } catch (error) {
        reportError(error);
      }
    }
    return handlers.size > 0;
  }
}

/** @throws ClientError `invalid_channel` */
function checkChannel(name: string): void {
  try {
    parseChannelName(name);
  } catch (error) {
    if (!(error instanceof FanfareError)) throw error;
    throw new ClientError(error.code, error.message, error.remedy);
  }
}
