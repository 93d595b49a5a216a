/** Positions in a channel's log. */
import { FanfareError, quote, shown } from "./errors.js";

declare const epoch: unique symbol;
/** Says which log a position belongs to: 16 hexadecimal characters. It changes when a log had to start over. */
export type Epoch = string & { readonly [epoch]: true };

/** A place in a channel's log: after the message with this offset; 0 is before the first. */
export interface Position<EpochText extends string = Epoch> {
  /** Says which log it belongs to; 16 hexadecimal characters. */
  readonly epoch: EpochText;
  /** 1, 2, 3 …; 0 is before the first message. */
  readonly offset: number;
}

const EPOCH = /^[0-9a-f]{16}$/;
/** One spelling for each offset, so that positions can be compared as texts: no leading zeros. */
const OFFSET = /^(?:0|[1-9][0-9]{0,15})$/;

export function isEpoch(text: string): text is Epoch {
  return typeof text === "string" && EPOCH.test(text);
}

/** @throws FanfareError `invalid_position` */
export function parseEpoch(text: string): Epoch {
  if (isEpoch(text)) return text;
  throw new FanfareError(
    "invalid_position",
    `${quote(text)} is no epoch: 16 characters of 0-9 a-f are wanted`,
  );
}

/** The position as text, `epoch:offset`, as it stands in URLs and headers. */
export function formatPosition(position: Position): string {
  return `${position.epoch}:${position.offset}`;
}

/**
 * Reads what {@link formatPosition} wrote.
 *
 * @throws FanfareError `invalid_position`
 */
export function parsePosition(text: string): Position {
  const [epochText = "", offsetText = "", ...rest] = text.split(":");
  const offset = OFFSET.test(offsetText) ? Number(offsetText) : Number.NaN;
  if (rest.length > 0 || !Number.isSafeInteger(offset)) {
    throw new FanfareError(
      "invalid_position",
      `${quote(text)} is no position: epoch:offset is wanted, such as 0123456789abcdef:42`,
    );
  }
  return { epoch: parseEpoch(epochText), offset };
}

/**
 * A position that a program gave, as such or as text.
 *
 * @throws FanfareError `invalid_position`
 */
export function readPosition(given: Position | string): Position {
  if (typeof given === "string") return parsePosition(given);
  const { epoch, offset }: Partial<Position> = Object(given);
  if (typeof epoch === "string" && typeof offset === "number")
    return parsePosition(formatPosition({ epoch, offset }));
  throw new FanfareError(
    "invalid_position",
    `${shown(given)} is no position: { epoch, offset } or the text epoch:offset is wanted`,
  );
}
