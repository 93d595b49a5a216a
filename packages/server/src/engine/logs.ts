/**
 * The logs of channels, and their states: the part of an engine that messages go through. Announcements may come late, twice, out of order or not at all; what `read` and `heads` answer is true.
 */
import type { ChannelName, Epoch, GapReason, Position } from "@fanfare/protocol";

/** One entry of a channel's log. Both kinds take an offset, are kept as long, and are announced in the same way. */
export type LogEntry = Message | StateChange;

export interface Message extends Position {
  readonly channel: ChannelName;
  /** Milliseconds since 1970 when it was appended; never decreases within a channel. */
  readonly time: number;
  readonly event: string;
  /** `data` as JSON text: cannot change any more, and is ready to stand in a frame. */
  readonly json: string;
  /** The user who published, where a client did. */
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
  /** The idempotency key of the caller that changed it. */
  readonly id?: string;
}

/** The state of a channel, and the position of the change that made it; offset 0 where there was none. */
export interface ChannelState extends Position {
  /** JSON text of an object; `null` when there is no state, or no more. */
  readonly json: string | null;
}

/** The answer of {@link Logs.state}. */
export interface PresentState extends ChannelState {
  /** The engine's time of the answer; see `Engine.now`. */
  readonly time: number;
}

/** A draft that can be appended. */
export type AnyDraft = Draft | StateDraft;

/**
 * A change of the state that has no position yet. The caller that drafts it has worked out the state that follows, so that
 * an engine
 * need not understand JSON.
 */
export interface StateDraft {
  readonly change: "patch" | "value";
  /** The form that the log keeps; see {@link StateChange}. */
  readonly json: string;
  /** The state after the change as JSON text; `null` when there is none. */
  readonly state: string | null;
  /** The position of the state that it was worked out from; `null` when there was none. */
  readonly base: Position | null;
  readonly idempotency?: IdempotencyKey;
  /** Owns what is made by this. Any text but the empty one; left out where no owner is bounded. */
  readonly owner?: string;
}

/** The holdings of an owner, or their bounds. */
export interface Holdings {
  /** Channels that somebody made, locks and sequences aside. */
  readonly channels: number;
  /** States that somebody brought into being, and their bytes as JSON in UTF-8. */
  readonly states: number;
  readonly stateBytes: number;
  readonly sequences: number;
  readonly locks: number;
}

export interface OwnerHoldings extends Holdings {
  readonly owner: string;
}

/** A message that has no position yet. Its parts have been checked. */
export interface Draft {
  readonly event: string;
  readonly json: string;
  readonly user?: string;
  readonly except?: string;
  readonly idempotency?: IdempotencyKey;
  /** Owns what is made by this. Any text but the empty one; left out where no owner is bounded. */
  readonly owner?: string;
  readonly change?: undefined;
}

export interface IdempotencyKey {
  readonly key: string;
  /** The publisher: two principals may use the same key without meeting. */
  readonly principal: string;
  /**
   * The request that the key stands for, where that is not the draft. A draft that was worked out from the state is another one when it is repeated. The engine then remembers the state, too, which should be small. @default the draft
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
  /** The engine's time of the answer; see `Engine.now`. */
  readonly time: number;
  /** Of a repeated request ({@link IdempotencyKey.request}): the state that it made the first time. */
  readonly made?: string;
}

/** The entries of a log, oldest first. */
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
  /**
   * Set when the log has ended in this epoch and goes on in another, as after a fail-over. The page is then of the earlier epoch, that of
   * `after`: `first`, `head` and `messages` are what is left of it. The reader goes on after offset 0 of the next epoch. An engine
   * forgets the rest of an earlier epoch when it likes; from then on that epoch is `lost`.
   */
  readonly next?: NextEpoch;
}

export interface NextEpoch {
  readonly epoch: Epoch;
  /** The reason that entries may be gone which were appended after `head` of the earlier epoch. */
  readonly reason: LossReason;
}

export type LossReason = Extract<GapReason, "restarted" | "epoch_changed" | "forgotten">;

export interface ReadLimit {
  readonly messages: number;
  /** Bytes of JSON, roughly. One message is given even when it alone is larger. */
  readonly bytes: number;
}

/**
 * Hears what happens to a channel's log. Announcements may come late, twice, out of order or not at all: every listener has
 * to sort them, and to ask `read` and `heads` for what is missing.
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
  /** Its maker, where that owner is bounded. */
  readonly owner?: string;
}

export interface Logs {
  /**
   * Appends, in one atomic step: idempotency key, state, offset, log, announcement. Two nodes never give one offset twice. Calls
   * that are made one after the other, without waiting for the answers, append to a channel in that order. A change of the
   * state is appended only while the state is the one that it builds on (compare and set). Else the refusal brings the state as it is
   * now, so that the caller can work out the change anew without asking. The first draft of a channel says who
   * owns the channel, the first of a state who owns the state: no owner gets more than a share, however many calls are under way.
   *
   * @throws StateConflictError `version_mismatch`
   * @throws FanfareError `id_reused`, `share_used_up`, `too_many_channels`, `insufficient_storage`, `unavailable`
   */
  append(channel: ChannelName, draft: AnyDraft, retention: Retention): Promise<Appended>;

  /**
   * The state of a channel, of the log that it has now. It is kept apart from the log and whatever the log lets go of: a
   * channel with a state is not forgotten.
   *
   * @throws FanfareError `unavailable`
   */
  state(channel: ChannelName): Promise<PresentState>;

  /**
   * Announces to the listener what is appended after the position that this answers with. Listening twice with one
   * listener is the same as once. Listening alone makes no log, but keeps the channel from being forgotten.
   *
   * @throws FanfareError `too_many_channels`, `unavailable`
   */
  listen(channel: ChannelName, listener: LogListener): Promise<Listened>;
  unlisten(channel: ChannelName, listener: LogListener): void;

  /**
   * The entries of the log after a position, or from its beginning (`null`), oldest first. A position in an earlier epoch that the log
   * went on from is given the rest of that epoch, where it is still held ({@link Page.next}).
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
   * after a name, or from the first (`null`), this many at most. Names that come or go meanwhile may be in it or not. For
   * people: it may look at every channel there is, but never keeps the event loop for long.
   *
   * @throws FanfareError `unavailable`
   */
  list(after: ChannelName | null, limit: number): Promise<ListedChannel[]>;

  /**
   * Throws away the channel's log and its state, and gives back its place to its owner. Its listeners hear of a reset, and
   * what is appended later has positions of another epoch. Answers whether there was anything.
   *
   * @throws FanfareError `insufficient_storage`, `unavailable`
   */
  remove(channel: ChannelName): Promise<boolean>;

  /**
   * The owners who hold most of something, the one with most first, at most this many. For people, as `list`.
   *
   * @throws FanfareError `unavailable`
   */
  owners(by: keyof Holdings, limit: number): Promise<OwnerHoldings[]>;
  /** Holdings of one owner. @throws FanfareError `unavailable` */
  holdings(owner: string): Promise<Holdings>;
}
