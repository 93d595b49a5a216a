/**
 * The cursor of a stream: where it is in all of its channels, as a text for `id:` and `Last-Event-ID`. Three parts, joined by dots: a
 * check of the channels' names, the epochs, and for each channel, in order, its offset and which of the epochs it is.
 */
import { hash } from "node:crypto";
import { type ChannelName, FanfareError, isEpoch, type Position, quote } from "@fanfare/protocol";

/** Of this many channels the cursor has at most 2,048 characters, whatever their offsets and epochs. */
export const MAX_CURSOR_CHANNELS = 60;
export const MAX_CURSOR_LENGTH = 2048;

const CHECK_LENGTH = 6;
const OFFSET = /^[0-9a-z]{1,11}$/;
const REMEDY =
  "Give an id exactly as the stream gave it, with the same channels in the same order; or none, to begin at the newest.";

/** The part that stays the same as long as the channels do. */
export function checkOf(channels: readonly ChannelName[]): string {
  return hash("sha256", channels.join("\n"), "base64url").slice(0, CHECK_LENGTH);
}

/**
 * @param check what {@link checkOf} says of the channels
 * @param positions in the order of the channels; `null` where there is none yet
 */
export function formatCursor(check: string, positions: readonly (Position | null)[]): string {
  const epochs: string[] = [];
  let offsets = "";
  for (const [index, position] of positions.entries()) {
    if (index > 0) offsets += ",";
    if (!position) continue;
    const { epoch, offset } = position;
    let which = epochs.indexOf(epoch);
    if (which < 0) which = epochs.push(epoch) - 1;
    offsets += which === 0 ? offset.toString(36) : `${which.toString(36)}:${offset.toString(36)}`;
  }
  return `${check}.${epochs.join(",")}.${offsets}`;
}

/**
 * Reads what {@link formatCursor} wrote.
 *
 * @throws FanfareError `invalid_position` when it is no cursor, or that of other channels
 */
export function parseCursor(text: string, channels: readonly ChannelName[]): (Position | null)[] {
  const [check = "", epochText = "", offsetText, ...rest] = text.split(".");
  if (text.length > MAX_CURSOR_LENGTH || offsetText === undefined || rest.length > 0) throw invalid(text);
  if (check !== checkOf(channels)) {
    throw new FanfareError("invalid_position", `the id ${quote(text, 100)} belongs to other channels`, {
      remedy: REMEDY,
    });
  }
  const epochs = epochText === "" ? [] : epochText.split(",");
  const parts = offsetText.split(",");
  if (parts.length !== channels.length) throw invalid(text);
  return parts.map((part) => {
    if (part === "") return null;
    const [first = "", second] = part.split(":");
    const digits = second ?? first;
    const epoch = epochs[second === undefined ? 0 : Number.parseInt(first, 36)] ?? "";
    const offset = OFFSET.test(digits) ? Number.parseInt(digits, 36) : Number.NaN;
    if (!isEpoch(epoch) || !Number.isSafeInteger(offset)) throw invalid(text);
    return { epoch, offset };
  });
}

function invalid(text: string): FanfareError {
  return new FanfareError("invalid_position", `${quote(text, 100)} is no id of a stream`, { remedy: REMEDY });
}
