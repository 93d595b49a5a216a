/** The work that the engines of one process share: giving drafts their place, and comparing states. */
import type { ChannelName, Epoch, Position } from "@fanfare/protocol";
import type { AnyDraft, ChannelState, LogEntry, Message } from "./engine.js";

/** A draft at its place in the log. @param time milliseconds since 1970 */
export function entryOf(
  channel: ChannelName,
  epoch: Epoch,
  offset: number,
  time: number,
  draft: AnyDraft,
): LogEntry {
  if (draft.change) {
    const { change, json, base, idempotency } = draft;
    const from = base?.offset ?? 0;
    return {
      channel,
      epoch,
      offset,
      time,
      change,
      json,
      from,
      ...(idempotency && { id: idempotency.key }),
    };
  }
  const { event, json, user, except, idempotency } = draft;
  const message: { -readonly [Name in keyof Message]: Message[Name] } = {
    channel,
    epoch,
    offset,
    time,
    event,
    json,
  };
  if (user !== undefined) message.user = user;
  if (idempotency !== undefined) message.id = idempotency.key;
  if (except !== undefined) message.except = except;
  return message;
}

/** Is the state the one that a change builds on? */
export function isBase(state: ChannelState | null, base: Position | null): boolean {
  const present = state && state.json !== null ? state : null;
  return present?.epoch === base?.epoch && present?.offset === base?.offset;
}
