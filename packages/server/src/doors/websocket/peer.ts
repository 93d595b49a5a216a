/**
 * One WebSocket client: its conversation, from the first frame to the close. Follows PROTOCOL.md, sections 4 to 9; leaves
 * channels and cursors to the hub, and bytes to the socket.
 */

import type { Socket } from "node:net";
import { CLOSE, type ClientFrame, type CloseCode, type ConnectFrame, FanfareError } from "@fanfare/protocol";
import type { Caller } from "../../access/addresses.js";
import type { AccessRequest } from "../../access/credentials.js";
import { Meter } from "../../access/meter.js";
import { ownerOf } from "../../access/principal.js";
import type { Visited } from "../../access/visit.js";
import type { Connection } from "../../hub/connection.js";
import type { EndReason, Subscriber } from "../../hub/subscriber.js";
import type { Watched } from "../timing-wheel.js";
import { MalformedFrameError, parseClientFrame } from "./client-frame.js";
import { ClientSocket, type ClientSocketEvents } from "./client-socket.js";
import type { DoorContext } from "./context.js";
import { encodeFrame, errorFrame, webSocketEncoding } from "./encoding.js";
import { type Greeted, greet, Identity, refusalOf } from "./identity.js";
import { Liveness } from "./liveness.js";
import { type Requester, Requests } from "./requests.js";

/** Seconds between the pings that clients are asked to send. */
const CLIENT_PING_SECONDS = 15;
const CONNECT_WITHIN_MS = 10_000;
/** How long a full socket is given to take the close frame. */
const CLOSE_WITHIN_MS = 2000;
/** When publishes of so many bytes have not been acknowledged by the engine, nothing more is read. */
const MAX_UNACKNOWLEDGED = 256 * 1024;
/** Close codes of a client that left on purpose; 1005 is a close frame without a code. */
const CLEAN = new Set([1000, 1001, 1005]);

export class WebSocketPeer implements Subscriber, ClientSocketEvents, Watched, Requester, Visited {
  readonly encoding = webSocketEncoding;
  readonly #socket: ClientSocket;
  readonly #door: DoorContext;
  readonly #liveness: Liveness;
  readonly #caller: Caller;
  readonly #request: (() => AccessRequest) | undefined;
  #connection: Connection | null = null;
  #identity: Identity | null = null;
  #requests: Requests | null = null;
  /** Frames that had been read already when reading stopped: what is left of one read of the socket. */
  readonly #held: Buffer[] = [];
  // Why nothing is read from the client:
  /** It is being found out who the client is, and which session it has. */
  #asking = false;
  #answersWait = false;
  /** Bytes of the publishes that the engine has not acknowledged. */
  #unacknowledged = 0;
  #closing = false;
  /** The socket is closed or destroyed. */
  #gone = false;
  // Times are those of the wheel, in milliseconds.
  readonly #connectBy: number;
  #closeBy = 0;

  /** @param request what the client came with, where somebody looks at it */
  constructor(
    socket: Socket,
    head: Buffer,
    door: DoorContext,
    caller: Caller,
    request?: () => AccessRequest,
  ) {
    this.#door = door;
    this.#request = request;
    this.#caller = caller;
    this.#liveness = new Liveness(door.wheel, door.hub.random);
    this.#connectBy = door.wheel.exactly() + CONNECT_WITHIN_MS;
    this.#socket = new ClientSocket(socket, head, door.maxPayload, this);
    door.wheel.add(this, CONNECT_WITHIN_MS);
  }

  // ---- what the hub asks

  get waitingBytes(): number {
    return this.#socket.waitingBytes;
  }

