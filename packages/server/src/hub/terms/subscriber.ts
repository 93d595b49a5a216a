/**
 * The seam between the hub and the doors: what the hub needs of a client's connection, whatever its protocol.
 */
import type { ChannelName, Epoch, FanfareError, GapReason, Position } from "@fanfare/protocol";
import type { Failing } from "../../base/failures.js";
import type { Message, StateChange } from "../../engine/engine.js";

/**
 * Turns what the hub has to say into bytes that can be written as they are. Messages, changes of states and gaps are encoded
 * once and shared by all subscribers with the same encoding object, so nothing in them may depend on the connection.
 */
export interface Encoding {
  message(message: Message): Uint8Array;
  gap(gap: Gap): Uint8Array;
  state(change: StateNews): Uint8Array;
  /** Left out by doors whose protocol cannot say who is present. */
  presence?(news: PresenceNews): Uint8Array;
  subscribed(answer: Subscribed): Uint8Array;
  /** The answer to a subscribe that was refused. */
  refused(request: number | undefined, channel: string, error: FanfareError): Uint8Array;
  /** The end of a batch of subscribes. */
  done(request: number): Uint8Array;
}

/** A change of the state, or several that have become one; see the `state` frame. */
export type StateNews = Pick<StateChange, "channel" | "from" | "offset" | "change" | "json">;

/** Who is present, or what has changed in it; see the `presence` frame. Lists are texts of JSON arrays. */
export interface PresenceNews {
  readonly channel: ChannelName;
  readonly count: number;
  readonly joined?: string;
  readonly left?: string;
  /** A page of the whole list, its number, and whether another follows. */
  readonly members?: string;
  readonly page?: number;
  readonly more?: boolean;
}

/** Messages that will not come; see the `gap` frame. */
export interface Gap {
  readonly channel: ChannelName;
  readonly epoch: Epoch;
  readonly from: number;
  readonly to: number;
  readonly reason: GapReason;
}

/** A subscription that begins; see the `subscribed` frame. */
export interface Subscribed extends Position {
  readonly request: number | undefined;
  readonly channel: ChannelName;
  readonly head: number;
  readonly recovered: boolean;
  readonly reason?: GapReason;
  /** The state as JSON text, and the offset of the change that made it. */
  readonly state?: string;
  readonly stateOffset?: number;
  /** The members present, as JSON text. */
  readonly presence?: string;
}

/** One client's connection, as the hub sees it. What one of its methods throws, and what its sink does, `failedInside` is told. */
export interface Subscriber extends Failing {
  /** The name of the door that it came through. */
  readonly door: string;
  readonly encoding: Encoding;
  /** Always the same. */
  readonly sink: Sink;
  /** Stop, or go on, taking requests from this client. */
  pauseReading(): void;
  resumeReading(): void;
  /** Close the connection, saying why. */
  end(reason: EndReason): void;
}

/**
 * Where frames for one client are written. Apart from the subscriber, so that a write goes straight there: with many connections,
 * every object on the way is one that the processor has to fetch from memory.
 */
export interface Sink {
  /**
   * Hands over whole frames. False means that the connection is full: the bytes were taken, but nothing more must be
   * written until the door calls `Connection.drained()`.
   */
  write(bytes: Uint8Array): boolean;
  /** Several writes follow; they may go out together at `uncork`. */
  cork(): void;
  uncork(): void;
  /** Bytes that were taken and have not left the process. */
  readonly waitingBytes: number;
}

/**
 * Why the hub ends a connection. `too_slow`: there is no room any more for what waits in all connections together, and this
 * one holds most. `resumed_elsewhere`: a newer connection has taken over its session. `disconnected`: an administrator has
 * sent the client away, and its session is over.
 */
export type EndReason = "too_slow" | "resumed_elsewhere" | "disconnected";
