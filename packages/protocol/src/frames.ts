/** Every frame of the WebSocket protocol, as PROTOCOL.md describes them. */
import type { ChannelName } from "./channel.js";
import type { ErrorCode } from "./codes.js";
import type { JsonObject } from "./merge-patch.js";
import type { Epoch, Position } from "./position.js";
import type { LockRecord, Member } from "./shared.js";

/** The WebSocket sub-protocol that names this version of the protocol. */
export const SUBPROTOCOL = "fanfare.v1";

/** Why messages are missing, or why a subscription could not go on where it was. */
export const GAP_REASONS = {
  evicted: "The log no longer holds them: it keeps a limited number of messages for a limited time.",
  restarted: "The server lost its logs, as after a restart without a durable engine, and started new ones.",
  epoch_changed: "The channel's log had to start over.",
  forgotten: "The channel was not used for long, and was forgotten.",
  conflated:
    "The channel's rule asks for the newest message per event only; these were overtaken. Or they are changes of the state in an epoch that the log went on from; the state of the next epoch overtakes them.",
  too_slow:
    "The client read so slowly that the log no longer holds them; or it is new, its answer had to wait for a state that was being looked up, and the log holds next to nothing.",
  not_allowed_history: "The client may hear the channel, but not its history.",
} as const;
export type GapReason = keyof typeof GAP_REASONS;

/** Chosen by the client, returned in the answer: an integer from 0 to 2^53 − 1. */
export type RequestId = number;

// ---- client → server

/** The first frame. */
export interface ConnectFrame {
  readonly type: "connect";
  /** A token, or an API key. One that is wrong is never the same as none. */
  readonly token?: string;
  readonly csrf?: string;
  /** The secret of the session to go on with. */
  readonly session?: string;
  /** A secret that the client has made up: whose idempotency keys are meant while it is anonymous. */
  readonly publisher?: string;
  /** Where to go on, for channels that the server subscribes by itself. */
  readonly since?: readonly ({ readonly channel: string } & Position)[];
}

export interface SubscribeItem {
  readonly channel: string;
  /** The position that was reached; what came after it is delivered. */
  readonly since?: Position;
  /** The state is wanted even where nothing was missed since then. */
  readonly state?: boolean;
}
export interface SubscribeFrame extends SubscribeItem {
  readonly type: "subscribe";
  readonly request: RequestId;
}
export interface SubscribeBatchFrame {
  readonly type: "subscribe";
  readonly request: RequestId;
  readonly channels: readonly SubscribeItem[];
}
export interface UnsubscribeFrame {
  readonly type: "unsubscribe";
  readonly request: RequestId;
  readonly channel: string;
}
export interface UnsubscribeBatchFrame {
  readonly type: "unsubscribe";
  readonly request: RequestId;
  readonly channels: readonly string[];
}
export interface PublishFrame {
  readonly type: "publish";
  readonly request: RequestId;
  readonly channel: string;
  readonly event?: string;
  readonly data: unknown;
  /** Idempotency key. */
  readonly id?: string;
}
/** A new token for the same user, in place of the one that is about to expire. */
export interface TokenFrame {
  readonly type: "token";
  readonly token: string;
}
/** Changes the state of a channel. */
export interface PatchFrame {
  readonly type: "patch";
  readonly request: RequestId;
  readonly channel: string;
  /** A JSON Merge Patch. */
  readonly patch: unknown;
  /** The position of the state that is to be changed; `null`: there is to be none. */
  readonly ifVersion?: Position | null;
  /** Idempotency key. */
  readonly id?: string;
}
/** Takes a lock, or renews one that this session holds. */
export interface LockFrame {
  readonly type: "lock";
  readonly request: RequestId;
  readonly name: string;
  /** For how long, in whole seconds, unless it is renewed. */
  readonly leaseSeconds?: number;
  /** Any JSON value; watchers of the lock receive it. */
  readonly info?: unknown;
  /** Renews only, and only while the lock is held with this token. */
  readonly token?: number;
}
export interface UnlockFrame {
  readonly type: "unlock";
  readonly request: RequestId;
  readonly name: string;
  readonly token: number;
}
/** Takes the next numbers of a sequence. */
export interface NextFrame {
  readonly type: "next";
  readonly request: RequestId;
  readonly name: string;
  /** How many, 1 unless given. */
  readonly count?: number;
  /** Idempotency key. */
  readonly id?: string;
}
export interface PingFrame {
  readonly type: "ping";
}

export type ClientFrame =
  | ConnectFrame
  | SubscribeFrame
  | SubscribeBatchFrame
  | UnsubscribeFrame
  | UnsubscribeBatchFrame
  | PublishFrame
  | PatchFrame
  | LockFrame
  | UnlockFrame
  | NextFrame
  | TokenFrame
  | PingFrame;

// ---- server → client

