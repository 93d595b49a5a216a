/** The calls of clients, the same at every door, apart from subscriptions: publish, patch, lock, unlock, next. Encodes nothing. */
import {
  type ChannelName,
  FanfareError,
  type Numbers,
  type Position,
  parseChannelName,
} from "@fanfare/protocol";
import type { Acting } from "../../access/acting.js";
import type { Action } from "../../access/grants/actions.js";
import { holderOf } from "../../access/grants/principal.js";
import type { MessageInput, StateInput } from "../../hub/terms/draft.js";
import type { Held, LockInput } from "../../locks/locks.js";
import type { NextInput } from "../../locks/sequences.js";
import type { ClientSession } from "./client-session.js";

/** Where something stands that was appended. */
export interface AppendedAt extends Position {
  readonly channel: ChannelName;
}

/** @throws FanfareError */
export async function publish(
  session: ClientSession,
  text: string,
  { data, event, id }: Pick<MessageInput, "data" | "event" | "id">,
): Promise<AppendedAt> {
  const acting = allowed(session, "publish", text);
  const { channel } = acting;
  const { epoch, offset } = await session.host.hub.publish(channel, { data, event, id, ...acting });
  return { channel, epoch, offset };
}

/** Changes a state by a merge patch. @throws FanfareError */
export async function patch(
  session: ClientSession,
  text: string,
  { patch, ifVersion, id }: Pick<StateInput, "patch" | "ifVersion" | "id">,
): Promise<AppendedAt> {
  const acting = allowed(session, "patch", text);
  const { channel } = acting;
  const input = { patch, ifVersion, id, ...acting };
  const { epoch, offset } = await session.host.hub.changeState(channel, input);
  return { channel, epoch, offset };
}

/** Takes a lock, or renews it with its token. Sessions hold locks, so that they pass over to the next connection. @throws FanfareError */
export async function lock(
  session: ClientSession,
  text: string,
  { leaseSeconds, info, token }: Pick<LockInput, "leaseSeconds" | "info" | "token">,
): Promise<Held> {
  const isRenewal = token !== undefined;
  const { channel: name, owner, permit } = allowed(session, isRenewal ? null : "lock", text);
  // No reason to send a client away: the grant may have been taken away while it held the lock.
  if (isRenewal && !session.identity.may("lock", name)) {
    throw new FanfareError("lock_lost", `the grant for locking ${name} was taken away`);
  }
  const holder = holderIn(session);
  return await session.host.locks.take(name, { leaseSeconds, info, token, holder, owner, permit });
}

/** Frees a lock. @throws FanfareError */
export async function unlock(session: ClientSession, text: string, token: number): Promise<void> {
  const { channel: name } = allowed(session, null, text);
  await session.host.locks.release(name, { holder: holderIn(session), token });
}

/** Takes numbers of a sequence. @throws FanfareError */
export async function next(
  session: ClientSession,
  text: string,
  { count, id }: Pick<NextInput, "count" | "id">,
): Promise<Numbers> {
  const acting = allowed(session, "sequence", text);
  return await session.host.sequences.next(acting.channel, { count, id, ...acting });
}

/** @param action `null` where no grant is needed */
function allowed(session: ClientSession, action: Action | null, text: string): Acting {
  session.countPublish();
  return session.acting(action, parseChannelName(text));
}

function holderIn({ identity, connection }: ClientSession) {
  return { ...holderOf(identity.principal), session: connection.publisher };
}
