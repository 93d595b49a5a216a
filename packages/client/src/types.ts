/** The types that users of the client see. Says all of it in its own words, so that the package needs no other. */
import type { LockState, LocksAndSequences } from "./lock-types.js";

/** A place in a channel's log: everything up to this message has been seen. */
export interface Position {
  /** Says which log it belongs to; 16 hexadecimal characters. */
  readonly epoch: string;
  /** 1, 2, 3 …; 0 is before the first message. */
  readonly offset: number;
}

/** A message, as its publisher gave it, and where it stands. */
export interface Message<Data = unknown, Event extends string = string> {
  readonly type: "message";
  readonly channel: string;
  readonly offset: number;
  /** Milliseconds since 1970, by the server's clock. */
  readonly time: number;
  /** The kind of message; `"message"` unless the publisher said otherwise. */
  readonly event: Event;
  readonly data: Data;
  /** The user who published, where a client did. */
  readonly user?: string;
  /** The publisher's idempotency key. */
  readonly id?: string;
}

/** A JSON object. */
export type JsonObject = { readonly [key: string]: unknown };

/** The state of a channel, and what has just changed in it. */
export interface StateChange<State = JsonObject> {
  readonly channel: string;
  /** The whole; `null` when there is none, or no more. Do not change it: it is shared. */
  readonly state: State | null;
  /** The members that changed, as a JSON Merge Patch; `null` when this is another state altogether, as the first time. */
  readonly patch: JsonObject | null;
}

/** Somebody who is on a channel: a user with all connections, or a session that has no user. */
export interface Member<Info = unknown> {
  /** The same as long as it is there; no secret. */
  readonly id: string;
  /** The id of the user, where there is one. */
  readonly user?: string;
  /** The application's words about the user, such as a name. */
  readonly info?: Info;
  /** Since when: milliseconds since 1970, by the server's clock. */
  readonly since: number;
}

/** The members on a channel. */
export interface Presence<Info = unknown> {
  readonly count: number;
  /** All of them; `null` while only the count is known, as when there are too many. */
  readonly members: readonly Member<Info>[] | null;
}

/** The members on a channel, and what has just changed. */
export interface PresenceChange<Info = unknown> extends Presence<Info> {
  readonly channel: string;
  /** Members who were not there the last time; at first, all. */
  readonly joined: readonly Member<Info>[];
  /** Members who were there the last time, and have left. */
  readonly left: readonly Member<Info>[];
}

/** Why messages are missing. */
export type GapReason =
  | "evicted"
  | "restarted"
  | "epoch_changed"
  | "forgotten"
  | "conflated"
  | "too_slow"
  | "not_allowed_history";

/** Messages that will not come. */
export interface Gap {
  readonly type: "gap";
  readonly channel: string;
  readonly reason: GapReason;
  /** The first and last that are missing; `null` where that is not known, as after a restart of the server. */
  readonly from: number | null;
  readonly to: number | null;
}

/** A subscription begins, or goes on after a reconnect. */
export interface Subscribed {
  readonly channel: string;
  /** Delivery starts after this. */
  readonly position: Position;
  /** True when nothing was missed since the last position. Always false the first time, unless `since` was given. */
  readonly recovered: boolean;
  /** Why not, where something was missed. */
  readonly reason: GapReason | null;
}

/** How the connection goes: `sse` is Server-Sent Events and HTTP requests, where WebSockets are blocked. */
export type Transport = "websocket" | "sse";

/** The connection: what it is doing, and why. */
export type Connection =
  /** Nothing is subscribed yet, so the client does not connect. Or the page was left, and may come back. */
  | { readonly status: "idle" }
  | { readonly status: "connecting" }
  | {
      readonly status: "connected";
      /** The connection's name; no secret. */
      readonly id: string;
      /** The session of the last connection goes on. */
      readonly resumed: boolean;
      readonly transport: Transport;
    }
  | {
      readonly status: "reconnecting";
      /** A sentence that says what happened. */
      readonly reason: string;
      /** Which try comes next: 1 is the first after a connection that held. */
      readonly attempt: number;
      /** When the next try begins: milliseconds since 1970, by this machine's clock. */
      readonly retryAt: number;
    }
  | {
      readonly status: "closed";
      /** A sentence that says what happened. */
      readonly reason: string;
      /** The remedy. */
      readonly remedy: string;
      /** The WebSocket close code; `null` when the page closed it. */
      readonly code: number | null;
    };

const PASSING = new Set([
  "not_connected",
  "unavailable",
  "rate_limited",
  "too_many_channels",
  "share_used_up",
  "insufficient_storage",
  "internal",
]);