/** Until when a connection is good. Both are there, or none. */
export interface Expiry {
  /** When the token expires, in milliseconds since 1970. */
  readonly expires?: number;
  /** The same clock at this moment, so that the client need not have the right time. */
  readonly time?: number;
}
export interface ConnectedFrame extends Expiry {
  readonly type: "connected";
  /** This connection's name, no secret. */
  readonly connection: string;
  /** Secret with which the session can be resumed; new in every `connected`. */
  readonly session: string;
  /** True when the session of the `connect` frame goes on. */
  readonly resumed: boolean;
  /** Whom the server takes the client for. */
  readonly user?: string;
  /** Seconds between the pings that the server would like to see. */
  readonly pingSeconds: number;
  /** The most bytes of a frame that the server reads at all. */
  readonly frameBytes: number;
}
/** The new token was accepted. */
export interface RenewedFrame extends Expiry {
  readonly type: "token";
}
/** The client may do other things now than before. */
export interface GrantsFrame {
  readonly type: "grants";
}
export interface SubscribedFrame extends Position {
  readonly type: "subscribed";
  /** Absent for channels that the server subscribed by itself. */
  readonly request?: RequestId;
  readonly channel: ChannelName;
  /** The newest offset; only tells how much is to come. */
  readonly head: number;
  /** True when everything after `since` follows. False when `since` was not given, or could not be honoured. */
  readonly recovered: boolean;
  /** Given when `since` could not be honoured. */
  readonly reason?: GapReason;
  /** The channel's state; `null` when it was removed, absent when there never was one, or it was not asked for. */
  readonly state?: JsonObject | null;
  /** The offset of the change that made the state. */
  readonly stateOffset?: number;
  /** The members, for clients that may see them. Without `members` they are not known: a list follows, or there are too many. */
  readonly presence?: { readonly count: number; readonly members?: readonly Member[] };
}
/**
 * The members have changed (`joined`, `left`), or the server tells them as a whole (`members`, page by page). With neither, only the count is
 * known from now on.
 */
export interface PresenceFrame {
  readonly type: "presence";
  readonly channel: ChannelName;
  readonly count: number;
  /** Members who are there now and were not, or whose `info` has changed. */
  readonly joined?: readonly Member[];
  /** The ids of those who are there no more. */
  readonly left?: readonly string[];
  readonly members?: readonly Member[];
  /** The number of the page, from 0. */
  readonly page?: number;
  /** Another page follows. */
  readonly more?: boolean;
}
export interface UnsubscribedFrame {
  readonly type: "unsubscribed";
  readonly channel: ChannelName;
  readonly code: ErrorCode;
}
export interface MessageFrame {
  readonly type: "message";
  readonly channel: ChannelName;
  readonly offset: number;
  /** Milliseconds since 1970, by the server's clock, when the message was appended. */
  readonly time: number;
  readonly event: string;
  readonly data: unknown;
  /** The user who published, where a client did. */
  readonly user?: string;
  /** The publisher's idempotency key. */
  readonly id?: string;
}
/**
 * The state changed: `patch` says how, or `value` what it is now. With `from` = `offset` nothing changed: the value is said again,
 * for those that may have missed something, and the position stays.
 */
export interface StateFrame {
  readonly type: "state";
  readonly channel: ChannelName;
  /** The offset of the change that made the state that this one builds on; 0 when there was none. */
  readonly from: number;
  readonly offset: number;
  /** A JSON Merge Patch. Either this or `value` is there. */
  readonly patch?: JsonObject;
  /** `null`: there is no state. */
  readonly value?: JsonObject | null;
}
/** Messages `from` … `to` (inclusive) will not come. Afterwards the position is `{epoch, offset: to}`. */
export interface GapFrame {
  readonly type: "gap";
  readonly channel: ChannelName;
  readonly epoch: Epoch;
  readonly from: number;
  readonly to: number;
  readonly reason: GapReason;
}
export interface PongFrame {
  readonly type: "pong";
}
export interface OkFrame {
  readonly type: "ok";
  readonly request: RequestId;
  /** Where it stands, in the answer to `publish` and `patch`. */
  readonly channel?: ChannelName;
  readonly epoch?: Epoch;
  readonly offset?: number;
  /** The lock or the sequence, in the answer to `lock`, `unlock` and `next`. */
  readonly name?: string;
  /** The fencing token of the lock that is held. */
  readonly token?: number;
  /** When its lease ends, and the same clock now: milliseconds since 1970. */
  readonly expires?: number;
  readonly time?: number;
  /** The first and the last of the numbers that are the client's. */
  readonly first?: number;
  readonly last?: number;
  /** Does what is answered outlive the server's process? */
  readonly durable?: boolean;
}
export interface ErrorFrame {
  readonly type: "error";
  /** The request that failed; absent where there was none. */
  readonly request?: RequestId;
  readonly channel?: string;
  readonly code: ErrorCode;
  readonly message: string;
  readonly remedy: string;
  /** Seconds to wait before the next try. */
  readonly retryAfterSeconds?: number;
  /** With `locked` and `lock_lost`: the lock as it is, and the server's clock now, in milliseconds since 1970. */
  readonly lock?: LockRecord;
  readonly time?: number;
}
/** The server will close the connection; come back after `retryAfterSeconds` seconds. */
export interface GoodbyeFrame {
  readonly type: "goodbye";
  readonly retryAfterSeconds: number;
}

export type ServerFrame =
  | ConnectedFrame
  | RenewedFrame
  | GrantsFrame
  | SubscribedFrame
  | UnsubscribedFrame
  | MessageFrame
  | StateFrame
  | PresenceFrame
  | GapFrame
  | PongFrame
  | OkFrame
  | ErrorFrame
  | GoodbyeFrame;
