/**
 * The only file that touches a client's socket. Ready-made frames are written to it as they are, each write whole frames;
 * what comes is read by `Incoming`; the closing handshake (RFC 6455, section 7) is done here.
 */
import type { Socket } from "node:net";
import type { Failing } from "../../base/failures.js";
import { HIGH_WATER_MARK } from "../../base/high-water-mark.js";
import { closeFrame, PING_FRAME, pongFrame } from "./frame.js";
import { Incoming, type IncomingEvents } from "./incoming.js";

/** Writes while corked are joined up to this size; beyond it, copying would cost more than it saves. */
const MAX_JOINED = 4096;

/** The events of a socket. What one of these throws, `failedInside` is told. */
export interface ClientSocketEvents extends Failing {
  /** A text frame came. */
  text(data: Buffer): void;
  /** A binary frame came. */
  binary(): void;
  /** Any bytes came. */
  alive(): void;
  /** A message that has not come whole takes this many bytes now; 0 when it has. */
  unfinished(bytes: number): void;
  /** All that was written had left the process, and what was written now has not. */
  filling(): void;
  /** It takes more again. */
  drained(): void;
  /** The input broke the rules of WebSockets, and the connection closes by itself, with this code. `closed` follows. */
  failed(error: Error, code: number): void;
  /** The client's close frame came: `answerClose` is to be called when everything before it has been answered. */
  leaving(): void;
  /** Both have said that they close. `closed` follows. */
  closing(): void;
  /** The client will send nothing more, and did not say why. `closed` follows. */
  ended(): void;
  /** It is closed. `code` is what the client said, or 1006 when it said nothing. */
  closed(code: number): void;
}

const OWNER = Symbol("client");

/** A socket that knows whose it is, so that all share their listeners. */
interface OwnedSocket extends Socket {
  [OWNER]: ClientSocket;
}

export class ClientSocket implements IncomingEvents {
  readonly #socket: Socket;
  readonly #events: ClientSocketEvents;
  readonly #incoming: Incoming;
  #open = true;
  #closeCode = 1006;
  #clientCloses = false;
  /** How often `cork` was called without `uncork`. */
  #corked = 0;
  #gathered: Uint8Array[] | null = null;
  #gatheredBytes = 0;