/** Something was refused; `remedy` says what to do. */
export class ClientError extends Error {
  override readonly name = "ClientError";
  /** Stable; see the table of error codes in the protocol. */
  readonly code: string;
  readonly remedy: string;
  /** Seconds to wait before the next try, where waiting helps. */
  readonly retryAfterSeconds: number | null;
  /** With `locked`: the holder of the lock, and the end of the lease; `null` where this client does itself. */
  readonly lock: LockState | null;

  constructor(
    code: string,
    message: string,
    remedy: string,
    retryAfterSeconds: number | null = null,
    lock: LockState | null = null,
  ) {
    super(message);
    this.code = code;
    this.remedy = remedy;
    this.retryAfterSeconds = retryAfterSeconds;
    this.lock = lock;
  }

  /** It passes by itself, so the same may succeed later. The client asks again for channels that were refused so. */
  get passes(): boolean {
    return this.retryAfterSeconds !== null || PASSING.has(this.code);
  }
}

export interface SubscribeOptions<State = JsonObject, Info = unknown> {
  /** Where to go on: what came after this position is delivered first. @default the newest message */
  readonly since?: Position;
  /**
   * Loads what the page shows, and shows it. It is called once the subscription stands; messages wait until it resolves,
   * so nothing is lost between loading and listening. It is called again whenever messages were missed; those that waited
   * by then are in what it loads, and are not delivered. It never runs twice at once. When it fails, it is called again
   * after a while.
   */
  readonly snapshot?: () => Promise<unknown>;
  /** Messages were missed. @default the client's `gap` listeners */
  readonly onGap?: (gap: Gap) => void;
  /**
   * The channel's state: as it is when the subscription stands, if there is one, and after each change. A page that reads slowly
   * gets the last, and may miss the steps to it. It does not wait for `snapshot`.
   */
  readonly onState?: (change: StateChange<State>) => void;
  /**
   * The members on the channel, where the server follows them and the page may see them. It is called when the subscription
   * stands, and after each change. After a lost connection `joined` and `left` say what has changed meanwhile.
   */
  readonly onPresence?: (change: PresenceChange<Info>) => void;
  /** The subscription stands: at first, after every reconnect, and when the server was asked for earlier messages. */
  readonly onSubscribed?: (subscribed: Subscribed) => void;
  /** The server refused, or the snapshot failed. @default the client's `error` listeners */
  readonly onError?: (error: Error) => void;
}

export interface Subscription<State = JsonObject, Info = unknown> {
  readonly channel: string;
  /** The position of this handler; `since` or `null` until the subscription stands. */
  readonly position: Position | null;
  /** The channel's state; `null` when there is none, or it is not known yet. */
  readonly state: State | null;
  /** Which version of the state that is, for `ifVersion` of `patch`; `null` when there is none, or it is not known. */
  readonly stateVersion: Position | null;
  /** The members on the channel; `null` when the server does not follow them, the page may not see them, or they are not known yet. */
  readonly presence: Presence<Info> | null;
  /** Ends it. The last one of a channel to leave ends the channel's subscription on the server. */
  unsubscribe(): void;
}

export interface PublishOptions {
  /** The kind of message. @default "message" */
  readonly event?: string;
  /**
   * Idempotency key, 1 to 200 characters: the same message with the same id is appended once within 5 minutes. It comes back as the
   * `id` of the message. @default a random one
   */
  readonly id?: string;
}

export interface PatchOptions {
  /**
   * Changes the state only while it is this version, as `subscription.stateVersion` says it; `null`: only while there is none.
   *
   * @default whatever it is
   */
  readonly ifVersion?: Position | null;
  /** Idempotency key, 1 to 200 characters: the same change with the same id is made once within 5 minutes. @default a random one */
  readonly id?: string;
}

/** How much may wait for a connection. */
export interface QueueOptions {
  /** Publishes and patches, 1 to 10,000. @default 100 */
  readonly items?: number;
  /** Seconds that one may wait, 1 to 300. @default 30 */
  readonly ageSeconds?: number;
}

/** The events of the client. */
export interface ClientEvents {
  connection: Connection;
  /** Messages were missed, and the subscription has no `onGap`. */
  gap: Gap;
  /** Something was refused or failed, and the subscription has no `onError`. */
  error: Error;
  /** The number of publishes and patches that wait for a connection now. */
  queue: number;
}

/** The part of a WebSocket that the client needs; browsers' and the `ws` package's have it. */
export interface SocketLike {
  readonly readyState: number;
  send(data: string): void;
  close(code?: number, reason?: string): void;
  // `never` lets every library name its events as it likes. Used are `data` of a message, `code` and `reason` of a close.
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
}
export type SocketConstructor = new (url: string, protocol: string) => SocketLike;

export type Fetch = (url: URL, init: RequestInit) => Promise<Response>;

