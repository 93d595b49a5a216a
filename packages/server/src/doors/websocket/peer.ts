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
import type { Guest } from "../guests.js";
import { MalformedFrameError, parseClientFrame } from "./client-frame.js";
import { ClientSocket, type ClientSocketEvents } from "./client-socket.js";
import type { DoorContext } from "./context.js";
import { encodeFrame, errorFrame, webSocketEncoding } from "./encoding.js";
import { type Greeted, greet, Identity, refusalOf } from "./identity.js";
import { CONNECT_WITHIN_MS, Lifetime, type Mortal } from "./lifetime.js";
import { type Reader, Reading } from "./reading.js";
import { type Requester, Requests } from "./requests.js";

/** Seconds between the pings that clients are asked to send. */
const CLIENT_PING_SECONDS = 15;
/** Close codes of a client that left on purpose; 1005 is a close frame without a code. */
const CLEAN = new Set([1000, 1001, 1005]);

export class WebSocketPeer
  implements Subscriber, Guest, ClientSocketEvents, Mortal, Reader<Buffer>, Requester, Visited
{
  readonly encoding = webSocketEncoding;
  readonly sink: ClientSocket;
  readonly #door: DoorContext;
  readonly #caller: Caller;
  readonly #request: (() => AccessRequest) | undefined;
  readonly #lifetime: Lifetime;
  readonly #reading: Reading<Buffer>;
  #connection: Connection | null = null;
  #identity: Identity | null = null;
  #requests: Requests | null = null;

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
    this.#lifetime = new Lifetime(this, door.wheel, door.hub.random);
    this.#reading = new Reading(this);
    this.sink = new ClientSocket(socket, head, door.maxPayload, this);
  }

  // ---- what the hub asks

  get door(): string {
    return "websocket";
  }

  pauseReading(): void {
    this.#reading.answersWait = true;
  }

  resumeReading(): void {
    this.#reading.answersWait = false;
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
      { remote: this.#remote, waitingBytes: this.sink.waitingBytes },
      "closing a slow client: no room for what waits",
    );
    this.close(CLOSE.tryAgainLater, "too slow: no room for what waits for this client");
  }

  // ---- what the socket tells

  alive(): void {
    this.#lifetime.heard();
  }

  filling(): void {
    this.#lifetime.accepted();
  }

  drained(): void {
    this.#lifetime.accepted();
    this.#connection?.drained();
  }

  binary(): void {
    this.#malformed("binary frames are not part of the protocol");
  }

  text(data: Buffer): void {
    this.#reading.take(data);
  }

  failed(error: Error): void {
    this.#door.log.debug({ remote: this.#remote, err: error }, "invalid WebSocket input");
    this.ended();
  }

  closing(): void {
    // Its session ends, or not, with the code that `closed` brings.
    this.#lifetime.closing();
  }

  ended(): void {
    if (this.isClosing) return;
    this.#leave(false);
    this.#lifetime.closing();
  }

  closed(code: number): void {
    this.#leave(CLEAN.has(code));
    this.#lifetime.end();
    this.#door.guests.gone(this);
  }

  // ---- what requests ask

  publishing(bytes: number): void {
    this.#reading.publishing(bytes);
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
    if (this.#connection) this.sink.write(encodeFrame({ type: "goodbye", retryAfter }));
    this.close(CLOSE.restart, "the server stops or restarts");
  }

  /** Leaves the hub, then closes. */
  close(code: CloseCode, reason: string): void {
    if (this.isClosing) return;
    this.#leave(false);
    this.#lifetime.closing();
    this.sink.close(code.code, reason);
  }

  destroy(): void {
    this.#lifetime.end();
    this.sink.destroy();
  }

  // ---- what its lifetime asks

  get waitingBytes(): number {
    return this.sink.waitingBytes;
  }

  get isReading(): boolean {
    return !this.#reading.isStopped;
  }

  get owesConnect(): boolean {
    return !this.#connection && !this.#reading.isAsking;
  }

  ping(): void {
    this.sink.ping();
  }

  stillAlive(): void {
    if (this.#connection) this.#door.sessions.renew(this.#connection);
  }

  connectMissing(): void {
    this.close(CLOSE.connectTimeout, `no connect frame within ${CONNECT_WITHIN_MS / 1000} seconds`);
  }

  dead(silentMs: number): void {
    this.#door.log.info(
      { remote: this.#remote, silentMs, waitingBytes: this.sink.waitingBytes },
      "client is dead",
    );
    this.destroy();
  }

  notGoneInTime(): void {
    if (this.sink.waitingBytes > 0) {
      this.#door.log.warn(
        { remote: this.#remote, waitingBytes: this.sink.waitingBytes },
        "a client did not take the close frame in time; its socket is destroyed",
      );
    }
    this.destroy();
  }

  // ---- what reading asks

  get isClosing(): boolean {
    return this.#lifetime.isClosing;
  }

  stopReading(): void {
    this.#lifetime.accepted();
    this.sink.pause();
  }

  readAgain(): void {
    this.#lifetime.heard();
    this.sink.resume();
  }

  // ---- frames

  handle(data: Buffer): void {
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
    if (this.isClosing) return;
    const { principal, resumed, party } = greeted;
    const { hub, sessions, entrance } = this.#door;
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
    const meter = principal.kind === "key" ? null : new Meter(entrance.rates, party);
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
    this.#reading.isAsking = true;
    known
      .then(() => {
        this.#reading.isAsking = false;
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
    if (retryAfter !== undefined) this.sink.write(encodeFrame(errorFrame(error, undefined)));
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
