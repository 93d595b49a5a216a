/** Channel patterns, and the one matcher that rules, grants and doors share. */
import { isDots, MAX_CHANNEL_LENGTH, SEGMENT } from "./channel.js";
import { FanfareError, quote, shown } from "./errors.js";

/** A checked channel pattern. */
export interface Pattern {
  readonly text: string;
  readonly segments: readonly string[];
  /** True when it names one channel only. */
  readonly literal: boolean;
}

/**
 * The text as a pattern: segments split by `:`, each a literal, `*` (exactly one segment) or, as the last, `**`
 * (one or more segments).
 *
 * @throws FanfareError `invalid_pattern`
 */
export function parsePattern(text: string): Pattern {
  const refuse = (why: string) =>
    new FanfareError("invalid_pattern", `${shown(text)} is no channel pattern: ${why}`);
  if (typeof text !== "string") throw refuse("it is no text");
  const segments = text.split(":");
  if (text.length > MAX_CHANNEL_LENGTH) throw refuse(`more than ${MAX_CHANNEL_LENGTH} characters`);
  if (isDots(text)) throw refuse("no channel is called so");
  let literal = true;
  for (const [index, segment] of segments.entries()) {
    if (segment === "**" && index !== segments.length - 1) throw refuse("** may only be the last segment");
    if (segment === "*" || segment === "**") literal = false;
    else if (segment === "") throw refuse("a segment between colons is empty");
    else if (!SEGMENT.test(segment))
      throw refuse(`the segment ${quote(segment)} has a character that is not allowed`);
  }
  return { text, segments, literal };
}

/** Does the pattern cover this channel? Asked for every message and subscription, so the channel is not taken apart for it. */
export function matches(pattern: Pattern, channel: string): boolean {
  if (pattern.literal) return pattern.text === channel;
  let start = 0;
  for (const wanted of pattern.segments) {
    if (start > channel.length) return false;
    if (wanted === "**") return true;
    const colon = channel.indexOf(":", start);
    const end = colon < 0 ? channel.length : colon;
    if (wanted !== "*" && !(end - start === wanted.length && channel.startsWith(wanted, start))) return false;
    start = end + 1;
  }
  return start > channel.length;
}

/** Does the outer pattern cover every channel that the inner one covers? */
export function includes(outer: Pattern, inner: Pattern): boolean {
  for (const [index, wanted] of outer.segments.entries()) {
    if (wanted === "**") return inner.segments.length > index;
    const segment = inner.segments[index];
    if (segment === undefined || segment === "**") return false;
    if (wanted !== "*" && wanted !== segment) return false;
  }
  return inner.segments.length === outer.segments.length;
}

/**
 * Orders patterns, the most specific first: segment by segment from the left, a literal before `*` before `**`.
 * Patterns that compare as 0 and can match the same channel are the same pattern.
 */
export function bySpecificity(a: Pattern, b: Pattern): number {
  const length = Math.max(a.segments.length, b.segments.length);
  for (let index = 0; index < length; index++) {
    const difference = openness(a.segments[index]) - openness(b.segments[index]);
    if (difference !== 0) return difference;
  }
  return 0;
}

function openness(segment: string | undefined): number {
  if (segment === "**") return 2;
  if (segment === "*") return 1;
  return 0;
}