/** Time, as the client needs it. */
export interface ClientClock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Milliseconds since some moment; never goes back. */
  monotonic(): number;
  /** Calls once, after this many milliseconds; call the answer to cancel. */
  after(ms: number, call: () => void): () => void;
}

/** Where a page tells that it was hidden, woken or left; `document` and `window` together. */
export interface PageEvents {
  on(event: "visible" | "online" | "offline" | "pageshow" | "pagehide", listener: () => void): () => void;
}

export interface ClientOptions {
  /** The server's path or address, such as `/push` or `https://push.example.com/push`. @default "/push" */
  readonly url?: string;
  /** A token that your server has made, which says who the page's user is. When it has expired, the connection is closed for good. */
  readonly token?: string;
  /**
   * Fetches a token: asked before every connect, and in time before the last one expires; not while an earlier answer is still to
   * come. The client gives up after 15 seconds, and aborts the `signal`. The same token again is no new one: the client asks again
   * later, after a wait that grows.
   */
  readonly getToken?: (call: { readonly signal: AbortSignal }) => string | Promise<string>;
  /**
   * The CSRF token of your application, where the server knows the page's user by the application's cookies; read before every
   * connect.
   */
  readonly csrf?: () => string | undefined;
  /**
   * Publishes and patches without a connection wait for one, in order, for a while. The client sends again what was not
   * answered before the connection was lost. It rejects what waited for too long with `expired`. `true`: at most 100, for 30
   * seconds.
   *
   * @default false: it is rejected with `not_connected`
   */
  readonly queue?: boolean | QueueOptions;
  /** @default the global one; Node.js before 22 has none: pass that of the package `ws` */
  readonly WebSocket?: SocketConstructor;
  /**
   * Where WebSockets are blocked, as by some proxies, the client goes on by Server-Sent Events and HTTP requests, and tries now and
   * then whether they still are. `false`: it does not. @default true
   */
  readonly sse?: boolean;
  /** Used for that. @default the global one */
  readonly fetch?: Fetch;
  /** @default the machine's */
  readonly clock?: ClientClock;
  /** From 0 up to, not including, 1. @default Math.random */
  readonly random?: () => number;
  /** @default those of the page, if there is one */
  readonly page?: PageEvents;
}

export interface Client extends LocksAndSequences {
  /** The connection: what it is doing, and why. */
  readonly connection: Connection;
  /** How many publishes and patches wait for a connection; always 0 without `queue`. */
  readonly queued: number;
  /**
   * The `id` of the {@link Member} that this client is where it is present; `null` before the first connection. It stays while the session
   * goes on, and for a user always.
   */
  readonly memberId: string | null;
  /**
   * Listens to a channel, and connects if there is no connection yet. Several handlers may listen to one channel; each gets
   * every message once.
   *
   * @throws ClientError `invalid_channel` when the name is no channel name, `invalid_position` when `since` is no position
   * @example client.subscribe("order:42", ({ data }) => show(data));
   */
  subscribe<Data = unknown>(
    channel: string,
    handler: (message: Message<Data>) => void,
    options?: SubscribeOptions,
  ): Subscription;
  /**
   * The same as an endless sequence, which begins with this call. Gaps are part of it; look at `type`. It throws when the
   * server refuses.
   *
   * @example for await (const item of client.messages("order:42")) if (item.type === "message") show(item.data);
   */
  messages<Data = unknown>(
    channel: string,
    options?: Pick<SubscribeOptions, "since">,
  ): AsyncIterableIterator<Message<Data> | Gap>;
  /**
   * Publishes, where the server allows it; answers with the position of the message.
   *
   * @throws ClientError with the server's code, `invalid_channel`, `invalid_value` or `not_connected`; with a queue also `expired` and
   * `queue_full`
   * @example await client.publish("chat:7", { text: "hello" }, { event: "said" });
   */
  publish(channel: string, data: unknown, options?: PublishOptions): Promise<Position>;
  /**
   * Changes members of a channel's state by a JSON Merge Patch (RFC 7396), where the server allows it; answers with the new version.
   *
   * @param patch the members to change; `null` removes one
   * @throws ClientError as {@link publish}; `version_mismatch` when somebody else was faster
   * @example await client.patch("job:7", { done: 42 });
   */
  patch(channel: string, patch: JsonObject, options?: PatchOptions): Promise<Position>;
  /** Listens to what the client tells; what it answers with ends that. @throws ClientError `invalid_request` when there is no such event */
  on<Name extends keyof ClientEvents>(event: Name, listener: (value: ClientEvents[Name]) => void): () => void;
  /** Connects now: at first, instead of waiting for the next try, or after `close`. */
  connect(): void;
  /** Closes the connection and stays closed until `connect`; subscriptions go on from where they are then. */
  close(): void;
}
