/**
 * The only file that touches a client's socket. Ready-made frames are written to the raw socket below `ws`, which costs less
 * than `ws.send` and is safe because nothing is compressed and every write is a whole frame; reading, control frames and the
 * closing handshake are left to `ws`.
 */
import type { Socket } from "node:net";
import { WebSocket } from "ws";
import { PING_FRAME } from "./frame.js";

/** Beyond so many waiting bytes a socket is full. */
export const HIGH_WATER_MARK = 64 * 1024;

/** What a socket tells. */
export interface ClientSocketEvents {
  /** A text frame came. */
  text(data: Buffer): void;
  /** A binary frame came. */
  binary(): void;
  /** Any bytes came. */
  alive(): void;
  /** It takes more again. */
  drained(): void;
  /** The `ws` layer found the input invalid and closes the connection by itself. */
  failed(error: Error): void;
  /** The peer closes: its close frame came. `closed` follows. */
  closing(): void;
  /** The peer will send nothing more, and did not say why. `closed` follows. */
  ended(): void;
  /** It is closed. `code` is what the peer said, or 1006 when it said nothing. */
  closed(code: number): void;
}

export class ClientSocket {
  readonly #ws: WebSocket;
  readonly #socket: Socket;

  constructor(ws: WebSocket, socket: Socket, events: ClientSocketEvents) {
    this.#ws = ws;
    this.#socket = socket;
    ws.on("message", (data, isBinary) => {
      if (isBinary || !Buffer.isBuffer(data)) events.binary();
      else events.text(data);
    });
    ws.on("error", (error) => events.failed(error));
    ws.on("close", (code) => events.closed(code));
    socket.on("data", () => {
      events.alive();
      // These bytes have been through `ws` already.
      if (ws.readyState === WebSocket.CLOSING) events.closing();
    });
    socket.on("end", () => events.ended());
    socket.on("drain", () => events.drained());
  }

  /** Bytes that have not left the process. */
  get waitingBytes(): number {
    return this.#socket.writableLength;
  }

  /** Is it neither closed nor closing? */
  get open(): boolean {
    return this.#ws.readyState === WebSocket.OPEN;
  }

  /** Writes whole frames; does nothing once the socket is closing. False when it is full: `drained` follows. */
  write(bytes: Uint8Array): boolean {
    if (this.#ws.readyState !== WebSocket.OPEN) return true;
    // The stream says false earlier than we do; where it said so, it will also say when it is drained.
    return this.#socket.write(bytes) || this.#socket.writableLength < HIGH_WATER_MARK;
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  ping(): void {
    this.write(PING_FRAME);
  }

  pause(): void {
    this.#ws.pause();
  }

  resume(): void {
    this.#ws.resume();
  }

  /** Begins the closing handshake. The reason is cut to what a close frame can hold. */
  close(code: number, reason: string): void {
    // A paused socket would never see the peer's answer.
    this.#ws.resume();
    this.#ws.close(code, cut(reason));
  }

  /** Ends the connection at once. */
  destroy(): void {
    this.#ws.terminate();
  }
}

/** A close reason has at most 123 bytes. */
function cut(reason: string): string {
  if (Buffer.byteLength(reason) <= 123) return reason;
  let end = 120;
  while (Buffer.byteLength(reason.slice(0, end)) > 120) end--;
  return `${reason.slice(0, end)}…`;
}
