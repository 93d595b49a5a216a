/**
 * Messages over a stream: those of one turn of the event loop travel as one frame, which is its length in four bytes and a JSON array of
 * messages.
 */
import type { Socket } from "node:net";
import { FanfareError } from "@fanfare/protocol";
import type { Clock } from "../../base/clock.js";

const HEAD_BYTES = 4;
/** More at once comes from no engine. */
const MAX_FRAME_BYTES = 512 * 1024 * 1024;

/** Gathers messages, and writes them at the end of the turn. */
export class FrameWriter {
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #taken: () => void;
  #texts: string[] = [];
  #characters = 0;

  /** @param taken is called when the system has taken a frame */
  constructor(socket: Socket, clock: Clock, taken: () => void = () => {}) {
    this.#socket = socket;
    this.#clock = clock;
    this.#taken = taken;
  }

  /** Bytes that the other side has not taken yet, roughly. */
  get waitingBytes(): number {
    return this.#socket.writableLength + this.#characters;
  }

  /** @param text a message as JSON text */
  add(text: string): void {
    this.#characters += text.length;
    if (this.#texts.push(text) === 1) this.#clock.endOfTurn(() => this.flush());
  }

  flush(): void {
    if (this.#texts.length === 0) return;
    const texts = this.#texts;
    this.#texts = [];
    this.#characters = 0;
    if (this.#socket.destroyed) return;
    const body = `[${texts.join(",")}]`;
    const bytes = Buffer.byteLength(body);
    const frame = Buffer.allocUnsafe(HEAD_BYTES + bytes);
    frame.writeUInt32LE(bytes);
    frame.write(body, HEAD_BYTES);
    this.#socket.write(frame, this.#taken);
  }
}

/** Cuts what arrives into frames. */
export class FrameReader {
  readonly #take: (messages: readonly unknown[]) => void;
  #parts: Buffer[] = [];
  #bytes = 0;
  /** Bytes of head and body that are waited for. */
  #wanted = HEAD_BYTES;

  /** @param take is given the messages of a frame */
  constructor(take: (messages: readonly unknown[]) => void) {
    this.#take = take;
  }

  /** @throws Error when it is no frame: the stream cannot be read any further */
  read(part: Buffer): void {
    this.#parts.push(part);
    this.#bytes += part.length;
    while (this.#bytes >= this.#wanted) {
      const all = this.#parts.length === 1 ? (this.#parts[0] ?? part) : Buffer.concat(this.#parts);
      const end = HEAD_BYTES + all.readUInt32LE(0);
      if (end > HEAD_BYTES + MAX_FRAME_BYTES) {
        throw new FanfareError(
          "too_large",
          `a frame of ${end} bytes, and at most ${MAX_FRAME_BYTES} are taken`,
        );
      }
      this.#wanted = end;
      if (all.length < end) {
        this.#parts = [all];
        return;
      }
      const rest = all.subarray(end);
      this.#parts = rest.length > 0 ? [rest] : [];
      this.#bytes = rest.length;
      this.#wanted = HEAD_BYTES;
      this.#take(JSON.parse(all.toString("utf8", HEAD_BYTES, end)));
    }
  }
}
