/** A subscription: one connection's cursor into one channel. */
import type { GapReason, Position } from "@fanfare/protocol";
import type { Page } from "../engine/engine.js";
import type { Channel } from "./channel.js";
import type { Connection } from "./connection.js";
import type { Attendance } from "./presence/member.js";

/** What was asked for. */
export interface SubscribeRequest {
  /** Comes back in the answer; absent where the server subscribes by itself. */
  readonly request: number | undefined;
  readonly since: Position | undefined;
  /** A position was given, but whoever asks may not read the history: delivery starts at the head. */
  readonly withheld?: boolean;
  /** The state is wanted even if nothing was missed since then. @default false */
  readonly state?: boolean | undefined;
  /** What it is to those who are present, where the rule of the channel follows that. */
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

export class Subscription {
  readonly connection: Connection;
  readonly channel: Channel;
  state: SubscriptionState = "joining";
  /** The request, until it is answered. */
  request: SubscribeRequest | null;
  /** The last position that was written to the client; `null` while joining and while live. */
  cursor: Position | null = null;
  /** What the engine gave for this cursor, until the connection takes it. */
  read: Page | null = null;
  /** It has to be given the state as a whole, since it may have missed changes of it. */
  stateDue = false;
  /** The place in the channel's list of live subscriptions. */
  index = -1;

  constructor(connection: Connection, channel: Channel, request: SubscribeRequest) {
    this.connection = connection;
    this.channel = channel;
    this.request = request;
  }

  /** Up to where the client has been written everything; before the answer to its request, where it said that it was. */
  get reached(): Position | null {
    if (this.request) return this.request.since ?? null;
    return this.state === "live" ? this.channel.flushedTo : this.cursor;
  }
}

/** How a subscribe is answered. */
export interface Start {
  readonly cursor: Position;
  readonly recovered: boolean;
  readonly reason?: GapReason;
}
