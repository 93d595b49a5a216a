/** What the engines of one process do alike: they give drafts their place, and refuse changes of a state that is another by now. */
import { type ChannelName, type Epoch, FanfareError, formatPosition, type Position } from "@fanfare/protocol";
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

/** @throws FanfareError `version_mismatch` when the state is not the one that a change builds on */
export function assertBase(channel: ChannelName, state: ChannelState | null, base: Position | null): void {
  const present = state && state.json !== null ? state : null;
  if (present?.epoch === base?.epoch && present?.offset === base?.offset) return;
  throw new FanfareError(
    "version_mismatch",
    `the state of ${channel} is ${shown(present)}, and ${shown(base)} was expected`,
  );
}

function shown(position: Position | null): string {
  return position ? formatPosition(position) : "none";
}
