/** What becomes of a lock: taken, renewed, let go. Functions over the record that watchers see; knows no clock and no engine. */
import { type ChannelName, FanfareError, type LockHolder, type LockRecord, quote } from "@fanfare/protocol";
import type { ChannelState } from "../engine/engine.js";
import type { Next } from "./state-changes.js";

export const DEFAULT_LEASE_MS = 30_000;
export const MIN_LEASE_MS = 1000;
export const MAX_LEASE_MS = 86_400_000;
/** So long is the record of a free lock kept, so that its tokens only grow though clocks differ. */
export const KEPT_FREE_MS = 86_400_000;

/** A record with all that a held lock has. */
export type HeldRecord = Required<Pick<LockRecord, "token" | "holder" | "since" | "expires" | "leaseMs">> &
  Pick<LockRecord, "info">;

/** What somebody asks for who takes or renews a lock. */
export interface Take {
  readonly holder: LockHolder;
  /** Renews only, and only while the lock is held with this token. */
  readonly token: number | undefined;
  /** `undefined` is the lease that it had, or the default. */
  readonly leaseMs: number | undefined;
  /** `undefined` is what it was, `null` nothing. */
  readonly info: unknown;
}

/** The lock is not to be had, or not any more. */
export class LockRefusedError extends FanfareError {
  /** The lock as it is; `null` when nobody has ever held it. */
  readonly lock: LockRecord | null;
  /** The server's clock: milliseconds since 1970. */
  readonly time: number;

  constructor(code: "locked" | "lock_lost", message: string, lock: LockRecord | null, time: number) {
    const leftMs = (lock?.expires ?? time) - time;
    super(code, message, code === "locked" ? { retryAfter: leftMs / 1000 } : {});
    this.lock = lock;
    this.time = time;
  }
}

/** Nobody else writes to the channel of a lock, so it is what `changeTo` wrote. */
export function recordOf(state: ChannelState | null): LockRecord | null {
  return state?.json ? JSON.parse(state.json) : null;
}

/** The change that makes this the record of a lock; `null` takes it away. */
export function changeTo(record: LockRecord | null): Next {
  const json = JSON.stringify(record);
  return { change: "value", json, state: record && json };
}

/** The record of a lock that is held at this moment; else `null`. */
export function heldAt(record: LockRecord | null, now: number): HeldRecord | null {
  if (!record?.holder) return null;
  const { token, holder, info, since = 0, expires = 0, leaseMs = 0 } = record;
  if (expires <= now) return null;
  return { token, holder, since, expires, leaseMs, ...saying(info) };
}

/** The record as everybody may see it: one whose lease has ended is free, though nobody has written it down yet. */
export function seenAt(record: LockRecord | null, now: number): LockRecord | null {
  if (!record?.holder || heldAt(record, now)) return record;
  return { token: record.token, freed: record.expires ?? now };
}

/**
 * The record after somebody has taken the lock, or renewed it.
 *
 * @param now milliseconds since 1970
 * @throws LockRefusedError `locked`, `lock_lost`
 */
export function taken(name: ChannelName, present: LockRecord | null, take: Take, now: number): HeldRecord {
  const held = heldAt(present, now);
  const own = held && isHolder(held.holder, take.holder) ? held : null;
  if (take.token !== undefined) {
    if (own?.token === take.token) return renewed(own, take, now);
    throw lost(name, take.token, present, now);
  }
  // A session that asks again did not hear the answer. Of callers without a session nobody knows whether they are the same.
  if (own?.holder.session !== undefined) return renewed(own, take, now);
  if (held) {
    const until = new Date(held.expires).toISOString();
    throw new LockRefusedError(
      "locked",
      `${name} is locked by ${holderText(held)} until ${until}`,
      held,
      now,
    );
  }
  const { holder, leaseMs = DEFAULT_LEASE_MS, info } = take;
  const token = Math.max((present?.token ?? 0) + 1, now);
  return { token, holder, since: now, expires: now + leaseMs, leaseMs, ...saying(info) };
}

/**
 * The record after its holder has let go of the lock.
 *
 * @param holder `null` lets go of it whoever holds it
 * @throws LockRefusedError `lock_lost`
 */
export function released(
  name: ChannelName,
  present: LockRecord | null,
  { holder, token }: { readonly holder: LockHolder | null; readonly token: number },
  now: number,
): LockRecord {
  const held = heldAt(present, now);
  if (held?.token !== token || (holder && !isHolder(held.holder, holder)))
    throw lost(name, token, present, now);
  return { token, freed: now };
}

export function isHolder(a: LockHolder, b: LockHolder): boolean {
  return a.session === b.session && a.user === b.user && a.key === b.key;
}

/** @throws FanfareError `invalid_request` */
export function checkLease(leaseMs: number): void {
  if (Number.isInteger(leaseMs) && leaseMs >= MIN_LEASE_MS && leaseMs <= MAX_LEASE_MS) return;
  throw new FanfareError("invalid_request", `leaseMs is ${leaseMs}`, {
    remedy: `Give leaseMs a whole number of milliseconds from ${MIN_LEASE_MS} to ${MAX_LEASE_MS}, or leave it out for ${DEFAULT_LEASE_MS}.`,
  });
}

function renewed(
  held: HeldRecord,
  { leaseMs = held.leaseMs, info = held.info }: Take,
  now: number,
): HeldRecord {
  const { token, holder, since } = held;
  return { token, holder, since, expires: now + leaseMs, leaseMs, ...saying(info) };
}

function saying(info: unknown): Pick<LockRecord, "info"> {
  return info === undefined || info === null ? {} : { info };
}

function lost(name: ChannelName, token: number, present: LockRecord | null, now: number): LockRefusedError {
  const held = heldAt(present, now);
  const why = held ? `it is held by ${holderText(held)}` : "its lease ended, or it was let go";
  return new LockRefusedError(
    "lock_lost",
    `${name} is not held with the token ${token} by this caller: ${why}`,
    seenAt(present, now),
    now,
  );
}

function holderText({ holder }: HeldRecord): string {
  const { user, key, session } = holder;
  if (user !== undefined) return quote(user);
  if (key !== undefined) return `the key ${quote(key)}`;
  return session === undefined ? "somebody" : `the session ${session}`;
}
