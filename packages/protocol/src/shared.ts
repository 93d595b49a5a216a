/** What locks and sequences are to those who watch them: the states of the channels `$lock:…` and `$sequence:…`. */

/** Who holds a lock. Empty where it is nobody who is known, as the server's own process. */
export interface LockHolder {
  readonly user?: string;
  /** The name of an API key. */
  readonly key?: string;
  /** The session, by the name of its first connection; no secret. Left out where it was taken over HTTP. */
  readonly session?: string;
}

/** The state of a lock. It is held by nobody where there is no `holder`. */
export interface LockRecord {
  /** The fencing token of who holds it, or held it last. Each holder has a greater one than the one before. */
  readonly token: number;
  readonly holder?: LockHolder;
  /** When the holder took it: milliseconds since 1970. */
  readonly since?: number;
  /** When the lease ends unless it is renewed: milliseconds since 1970. */
  readonly expires?: number;
  /** For how long it was taken, or renewed last, in milliseconds. */
  readonly leaseMs?: number;
  /** What the holder says about it. */
  readonly info?: unknown;
  /** When it was let go, or its lease ended: milliseconds since 1970. */
  readonly freed?: number;
}

/** The state of a sequence. */
export interface SequenceRecord {
  /** The number that was given last. */
  readonly last: number;
}
