/**
 * The seam behind the hub: where logs and sessions live. Every node of a deployment shares one engine, so all of it is
 * asynchronous. `engine.contract.ts` says in tests what each implementation has to do.
 */
import type { ChannelName, Epoch, GapReason, Position } from "@fanfare/protocol";
import type { Durations } from "../durations.js";

/** One entry of a channel's log. Both kinds take an offset, are kept as long, and are announced in the same way. */
export type LogEntry = Message | StateChange;

export interface Message extends Position {
  readonly channel: ChannelName;
  /** Milliseconds since 1970 when it was appended; never decreases within a channel. */
  readonly time: number;
  readonly event: string;
  /** `data` as JSON text: cannot change any more, and is ready to stand in a frame. */
  readonly json: string;
  /** Who published, where a client did. */
  readonly user?: string;
  /** The publisher's idempotency key. */
  readonly id?: string;
  /** The connection that does not get this message; only for doors whose frames carry no offsets. */
  readonly except?: string;
  /** Tells a message from a change of the state. */
  readonly change?: undefined;
}

/** A change of the state of a channel, which is a JSON object or nothing. */
export interface StateChange extends Position {
  readonly channel: ChannelName;
  /** Milliseconds since 1970 when it was appended; never decreases within a channel. */
  readonly time: number;
  /** `patch`: `json` is a JSON Merge Patch (RFC 7396). `value`: it is the whole state, or `null` when that was removed. */
  readonly change: "patch" | "value";
  readonly json: string;
  /** The offset of the change that made the state that this one builds on; 0 when there was no state. */
  readonly from: number;
  /** The idempotency key of whoever changed it. */
  readonly id?: string;
}

/** The state of a channel, and the position of the change that made it; offset 0 where there was none. */
export interface ChannelState extends Position {
  /** JSON text of an object; `null` when there is no state, or no more. */
  readonly json: string | null;
}

/** What can be appended. */
export type AnyDraft = Draft | StateDraft;

/**
 * A change of the state that has no position yet. Whoever drafts it has worked out the state that follows, so that an engine
 * need not understand JSON.
 */
export interface StateDraft {
  readonly change: "patch" | "value";
  /** What the log keeps; see {@link StateChange}. */
  readonly json: string;
  /** The state after the change as JSON text; `null` when there is none. */
  readonly state: string | null;
  /** The position of the state that it was worked out from; `null` when there was none. */
  readonly base: Position | null;
  readonly idempotency?: IdempotencyKey;
}

/** A message that has no position yet. Its parts have been checked. */
export interface Draft {
  readonly event: string;
  readonly json: string;
  readonly user?: string;
  readonly except?: string;
  readonly idempotency?: IdempotencyKey;
  readonly change?: undefined;
}

export interface IdempotencyKey {
  readonly key: string;
  /** Who publishes: two principals may use the same key without meeting. */
  readonly principal: string;
  /**
   * What the key stands for, where that is not what the draft says: a draft that was worked out from the state is another one
   * when it is repeated. @default the draft
   */
  readonly request?: string;
}

/** How long a channel's log holds on to an entry. An entry goes when either limit is passed. */
export interface Retention {
  /** How many messages and changes of the state; 0 keeps none. */
  readonly messages: number;
  readonly ageMs: number;
}

export interface Appended extends Position {
  /** True when the idempotency key had been used for the same message, and its first position is given. */
  readonly repeated: boolean;
}

/** What a log holds, oldest first. */
export interface Page {
  readonly epoch: Epoch;
  /** The offset of the oldest entry that is held; `head + 1` when none is. */
  readonly first: number;
  /** The offset of the newest entry ever appended; 0 when there was none. */
  readonly head: number;
  readonly messages: readonly LogEntry[];
  /**
   * Set when `after` belongs to another log: why that log is gone. `messages` then begins with the oldest held.
   */
  readonly lost?: LossReason;
}

export type LossReason = Extract<GapReason, "restarted" | "epoch_changed" | "forgotten">;

export interface ReadLimit {
  readonly messages: number;
  /** Bytes of JSON, roughly. One message is given even when it alone is larger. */
  readonly bytes: number;
}

/**
 * Hears what happens to a channel's log. Announcements may come late, twice, out of order or not at all: whoever
 * listens has to sort them, and to ask `read` and `heads` for what is missing.
 */
export interface LogListener {
  message(message: LogEntry): void;
  /** The log had to start over and stands at this position now. */
  reset(position: Position, reason: LossReason): void;
  /** Announcements may have been lost since then (milliseconds since 1970); they come again from now on. */
  deaf(since: number): void;
}

/** Where somebody who listens begins. */
export interface Listened extends Position {
  /** The state there; absent where it was never set. */
  readonly state?: ChannelState;
}

