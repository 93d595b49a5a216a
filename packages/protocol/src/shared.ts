/** Types that the server's library and the client share: what they answer, and what watchers of locks and sequences see. */
import type { JsonObject } from "./merge-patch.js";
import type { Position } from "./position.js";

/** Where a message, or a change of a state, stands. */
export interface Published extends Position {
  readonly channel: string;
}

/** The state of a channel, and the position of its last change, which is its version. */
export interface HeldState<State = JsonObject> extends Position {
  readonly channel: string;
  readonly state: State;
}

/** The holder of a lock. Empty where the holder is unknown, as the server's own process. */
export interface LockHolder {
  readonly user?: string;
  /** The name of an API key. */
  readonly key?: string;
  /** The session, by the name of its first connection; no secret. Left out where it was taken over HTTP. */
  readonly session?: string;
}

/** The state of a lock. It is free where there is no `holder`. */
export interface LockRecord {
  /** The fencing token of its holder, or its last one. Each holder has a greater one than those before. */
  readonly token: number;
  readonly holder?: LockHolder;
  /** When the holder took it: milliseconds since 1970. */
  readonly since?: number;
  /** When the lease ends unless it is renewed: milliseconds since 1970. */
  readonly expires?: number;
  /** For how long it was taken, or renewed last, in seconds. */
  readonly leaseSeconds?: number;
  /** The holder's words about it. */
  readonly info?: unknown;
  /** When it was let go, or its lease ended: milliseconds since 1970. */
  readonly freed?: number;
}

/** A member on a channel: a user with all of their connections, or a session that has no user. */
export interface Member<Info = unknown> {
  /** The same as long as the member is there; no secret. */
  readonly id: string;
  /** The id of the user, where there is one. */
  readonly user?: string;
  /** The application's words about the user, such as a name. */
  readonly info?: Info;
  /** Since when: milliseconds since 1970, by the server's clock. */
  readonly since: number;
}

/** Numbers of a sequence: those from `first` to `last`, both included, belong to the caller alone. */
export interface Numbers {
  readonly first: number;
  readonly last: number;
  /** Are they remembered as given, should the server's process end? As the engine says. */
  readonly durable: boolean;
}

/** The state of a sequence. */
export interface SequenceRecord {
  /** The number that was given last. */
  readonly last: number;
}
