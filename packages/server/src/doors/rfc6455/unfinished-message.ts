/**
 * Counts the bytes that a client has sent of a message that is not whole, by the heads of frames (RFC 6455, section 5.2). Another parser
 * keeps the message itself.
 */

const FINAL = 0x80;
const CONTROL = 0x08;
const LENGTH = 0x7f;
const MASKED = 0x80;
const MASK_BYTES = 4;
const TWO_BYTES = 126;
const EIGHT_BYTES = 127;
/** A piece takes as much memory beside its bytes: of a message that comes a byte at a time, most of what it takes. */
const PIECE_BYTES = 200;

export class UnfinishedMessage {
  /** The memory that it takes, roughly; 0 when all that came is whole. */
  #bytes = 0;
  /** The head of a frame, as far as it has come. */
  readonly #head: number[] = [];
  /** Bytes of the frame that are to come. */
  #left = 0;
  /** The frame ends a message, or is none of a message. */
  #endsMessage = false;
  #isControl = false;
  /** A message has begun, and its last frame has not ended. */
  #inMessage = false;

  /** More was read. @returns the bytes that unfinished messages take now */
  take(chunk: Uint8Array): number {
    let at = 0;
    while (at < chunk.length) {
      if (this.#left > 0) {
        const taken = Math.min(this.#left, chunk.length - at);
        at += taken;
        this.#left -= taken;
        this.#bytes += taken;
        if (this.#left === 0) this.#frameEnded();
      } else {
        this.#head.push(chunk[at++] ?? 0);
        this.#headGrew();
      }
    }
    const isWhole = !this.#inMessage && this.#left === 0 && this.#head.length === 0;
    if (isWhole) this.#bytes = 0;
    else this.#bytes += PIECE_BYTES;
    return this.#bytes;
  }

  #headGrew(): void {
    const head = this.#head;
    const [first = 0, second = 0] = head;
    if (head.length < 2) return;
    const short = second & LENGTH;
    const lengthBytes = short === TWO_BYTES ? 2 : short === EIGHT_BYTES ? 8 : 0;
    if (head.length < 2 + lengthBytes + (second & MASKED ? MASK_BYTES : 0)) return;
    let length = short;
    if (lengthBytes > 0) {
      length = 0;
      for (const byte of head.slice(2, 2 + lengthBytes)) length = length * 256 + byte;
    }
    head.length = 0;
    this.#isControl = (first & CONTROL) !== 0;
    this.#endsMessage = (first & FINAL) !== 0;
    if (!this.#isControl) this.#inMessage = true;
    this.#left = length;
    if (length === 0) this.#frameEnded();
  }

  #frameEnded(): void {
    // A control frame may come between the frames of a message.
    if (this.#isControl) return;
    this.#inMessage = !this.#endsMessage;
    // The pieces of a message are kept apart until it is whole.
    if (this.#inMessage) this.#bytes += PIECE_BYTES;
    else this.#bytes = 0;
  }
}
