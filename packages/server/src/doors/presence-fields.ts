/** The members of a `presence` frame as JSON text, the same in every door that speaks frames. */
import type { PresenceNews } from "../hub/terms/subscriber.js";

/** Put together by hand: lists are JSON text already, and channel names need no escapes. */
export function presenceFields({ channel, count, joined, left, members, page, more }: PresenceNews): string {
  const joinedText = joined === undefined ? "" : `,"joined":${joined}`;
  const leftText = left === undefined ? "" : `,"left":${left}`;
  const pageText = members === undefined ? "" : `,"members":${members},"page":${page},"more":${more}`;
  return `"channel":"${channel}","count":${count}${joinedText}${leftText}${pageText}`;
}
