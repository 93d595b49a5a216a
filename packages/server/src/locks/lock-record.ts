/** The changes of a lock: taken, renewed, let go. Functions over the record that watchers see; knows no clock and no engine. */
import {
  type ChannelName,
  FanfareError,
  type LockHolder,
  type LockRecord,
  quote,
  shown,
} from "@fanfare/protocol";
import type { ChannelState } from "../engine/engine.js";
import type { Next } from "../hub/state-changes.js";

export const DEFAULT_LEASE_SECONDS = 30;
export const MIN_LEASE_SECONDS = 1;
export const MAX_LEASE_SECONDS = 86_400;
/** The record of a free lock is kept for this long, so that its tokens only grow though clocks differ. */
export const KEPT_FREE_MS = 86_400_000;

/** A record with all that a held lock has. */
export type HeldRecord = Required<
  Pick<LockRecord, "token" | "holder" | "since" | "expires" | "leaseSeconds">
> &
  Pick<LockRecord, "info">;

/** The request of a caller that takes or renews a lock. */
export interface Take {
  readonly holder: LockHolder;
  /** Renews only, and only while the lock is held with this token. */
  readonly token: number | undefined;
  /** `undefined` is the lease that it had, or the default. */
  readonly leaseSeconds: number | undefined;
  /** `undefined` is what it was, `null` nothing. */
  readonly info: unknown;
}

/** Only the hub writes to the channel of a lock, so it is what `changeTo` wrote. */
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
  const { token, holder, info, since = 0, expires = 0, leaseSeconds = 0 } = record;
  if (expires <= now) return null;
  return { token, holder, since, expires, leaseSeconds, ...saying(info) };
}

/** The record as everybody may see it: one whose lease has ended is free, though no node has written it down yet. */
export function seenAt(record: LockRecord | null, now: number): LockRecord | null {
  if (!record?.holder || heldAt(record, now)) return record;
  return { token: record.token, freed: record.expires ?? now };
}

/**
 * The record after somebody has taken the lock, or renewed it.
 *
 * @param now milliseconds since 1970
 * @throws FanfareError `locked`, `lock_lost`
 */
export function taken(name: ChannelName, present: LockRecord | null, take: Take, now: number): HeldRecord {
  const held = heldAt(present, now);
  const own = held && isHolder(held.holder, take.holder) ? held : null;
  if (take.token !== undefined) {
    if (own?.token === take.token) return renewed(own, take, now);
    throw lost(name, take.token, present, now);
  }
  // A session that asks again did not hear the answer. The hub cannot know of callers without a session whether they are the same.
  if (own?.holder.session !== undefined) return renewed(own, take, now);
  if (held) {
    const until = new Date(held.expires).toISOString();
    throw refused("locked", name, `${name} is locked by ${holderText(held)} until ${until}`, held, now);
  }
  const { holder, leaseSeconds = DEFAULT_LEASE_SECONDS, info } = take;
  const token = Math.max((present?.token ?? 0) + 1, now);
  return { token, holder, since: now, expires: now + leaseSeconds * 1000, leaseSeconds, ...saying(info) };
}

/**
 * The record after its holder has let go of the lock.
 *
 * @param holder `null` lets go of it for any holder
 * @throws FanfareError `lock_lost`
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
export function checkLease(leaseSeconds: number): void {
  if (
    Number.isInteger(leaseSeconds) &&
    leaseSeconds >= MIN_LEASE_SECONDS &&
    leaseSeconds <= MAX_LEASE_SECONDS
  )
    return;
  throw new FanfareError("invalid_request", `leaseSeconds is ${shown(leaseSeconds)}`, {
    remedy: `Give leaseSeconds a whole number of seconds from ${MIN_LEASE_SECONDS} to ${MAX_LEASE_SECONDS}, or leave it out for ${DEFAULT_LEASE_SECONDS}.`,
  });
}

function renewed(
  held: HeldRecord,
  { leaseSeconds = held.leaseSeconds, info = held.info }: Take,
  now: number,
): HeldRecord {
  const { token, holder, since } = held;
  return { token, holder, since, expires: now + leaseSeconds * 1000, leaseSeconds, ...saying(info) };
}

function saying(info: unknown): Pick<LockRecord, "info"> {
  return info === undefined || info === null ? {} : { info };
}

function lost(name: ChannelName, token: number, present: LockRecord | null, now: number): FanfareError {
  const held = heldAt(present, now);
  const why = held ? `it is held by ${holderText(held)}` : "its lease ended, or it was let go";
  return refused(
    "lock_lost",
    name,
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

/** The lock is not to be had, or not any more. */
function refused(
  code: "locked" | "lock_lost",
  channel: ChannelName,
  message: string,
  lock: LockRecord | null,
  time: number,
): FanfareError {
  const leftMs = (lock?.expires ?? time) - time;
  return new FanfareError(code, message, {
    channel,
    lock,
    time,
    ...(code === "locked" && { retryAfterSeconds: leftMs / 1000 }),
  });
}

/** Is it a refusal of a lock? */
export function isLockRefused(error: unknown): error is FanfareError {
  return error instanceof FanfareError && (error.code === "locked" || error.code === "lock_lost");
}
