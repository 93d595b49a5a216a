/**
 * One Engine.IO connection, from its handshake to its end, as its client session speaks to it. It takes a place from the beginning, and is
 * closed when its client does not say in time who it is. Knows what a connection may send when; `ClientEvents` reads what clients ask.
 */
import { CLOSE, type CloseCode, FanfareError } from "@fanfare/protocol";
import type { Socket as EngineSocket } from "engine.io";
import { type Packet, PacketType } from "socket.io-parser";
import type { Caller } from "../../access/grants/addresses.js";
import type { Watched } from "../../base/timing-wheel.js";
import { feathersErrorOf } from "../../feathers/feathers-error.js";
import { ClientSession } from "../session/client-session.js";
import type { ClientTransport, Closing } from "../session/transport.js";
import type { ClientEvents } from "./client-events.js";
import { SOCKETIO, type SocketIoContext } from "./context.js";
import { eventFrame, type SocketIoEncoding } from "./encoding.js";
import { Outgoing } from "./outgoing.js";
import { malformed, type PacketReader } from "./parser.js";
import { closeWithin, destroy, isOver, resume } from "./raw-socket.js";

/** When a client has to have said who it is. */
const CONNECT_WITHIN_MS = 10_000;
/** How long a client is given to take what it is told last. */
export const CLOSE_WITHIN_MS = 2000;
/** How often a client may try to connect: each try is answered, whether it reads the answers or not. */
const MAX_CONNECTS = 20;

const ANSWERED = new Set([PacketType.CONNECT, PacketType.EVENT, PacketType.DISCONNECT]);

export class EngineConnection implements ClientTransport, Watched, PacketReader {
  readonly door = SOCKETIO;
  readonly encoding: SocketIoEncoding;
  readonly sink: Outgoing;
  readonly session: ClientSession;
  readonly conn: EngineSocket;
  readonly #door: SocketIoContext;
  readonly #connectBy: number;
  #events: ClientEvents | null = null;
  /** It is being found out who the client is. */
  #asking = false;
  #connects = 0;
  #closing = false;
  #shut = false;

  constructor(conn: EngineSocket, door: SocketIoContext, caller: Caller) {
    this.conn = conn;
    this.#door = door;
    this.encoding = door.encoding;
    this.sink = new Outgoing(conn, {
      drained: () => this.session.drained(),
      failedInside: (error) => this.failedInside(error),
    });
    this.session = new ClientSession(door, caller, this);
    const { clients, wheel, failures } = door;
    clients.add(this.session);
    closeWithin(conn, CLOSE_WITHIN_MS);
    this.#connectBy = wheel.exactly() + CONNECT_WITHIN_MS;
    wheel.add(this, CONNECT_WITHIN_MS);
    const closed = (reason: string, cause: unknown) => this.#closed(reason, cause);
    conn.once("close", failures.guarded(SOCKETIO, closed));
  }

  // ---- who the client is

  /** It is being found out who the client is. @throws FanfareError when it is known, or being found out already */
  ask(): void {
    if (this.#asking || this.#events) {
      throw new FanfareError("invalid_request", "the connection has a client already");
    }
    this.#asking = true;
  }

  /** It has been found out. The client may try again where it was refused. */
  asked(events: ClientEvents | null): void {
    this.#asking = false;
    this.#events = events;
  }

  // ---- what is read from it

  packet({ type, nsp }: Packet): void {
    if (!ANSWERED.has(type)) {
      throw malformed(`a packet ${PacketType[type]}`, "Send CONNECT, EVENT or DISCONNECT.");
    }
    if (type === PacketType.CONNECT) {
      if (++this.#connects > MAX_CONNECTS) {
        throw malformed(`CONNECT ${this.#connects} times`, "Open another connection.");
      }
      if (this.#events && nsp === "/") throw malformed("CONNECT a second time", "Connect once.");
    } else if (!this.#events) {
      throw malformed(`${PacketType[type]} before it was connected`, "Wait for the answer to CONNECT.");
    } else if (nsp !== "/") {
      throw malformed("a packet for another namespace than /", "Use channels in place of namespaces.");
    }
  }

  malformed(error: FanfareError): void {
    if (this.#closing) return;
    this.#door.entrance.refusals.packets.malformed++;
    this.session.sendAway({ close: CLOSE.malformed, error });
  }

  /** A packet was larger than any may be. Engine.IO has no other answer to it than to close. */
  tooLarge(): void {
    const { entrance, maxPayload, log } = this.#door;
    const { code, message } = new FanfareError("too_large", `a packet has more than ${maxPayload} bytes`);
    entrance.refusals.packets.too_large++;
    log.info({ code, remote: this.session.remote }, `client sent away: ${message}`);
    this.destroy();
  }

  failedInside(error: unknown): void {
    this.session.failedInside(error);
  }

  // ---- what the session asks

  get isClosing(): boolean {
    return this.#closing;
  }

  pauseReading(): void {
    this.#events?.pauseReading();
  }

  resumeReading(): void {
    this.#events?.resumeReading();
  }

  close(closing: Closing): void {
    this.#closing = true;
    this.#say(closing);
    if (this.#events && !comesBack(closing.close)) this.#events.disconnect();
    this.shut();
  }

  /** Beside what else is written, so that it is told even when it is full. */
  #say({ close, error }: Closing): void {
    const { retryAfterSeconds } = error;
    if (this.#events) {
      const goodbye = close === CLOSE.restart ? { retryAfterSeconds } : { error: feathersErrorOf(error) };
      this.sink.write(eventFrame("goodbye", JSON.stringify(goodbye)));
    } else if (close !== CLOSE.restart) {
      const refusal = { message: error.message, data: feathersErrorOf(error) };
      this.conn.write(`${PacketType.CONNECT_ERROR}${JSON.stringify(refusal)}`);
    }
  }

  /** Closes once what was written is taken, or in a while. */
  shut(): void {
    if (this.#shut) return;
    this.#closing = true;
    this.#shut = true;
    this.conn.close();
    // Nothing was read from a client that is being looked at: its close frame has to be.
    resume(this.conn);
    if (!isOver(this.conn)) this.#door.wheel.add(this, CLOSE_WITHIN_MS);
  }

  destroy(): void {
    this.#closing = true;
    this.#shut = true;
    destroy(this.conn);
  }

  // ---- what has to happen in time

  check(now: number): number | null {
    if (isOver(this.conn)) return null;
    if (this.#closing) {
      this.destroy();
      return null;
    }
    if (this.#events) return null;
    if (this.#asking || now < this.#connectBy) return Math.max(0, this.#connectBy - now);
    this.#door.log.info({ remote: this.session.remote }, "a client did not say who it is in time");
    this.destroy();
    return null;
  }

  // ---- its end

  #closed(reason: string, cause: unknown): void {
    this.session.gone();
    if (reason === "parse error") {
      this.malformed(malformed("a packet that Engine.IO does not know", "Use its client."));
    } else if (cause instanceof Error && cause.message.includes("Max payload size exceeded")) this.tooLarge();
  }
}

/** Clients of Socket.IO come back at once when their transport is closed, and stay away when they are disconnected. */
function comesBack(close: CloseCode): boolean {
  return close.reconnect && close !== CLOSE.tooFast;
}