  /**
   * @param head what came after the upgrade, and was read with it
   * @param maxPayload bytes that a message may have
   */
  constructor(socket: Socket, head: Buffer, maxPayload: number, events: ClientSocketEvents) {
    this.#socket = socket;
    this.#events = events;
    this.#incoming = new Incoming(this, maxPayload);
    const owned = socket as OwnedSocket;
    owned[OWNER] = this;
    if (socket.timeout) socket.setTimeout(0);
    if (head.length > 0) socket.unshift(head);
    owned.on("data", ClientSocket.#onData);
    owned.on("drain", ClientSocket.#onDrain);
    owned.on("end", ClientSocket.#onEnd);
    owned.on("error", ClientSocket.#onError);
    owned.on("close", ClientSocket.#onClose);
  }

  /** Bytes that have not left the process. */
  get waitingBytes(): number {
    return this.#socket.writableLength + this.#gatheredBytes;
  }

  /** Writes whole frames; does nothing once the socket is closing. False when it is full: `drained` follows. */
  write(bytes: Uint8Array): boolean {
    if (!this.#open) return true;
    if (this.#corked > 0) {
      this.#gathered ??= [];
      this.#gathered.push(bytes);
      this.#gatheredBytes += bytes.length;
      return this.waitingBytes < HIGH_WATER_MARK;
    }
    return this.#write(bytes);
  }

  /** Keeps what is written from now on, until `uncork`. */
  cork(): void {
    this.#corked++;
  }

  uncork(): void {
    this.#corked--;
    if (this.#corked === 0) this.#writeGathered();
  }

  ping(): void {
    this.write(PING_FRAME);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Begins the closing handshake. The reason is cut to what a close frame can hold. */
  close(code: number, reason: string): void {
    if (!this.#open) return;
    this.#writeGathered();
    this.#open = false;
    this.#socket.write(closeFrame(code, reason));
    if (this.#clientCloses) this.#closed();
    // A paused socket would never see the client's answer.
    this.#socket.resume();
  }

  /** Keeps nothing of what the client has sent, and reads nothing more, the answer to a close frame included. */
  dropInput(): void {
    this.#incoming.drop();
  }

  /** Ends the connection at once. */
  destroy(): void {
    this.#open = false;
    this.#socket.destroy();
  }

  // ---- what was read

  text(data: Buffer): void {
    this.#events.text(data);
  }

  binary(): void {
    this.#events.binary();
  }

  unfinished(bytes: number): void {
    this.#events.unfinished(bytes);
  }

  pinged(payload: Buffer): void {
    const pong = pongFrame(payload);
    // A client that sends pings and does not read gets no answers: they would pile up here.
    if (this.waitingBytes + pong.length < HIGH_WATER_MARK) this.write(pong);
  }

  closeFrame(code: number): void {
    this.#closeCode = code;
    this.#clientCloses = true;
    if (this.#open) this.#events.leaving();
    else this.#closed();
  }

  /** Answers the client's close frame, after all that was written before; does nothing when that has been done. */
  answerClose(): void {
    if (!this.#open) return;
    this.#writeGathered();
    this.#socket.write(closeFrame(this.#closeCode === 1005 ? null : this.#closeCode, ""));
    this.#open = false;
    this.#closed();
  }

  #closed(): void {
    this.#events.closing();
    this.#socket.end();
  }

  invalid(error: Error, code: number): void {
    this.#events.failed(error, code);
    this.close(code, "");
    this.#socket.end();
  }

  failedInside(error: unknown): void {
    this.#events.failedInside(error);
  }

  /** The stream says that it is full earlier than we do; where it said so, it will also say when it is drained. */
  #write(bytes: Uint8Array): boolean {
    const socket = this.#socket;
    const takesMore = socket.write(bytes);
    const waiting = socket.writableLength;
    if (waiting === 0) return true;
    if (waiting <= bytes.length) this.#events.filling();
    return takesMore || waiting < HIGH_WATER_MARK;
  }

  #writeGathered(): void {
    const gathered = this.#gathered;
    if (!gathered) return;
    const bytes = this.#gatheredBytes;
    this.#gathered = null;
    this.#gatheredBytes = 0;
    if (!this.#open) return;
    if (bytes <= MAX_JOINED) {
      const [only] = gathered;
      this.#write(only && gathered.length === 1 ? only : Buffer.concat(gathered, bytes));
      return;
    }
    if (this.#socket.writableLength === 0) this.#events.filling();
    this.#socket.cork();
    for (const each of gathered) this.#socket.write(each);
    this.#socket.uncork();
  }

  // ---- shared listeners

  static readonly #onData = function (this: OwnedSocket, chunk: Buffer): void {
    const self = this[OWNER];
    try {
      self.#events.alive();
      self.#incoming.take(chunk);
    } catch (error) {
      self.failedInside(error);
    }
  };

  static readonly #onDrain = function (this: OwnedSocket): void {
    const self = this[OWNER];
    try {
      self.#events.drained();
    } catch (error) {
      self.failedInside(error);
    }
  };

  /** The client sends nothing more. Sockets of HTTP servers stay half open unless they are ended. */
  static readonly #onEnd = function (this: OwnedSocket): void {
    const self = this[OWNER];
    // It said so before, and is being answered.
    if (self.#clientCloses && self.#open) return;
    try {
      self.#events.ended();
    } catch (error) {
      self.failedInside(error);
    }
    self.#open = false;
    this.end();
  };

  /** `close` follows. */
  static readonly #onError = function (this: OwnedSocket): void {
    this[OWNER].#open = false;
  };

  static readonly #onClose = function (this: OwnedSocket): void {
    const self = this[OWNER];
    self.#open = false;
    try {
      self.#events.closed(self.#closeCode);
    } catch (error) {
      self.failedInside(error);
    }
  };
}
