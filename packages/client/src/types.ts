/** The types that users of the client see: what comes from channels, and how to listen and publish. */
import type { GapReason, JsonObject, Member, Position as ServerPosition } from "@fanfare/protocol";

/** A place in a channel's log: everything up to this message has been seen. A page may keep it as JSON. */
export type Position = ServerPosition<string>;

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

/** The state of a channel, and what has just changed in it. */
export interface StateChange<State = JsonObject> {
  readonly channel: string;
  /** The whole; `null` when there is none, or no more. Do not change it: it is shared. */
  readonly state: State | null;
  /** The members that changed, as a JSON Merge Patch; `null` when this is another state altogether, as the first time. */
  readonly patch: JsonObject | null;
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
