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
  /** The fencing token of who holds it, or held it last. Each holder has a greater one than the one before. */
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

/** The state of a sequence. */
export interface SequenceRecord {
  /** The number that was given last. */
  readonly last: number;
}
