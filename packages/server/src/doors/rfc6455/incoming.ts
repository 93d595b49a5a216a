/**
 * Reads the bytes of a client as frames. Whole frames of moderate size, which is what nearly all clients send nearly always, are read
 * here. At the first thing that is not as simple (fragments, a large frame, one that came in pieces, anything invalid) the
 * rest goes to the `Receiver` of `ws`; most connections never have one.
 */
import { isUtf8 } from "node:buffer";
import type { Failing } from "../../base/failures.js";
import { Receiver } from "./receiver.js";
import { UnfinishedMessage } from "./unfinished-message.js";

const FINAL_TEXT = 0x81;
const FINAL_CLOSE = 0x88;
const FINAL_PING = 0x89;
const FINAL_PONG = 0x8a;
const MASKED = 0x80;
/** The length that says that the real one follows in two bytes. */
const TWO_BYTES = 126;
const MASK_BYTES = 4;
/** A client that cuts its messages into more pieces than this wants our memory. */
const MAX_PIECES = 16 * 1024;

/** What one of these throws, `failedInside` is told where it would reach the parser of `ws`; else the caller of `take`. */
export interface IncomingEvents extends Failing {
  text(data: Buffer): void;
  binary(): void;
  /** The client wants a sign of life with this payload. */
  pinged(payload: Buffer): void;
  /** The client's close frame; 1005 when it holds no code. */
  closeFrame(code: number): void;
  /** The input breaks the rules, and nothing more is read; the code is to be said when closing. */
  invalid(error: Error, code: number): void;
  /** A message that has not come whole takes this many bytes now; 0 when it has. Told where it changes. */
  unfinished(bytes: number): void;
}

export class Incoming {
  readonly #events: IncomingEvents;
  readonly #maxPayload: number;
  #receiver: Receiver | null = null;
  /** Of what the receiver keeps. */
  #message: UnfinishedMessage | null = null;
  #unfinishedBytes = 0;
  #over = false;

  /** @param maxPayload bytes that a message may have */
  constructor(events: IncomingEvents, maxPayload: number) {
    this.#events = events;
    this.#maxPayload = maxPayload;
  }

  /** Takes what was read from the socket; the bytes are its own from now on. */
  take(chunk: Buffer): void {
    let from = 0;
    while (from < chunk.length && !this.#over) {
      if (this.#receiver) {
        this.#receive(this.#receiver, from === 0 ? chunk : chunk.subarray(from));
        return;
      }
      const end = this.#readWhole(chunk, from);
      if (end === 0) this.#receiver = this.#makeReceiver();
      else from = end;
    }
  }

  /** Reads nothing more, and keeps nothing of what has come. */
  drop(): void {
    this.#over = true;
    this.#receiver = null;
    this.#message = null;
  }

  #receive(receiver: Receiver, chunk: Buffer): void {
    this.#message ??= new UnfinishedMessage();
    // Before the receiver keeps it: there may be no room.
    const bytes = this.#message.take(chunk);
    if (bytes !== this.#unfinishedBytes) {
      this.#unfinishedBytes = bytes;
      this.#events.unfinished(bytes);
    }
    if (!this.#over) receiver.write(chunk);
  }

  /** Reads the frame that begins here. Answers with where it ends, or 0 when it is not a simple one. */
  #readWhole(chunk: Buffer, from: number): number {
    const first = chunk[from] ?? 0;
    const second = chunk[from + 1] ?? 0;
    if ((second & MASKED) === 0) return 0;
    let length = second & ~MASKED;
    let at = from + 2;
    if (length > TWO_BYTES) return 0;
    if (length === TWO_BYTES) {
      // Control frames are never that long.
      if (first !== FINAL_TEXT || chunk.length < at + 2) return 0;
      length = chunk.readUInt16BE(at);
      at += 2;
    }
    const start = at + MASK_BYTES;
    const end = start + length;
    if (end > chunk.length || length > this.#maxPayload) return 0;
    switch (first) {
      case FINAL_TEXT: {
        const data = unmask(chunk, start, end);
        if (isUtf8(data)) this.#events.text(data);
        else this.#fail(new Error("invalid UTF-8 sequence"), 1007);
        return end;
      }
      case FINAL_PING:
        this.#events.pinged(unmask(chunk, start, end));
        return end;
      case FINAL_PONG:
        return end;
      case FINAL_CLOSE:
        if (length === 0) {
          this.#close(1005);
          return end;
        }
    }
    return 0;
  }

  #close(code: number): void {
    if (this.#over) return;
    this.#over = true;
    this.#events.closeFrame(code);
  }

  #fail(error: Error, code: number): void {
    if (this.#over) return;
    this.#over = true;
    this.#events.invalid(error, code);
  }

  #makeReceiver(): Receiver {
    const events = this.#events;
    const receiver = new Receiver({
      isServer: true,
      maxPayload: this.#maxPayload,
      maxFragments: MAX_PIECES,
      maxBufferedChunks: MAX_PIECES,
    });
    receiver.on(
      "message",
      this.#guarded((data: Buffer, isBinary: boolean) => {
        if (isBinary) events.binary();
        else events.text(data);
      }),
    );
    receiver.on(
      "ping",
      this.#guarded((payload: Buffer) => events.pinged(payload)),
    );
    receiver.on(
      "conclude",
      this.#guarded((code: number) => this.#close(code)),
    );
    receiver.on(
      "error",
      this.#guarded((error: Error) => this.#fail(error, closeCodeOf(error))),
    );
    return receiver;
  }

  #guarded<Args extends readonly unknown[]>(listener: (...args: Args) => void): (...args: Args) => void {
    return (...args) => {
      try {
        listener(...args);
      } catch (error) {
        this.#events.failedInside(error);
      }
    };
  }
}

/** Takes the mask off, in place. */
function unmask(chunk: Buffer, start: number, end: number): Buffer {
  const mask = start - MASK_BYTES;
  for (let at = start, byte = 0; at < end; at++, byte = (byte + 1) & 3) {
    chunk[at] = (chunk[at] as number) ^ (chunk[mask + byte] as number);
  }
  return chunk.subarray(start, end);
}

/** The close code that RFC 6455 has for an error. */
function closeCodeOf(error: Error): number {
  switch ("code" in error ? error.code : undefined) {
    case "WS_ERR_INVALID_UTF8":
      return 1007;
    case "WS_ERR_TOO_MANY_BUFFERED_PARTS":
      return 1008;
    case "WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH":
    case "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH":
      return 1009;
    default:
      return 1002;
  }
}
