/** A subscription: one connection's cursor into one channel. */
import type { GapReason, Position } from "@fanfare/protocol";
import type { PageOn } from "../log/read-on.js";
import type { Attendance } from "../terms/member.js";
import type { Channel } from "./channel.js";
import type { Connection } from "./connection.js";

/** The request. */
export interface SubscribeRequest {
  /** Comes back in the answer; absent where the server subscribes by itself. */
  readonly request: number | undefined;
  readonly since: Position | undefined;
  /** A position was given, but the caller may not read the history: delivery starts at the head. */
  readonly withheld?: boolean;
  /** The state is wanted even if nothing was missed since then. @default false */
  readonly state?: boolean | undefined;
  /** Its part in the presence of the channel, where the rule follows that. */
  readonly attendance?: Attendance | undefined;
  /** The batch of subscribes that it belongs to. */
  readonly batch?: Batch;
}

/** Counts the answers of a batch that are still to come. */
export interface Batch {
  readonly request: number;
  unanswered: number;
}

/**
 * Where a subscription stands:
 * `joining`: the channel is not listened to yet. `lagging`: it has a cursor, and its connection's ring brings it forward,
 * page by page; the first page is the answer to the request. `ahead`: its cursor lies beyond what the channel has
 * flushed. `live`: it gets what the channel flushes. `left`: it is over.
 */
export type SubscriptionState = "joining" | "lagging" | "ahead" | "live" | "left";

/** Hears of subscriptions that come and go, and follows who is there. */
export interface Attending {
  /** A subscription stands. Answers with what it is told of those who are there, as JSON text; nothing where it may not see it. */
  begin(subscription: Subscription, attendance: Attendance): string | undefined;
  /** Its connection is another to the application now, or may see other things. */
  change(subscription: Subscription, attendance: Attendance): void;
  end(subscription: Subscription): void;
}

export class Subscription {
  readonly connection: Connection;
  readonly channel: Channel;
  #state: SubscriptionState = "joining";
  #request: SubscribeRequest | null;
  #cursor: Position | null = null;
  #read: PageOn | null = null;
  #stateDue = false;
  #index = -1;

  constructor(connection: Connection, channel: Channel, request: SubscribeRequest) {
    this.connection = connection;
    this.channel = channel;
    this.#request = request;
  }

  get state(): SubscriptionState {
    return this.#state;
  }
  /** The request, until it is answered. */
  get request(): SubscribeRequest | null {
    return this.#request;
  }
  /** The last position that was written to the client; `null` while joining and while live. */
  get cursor(): Position | null {
    return this.#cursor;
  }
  /** The page that the engine gave for this cursor, until the connection takes it. */
  get read(): PageOn | null {
    return this.#read;
  }
  /** Does it have to be given the state as a whole, since it may have missed changes of it? */
  get stateDue(): boolean {
    return this.#stateDue;
  }
  /** The place in the channel's list of live subscriptions. */
  get index(): number {
    return this.#index;
  }

  /** Up to where the client has been written everything; before the answer to its request, where it said that it was. */
  get reached(): Position | null {
    if (this.#request) return this.#request.since ?? null;
    return this.#state === "live" ? this.channel.flushedTo : this.#cursor;
  }

  // ---- from state to state

  /** It has a cursor here, from which its connection's ring brings it forward. */
  lag(cursor: Position | null): void {
    this.#state = "lagging";
    this.#cursor = cursor;
    this.connection.enqueue(this);
  }

  /** It is written what the channel flushes from here on. */
  goLive(): void {
    this.#state = "live";
    this.#stateDue = false;
    this.#cursor = null;
  }

  /** It waits until the channel has flushed what lies before its cursor. */
  waitAhead(): void {
    this.#state = "ahead";
  }

  /** It is over. */
  leave(): void {
    this.#state = "left";
    this.#read = null;
  }

  // ---- while it lags

  /** The request is answered, and says that it begins here. */
  answer(cursor: Position): void {
    this.#request = null;
    this.#cursor = cursor;
  }

  /** A page up to here is written. */
  advance(cursor: Position): void {
    this.#cursor = cursor;
  }

  /** The engine gave this for its cursor. */
  give(page: PageOn): void {
    this.#read = page;
  }

  dropRead(): void {
    this.#read = null;
  }

  /** It may have missed changes of the state. */
  needsState(): void {
    this.#stateDue = true;
  }

  hasState(): void {
    this.#stateDue = false;
  }

  /** Replaces what it will be to those who are present, as long as its request has no answer. */
  attend(attendance: Attendance): void {
    if (this.#request) this.#request = { ...this.#request, attendance };
  }

  /** Where it stands in the list of those that are live. */
  standAt(index: number): void {
    this.#index = index;
  }
}

/** How a subscribe is answered. */
export interface Start {
  readonly cursor: Position;
  readonly recovered: boolean;
  readonly reason?: GapReason;
}
