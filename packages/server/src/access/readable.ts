/** Takes out of a refusal what its caller may not read: callers who may change a state, or take a lock, may not always read it. */
import { type ChannelName, FanfareError } from "@fanfare/protocol";
import type { Action } from "./grants/actions.js";

export interface Reader {
  may(action: Action, channel: ChannelName): boolean;
}

/** The same error, without what the caller may not read. */
export function readableBy<Refusal>(reader: Reader, error: Refusal): Refusal | FanfareError {
  if (!(error instanceof FanfareError) || error.channel === undefined) return error;
  const { code, channel } = error;
  if (code === "version_mismatch") return reader.may("history", channel) ? error : withoutState(channel);
  if (code === "locked" || code === "lock_lost") {
    return reader.may("subscribe", channel) ? error : withoutHolder(error, channel);
  }
  return error;
}

function withoutState(channel: ChannelName): FanfareError {
  return new FanfareError("version_mismatch", `the state of ${channel} is another than was expected`, {
    remedy: "Change it without a condition, or ask for the grant history, to read it.",
    channel,
  });
}

/** Neither who holds the lock, nor what the holder says of it. */
function withoutHolder(
  { code, lock, time, retryAfterSeconds }: FanfareError,
  channel: ChannelName,
): FanfareError {
  const { holder: _, info: __, ...rest } = lock ?? { token: 0 };
  const message =
    code === "locked"
      ? `${channel} is locked by somebody else`
      : `${channel} is not held with this token by this caller`;
  return new FanfareError(code, message, {
    channel,
    lock: lock ? rest : null,
    ...(time !== undefined && { time }),
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
  });
}