/** One channel of a list: where it stands, and what is held of it. */
export interface ListedChannel {
  readonly channel: ChannelName;
  readonly epoch: Epoch;
  /** The offset of the newest message ever appended; 0 when there was none. */
  readonly head: number;
  /** The offset of the oldest message that is held; `head + 1` when none is. Left out where telling costs too much. */
  readonly first?: number;
}

/** How much an engine holds, for metrics. What it cannot tell cheaply it leaves out. */
export interface EngineStats {
  readonly channels?: number;
  readonly messages?: number;
  /** Bytes of all logs and states together, roughly. */
  readonly bytes?: number;
  readonly stubs?: number;
  readonly idempotencyKeys?: number;
  readonly sessions?: number;
  /** Bytes of all files. */
  readonly diskBytes?: number;
  /** Bytes that are free on the disk of these files. */
  readonly diskFreeBytes?: number;
  /** How long it took to bring changes to the disk. */
  readonly commits?: Durations;
}

export interface Engine {
  /** Does what was acknowledged outlive the process? */
  readonly durable: boolean;
  /**
   * Can announcements be late, double, out of order or missing? Where they cannot, the hub need not compare heads.
   */
  readonly lossy: boolean;

  /** Are publishers refused because there is no room for messages? Left out where that cannot be. */
  readonly isFull?: boolean;

  /**
   * Appends, in one atomic step: idempotency key, state, offset, log, announcement. Two nodes never give one offset twice. Calls
   * that are made one after the other, without waiting for the answers, append to a channel in that order. A change of the
   * state is appended only while the state is the one that it builds on (compare and set).
   *
   * @throws FanfareError `key_reused`, `version_mismatch`, `too_many_channels`, `insufficient_storage`, `unavailable`
   */
  append(channel: ChannelName, draft: AnyDraft, retention: Retention): Promise<Appended>;

  /**
   * The state of a channel, of the log that it has now. It is kept apart from the log and whatever the log lets go of: a
   * channel with a state is not forgotten. Starting a log over removes it.
   *
   * @throws FanfareError `unavailable`
   */
  state(channel: ChannelName): Promise<ChannelState>;

  /**
   * Announces to the listener what is appended after the position that this answers with. Listening twice with one
   * listener is the same as once. Listening alone makes no log, but keeps the channel from being forgotten.
   *
   * @throws FanfareError `too_many_channels`, `unavailable`
   */
  listen(channel: ChannelName, listener: LogListener): Promise<Listened>;
  unlisten(channel: ChannelName, listener: LogListener): void;

  /**
   * What the log holds after a position, or from its beginning (`null`), oldest first.
   *
   * @throws FanfareError `unavailable`
   */
  read(channel: ChannelName, after: Position | null, limit: ReadLimit): Promise<Page>;

  /**
   * The newest position of each channel, in the order asked. A channel without a log stands at offset 0.
   *
   * @throws FanfareError `unavailable`
   */
  heads(channels: readonly ChannelName[]): Promise<Position[]>;

  /**
   * The channels that have a log, or are listened to on this node, in the order of their names (by code units): those
   * after a name, or from the first (`null`), so many at most. What comes or goes meanwhile may be in it or not. For
   * people: it may look at every channel there is, but never keeps the event loop for long.
   *
   * @throws FanfareError `unavailable`
   */
  list(after: ChannelName | null, limit: number): Promise<ListedChannel[]>;

  /**
   * Throws away the channel's log and its state, and begins a new log, at offset 0 of a new epoch.
   *
   * @throws FanfareError `too_many_channels`, `insufficient_storage`, `unavailable`
   */
  startOver?(channel: ChannelName): Promise<Position>;

  /**
   * Tells all nodes, this one included, something that is not kept. `json` is any JSON text. Where announcements can be late, double,
   * out of order or missing, signals can, too.
   */
  signal(topic: string, json: string): Promise<void>;
  /** Hears signals on a topic, until the answer is called. */
  onSignal(topic: string, listener: (json: string) => void): () => void;

  /** Keeps a text under a hash for so long; replaces what was there. */
  putSession(hash: string, json: string, ttlMs: number): Promise<void>;
  /**
   * Keeps the text that is there for so long from now; without one it does nothing, so that a session that somebody has
   * taken does not come back. Answers whether there was one.
   */
  renewSession(hash: string, ttlMs: number): Promise<boolean>;
  /** Takes the text away and answers with it; of two calls at once only one gets it. `null` when there is none. */
  takeSession(hash: string): Promise<string | null>;

  /** Counted, not walked: cheap enough for every scrape. */
  stats?(): EngineStats | Promise<EngineStats>;

  close(): Promise<void>;
}
