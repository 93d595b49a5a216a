/**
 * The message that is measured, and the stamp in it: a sequence number and a time, of fixed width, so that the generator
 * finds it at the same distance from the end of every frame and reads it without parsing JSON.
 */

const TEXT = "x".repeat(100);
const SEQUENCE_DIGITS = 9;
const TIME_DIGITS = 16;
/** `@`, the sequence number, `,`, the time. */
export const STAMP_LENGTH = 1 + SEQUENCE_DIGITS + 1 + TIME_DIGITS;

const AT = 0x40;
const COMMA = 0x2c;
const ZERO = 0x30;

/** A clock that all processes of one machine share: microseconds since some moment. */
export function microseconds() {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e6 + Math.floor(nanoseconds / 1000);
}

/**
 * @param {number} sequence 1, 2, 3 …
 * @param {number} time when it was to be published, in microseconds
 */
export function stampedMessage(sequence, time) {
  const number = String(sequence).padStart(SEQUENCE_DIGITS, "0");
  const moment = String(Math.floor(time)).padStart(TIME_DIGITS, "0");
  return { text: TEXT, stamp: `@${number},${moment}` };
}

/** @param {Uint8Array} bytes @param {number} at */
export function isStamp(bytes, at) {
  return bytes[at] === AT && bytes[at + 1 + SEQUENCE_DIGITS] === COMMA;
}

/** @param {Uint8Array} bytes @param {number} at where the stamp begins */
export function sequenceOf(bytes, at) {
  return digits(bytes, at + 1, SEQUENCE_DIGITS);
}

/** @param {Uint8Array} bytes @param {number} at where the stamp begins */
export function timeOf(bytes, at) {
  return digits(bytes, at + 2 + SEQUENCE_DIGITS, TIME_DIGITS);
}

/** @param {Uint8Array} bytes @param {number} from @param {number} count */
function digits(bytes, from, count) {
  let value = 0;
  for (let at = from; at < from + count; at++) value = value * 10 + (bytes[at] ?? ZERO) - ZERO;
  return value;
}