  write(bytes: Uint8Array): boolean {
    if (this.#socket.waitingBytes === 0) this.#liveness.accepted();
    return this.#socket.write(bytes);
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  pauseReading(): void {
    this.#answersWait = true;
    this.#stopReading();
  }

  resumeReading(): void {
    this.#answersWait = false;
    this.#readAgain();
  }

  end(reason: EndReason): void {
    if (reason === "resumed_elsewhere") {
      // The session belongs to another connection now, and must not be kept for this one.
      if (this.#connection) this.#connection.session = null;
      this.close(CLOSE.resumedElsewhere, "this session goes on in a newer connection");
      return;
    }
    if (reason === "disconnected") {
      // Whoever was sent away must not go on with the session.
      this.#leave(true);
      this.close(CLOSE.disconnected, "an administrator ended this connection");
      return;
    }
    this.#door.log.warn(
      { remote: this.#remote, waitingBytes: this.waitingBytes },
      "closing a slow client: no room for what waits",
    );
    this.close(CLOSE.tryAgainLater, "too slow: no room for what waits for this client");
  }

  // ---- what the socket tells

  alive(): void {
    this.#liveness.heard();
  }

  drained(): void {
    this.#liveness.accepted();
    this.#connection?.drained();
  }

  binary(): void {
    this.#malformed("binary frames are not part of the protocol");
  }

  text(data: Buffer): void {
    if (this.#closing) return;
    if (this.#stopped) this.#held.push(data);
    else this.#handle(data);
  }

  failed(error: Error): void {
    this.#door.log.debug({ remote: this.#remote, err: error }, "invalid WebSocket input");
    this.ended();
  }

  closing(): void {
    // Its session ends, or not, with the code that `closed` brings.
    this.#closeSoon();
  }

  ended(): void {
    if (this.#closing) return;
    this.#leave(false);
    this.#closeSoon();
  }

  closed(code: number): void {
    this.#leave(CLEAN.has(code));
    this.#closing = true;
    this.#gone = true;
    this.#door.gone(this);
  }

  // ---- what requests ask

  publishing(bytes: number): void {
    const stopped = this.#stopped;
    this.#unacknowledged += bytes;
    if (!stopped && this.#stopped) this.#stopReading();
    else if (stopped && !this.#stopped) this.#readAgain();
  }

  /** An error of ours: this client is sent away, everybody else goes on. */
  failedInside(error: unknown): void {
    this.#door.log.error({ err: error, remote: this.#remote }, "a frame could not be handled");
    this.close(CLOSE.internal, "the server failed to handle a frame; its log says why");
  }

  tooFast(error: FanfareError): void {
    const { code, message } = error;
    this.#door.log.warn(
      { code, remote: this.#remote, who: this.#identity?.name },
      `client sent away: ${message}`,
    );
    this.close(CLOSE.tooFast, message);
  }

  // ---- the door

  /** The server stops: come back after so many seconds. */
  goodbye(retryAfter: number): void {
    if (this.#connection) this.#socket.write(encodeFrame({ type: "goodbye", retryAfter }));
    this.close(CLOSE.restart, "the server stops or restarts");
  }

  /** Leaves the hub, then closes. */
  close(code: CloseCode, reason: string): void {
    if (this.#closing) return;
    this.#leave(false);
    this.#closeSoon();
    this.#socket.close(code.code, reason);
  }

  destroy(): void {
    this.#gone = true;
    this.#socket.destroy();
  }

  /** Looks after liveness; see PROTOCOL.md, section 7. */
  check(now: number): number | null {
    if (this.#gone) return null;
    if (this.#closing) return this.#checkClosing(now);
    if (!this.#connection && !this.#asking && now >= this.#connectBy) {
      this.close(CLOSE.connectTimeout, `no connect frame within ${CONNECT_WITHIN_MS / 1000} seconds`);
      return null;
    }
    const { deadForMs, ping, due, lookAt } = this.#liveness.look(now, this.waitingBytes, !this.#stopped);
    if (deadForMs !== null) {
      this.#door.log.info(
        { remote: this.#remote, silentMs: deadForMs, waitingBytes: this.waitingBytes },
        "client is dead",
      );
      this.destroy();
      return null;
    }
    if (ping) this.#socket.ping();
    if (due && this.#connection) this.#door.sessions.renew(this.#connection);
    const connectBy = this.#connection || this.#asking ? Number.POSITIVE_INFINITY : this.#connectBy;
    return Math.min(lookAt, connectBy) - now;
  }

  #checkClosing(now: number): number | null {
    if (now < this.#closeBy) return this.#closeBy - now;
    if (this.waitingBytes > 0) {
      this.#door.log.warn(
        { remote: this.#remote, waitingBytes: this.waitingBytes },
        "a client did not take the close frame in time; its socket is destroyed",
      );
    }
    this.destroy();
    return null;
  }

  /** The connection is closing, whoever began: nothing more is read, and it has to be over in time. */
  #closeSoon(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#closeBy = this.#door.wheel.exactly() + CLOSE_WITHIN_MS;
    this.#door.wheel.add(this, CLOSE_WITHIN_MS);
  }

  // ---- reading

  get #stopped(): boolean {
    return this.#asking || this.#answersWait || this.#unacknowledged >= MAX_UNACKNOWLEDGED;
  }

  #stopReading(): void {
    // A closing socket has to see the peer's answer.
    if (this.#closing) return;
    this.#liveness.accepted();
    this.#socket.pause();
  }

  /** Goes on with the frames that had been read, then with reading, unless there is still a reason not to. */
  #readAgain(): void {
    while (!this.#stopped && !this.#closing) {
      const data = this.#held.shift();
      if (!data) {
        this.#liveness.heard();
        this.#socket.resume();
        return;
      }
      this.#handle(data);
    }
  }

  // ---- frames

  #handle(data: Buffer): void {
    try {
      this.#take(parseClientFrame(data.toString()), data.length);
    } catch (error) {
      if (error instanceof MalformedFrameError) this.#malformed(error.message);
      else this.failedInside(error);
    }
  }

  #take(frame: ClientFrame, length: number): void {
    if (this.#requests) this.#requests.take(frame, length);
    else if (frame.type === "connect") this.#connect(frame);
    else throw new MalformedFrameError(`a ${frame.type} frame before connect`);
  }

  #connect(frame: ConnectFrame): void {
    try {
      const greeted = greet(this.#door, frame, this.#caller, this.#request);
      if (greeted instanceof Promise) {
        this.#await(greeted.then((answer) => this.#connected(frame, answer)));
      } else this.#connected(frame, greeted);
    } catch (error) {
      this.#refuse(error);
    }
  }

  #connected(frame: ConnectFrame, greeted: Greeted): void {
    if (this.#closing || this.#gone) return;
    const { principal, resumed } = greeted;
    const { hub, sessions, entrance } = this.#door;
    const { rates } = entrance;
    const party = rates.partyOf(this.#caller, principal);
    const tooMany = party && rates.take("connects", { address: null, user: party.user });
    if (tooMany) {
      this.#refuse(tooMany);
      return;
    }
    let connection: Connection;
    try {
      connection = hub.open(this);
    } catch (error) {
      this.close(CLOSE.tryAgainLater, error instanceof FanfareError ? error.message : "no room");
      return;
    }
    this.#connection = connection;
    const session = sessions.begin(connection, resumed, ownerOf(principal));
    const identity = new Identity(greeted, connection, this.#door, this);
    this.#identity = identity;
    const meter = principal.kind === "key" ? null : new Meter(rates, party);
    const requests = new Requests(connection, identity.visit, meter, this.#door, this);
    this.#requests = requests;
    connection.answer(
      encodeFrame({
        type: "connected",
        connection: connection.id,
        session,
        resumed: resumed !== null,
        ...(principal.kind === "user" && { user: principal.user }),
        ping: CLIENT_PING_SECONDS,
        ...identity.expiry,
      }),
    );
    for (const channel of hub.rules.auto) {
      if (!identity.visit.may("subscribe", channel)) continue;
      const since = frame.since?.find((each) => each.channel === channel);
      requests.subscribe(channel, { request: undefined, since });
    }
    // It may have been revoked while it was looked at.
    if (principal.kind !== "nobody") identity.changed();
  }

  // ---- who it is

  /** For the log. */
  get #remote(): string {
    return this.#caller.address;
  }

  renew(token: string): void {
    if (this.#identity) this.#await(this.#identity.renew(token));
  }

  accessChanged(): void {
    this.#identity?.changed();
  }

  askedAgain(): void {
    this.#identity?.changed();
  }

  expelled(error: FanfareError): void {
    const { code, message } = error;
    const who = this.#identity?.name;
    this.#door.log.info({ code, remote: this.#remote, who }, `client sent away: ${message}`);
    // Whoever comes back has to be let in anew.
    this.#leave(true);
    this.close(refusalOf(error), message);
  }

  /** Reads nothing until it is known who the client is: what follows is done as that one. */
  #await(known: Promise<void>): void {
    this.#asking = true;
    this.#stopReading();
    known
      .then(() => {
        this.#asking = false;
        this.#readAgain();
      })
      .catch((error: unknown) => this.#refuse(error));
  }

  #refuse(error: unknown): void {
    if (!(error instanceof FanfareError)) {
      this.failedInside(error);
      return;
    }
    const { code, message, retryAfter } = error;
    this.#door.log.warn({ code, remote: this.#remote }, `log-in refused: ${message}`);
    if (retryAfter !== undefined) this.#socket.write(encodeFrame(errorFrame(error, undefined)));
    this.close(refusalOf(error), message);
  }

  #malformed(reason: string): void {
    this.close(CLOSE.malformed, reason);
  }

  #leave(clean: boolean): void {
    this.#identity?.visit.end();
    const connection = this.#connection;
    if (!connection || connection.ended) {
      if (connection?.session) this.#door.sessions.end(connection, clean);
      return;
    }
    connection.leave();
    this.#door.sessions.end(connection, clean);
  }
}
