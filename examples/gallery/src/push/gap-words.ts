/** The gap and its reason, in plain words. */
import type { Gap, GapReason } from "@fanfare/client";

const WHY: { readonly [Reason in GapReason]: string } = {
  evicted: "the log no longer held them",
  restarted: "the server was restarted, and its log began anew",
  epoch_changed: "the channel's log had to start over",
  forgotten: "the channel was not used for long, and was forgotten",
  conflated: "newer ones of the same kind overtook them",
  too_slow: "this window read so slowly that the log no longer held them",
  not_allowed_history: "this window may not read the history",
};

/** @example "3 messages are missing (12 to 14): the log no longer held them." */
export function gapInWords({ from, to, reason }: Pick<Gap, "from" | "to" | "reason">): string {
  const why = WHY[reason] ?? reason;
  if (from === null || to === null) return `Messages may be missing, how many is not known: ${why}.`;
  if (from === to) return `1 message is missing (${from}): ${why.replace("held them", "held it")}.`;
  return `${to - from + 1} messages are missing (${from} to ${to}): ${why}.`;
}
