/**
 * One WebSocket client, as its session speaks to it: from the first frame to the close. Follows PROTOCOL.md, sections 4 to 9; leaves
 * channels to the hub, rights to the session, and bytes to the socket.
 */
import type { Socket } from "node:net";
import { CLOSE, type ClientFrame, type ConnectFrame, FanfareError } from "@fanfare/protocol";
import type { Caller } from "../../access/grants/addresses.js";
import type { AccessRequest } from "../../access/grants/credentials.js";
import { type Reader, Reading } from "../reading.js";
import { ClientSocket, type ClientSocketEvents } from "../rfc6455/client-socket.js";
import { type Admitted, authenticate } from "../session/admission.js";
import { ClientSession } from "../session/client-session.js";
import type { ClientEncoding, ClientTransport, Closing } from "../session/transport.js";
import { UnfinishedInput } from "../unfinished-input.js";
import { MalformedFrameError, parseClientFrame } from "./client-frame.js";
import type { DoorContext } from "./context.js";
import { encodeFrame, errorFrame, webSocketEncoding } from "./encoding.js";
import { CLOSE_WITHIN_MS, CONNECT_WITHIN_MS, Lifetime, type Mortal } from "./lifetime.js";
import { type Requester, Requests } from "./requests.js";

/** Seconds between the pings that clients are asked to send. */
const CLIENT_PING_SECONDS = 15;
/** Close codes of a client that left on purpose; 1005 is a close frame without a code. */
const CLEAN = new Set([1000, 1001, 1005]);

export class WebSocketTransport
  implements ClientTransport, ClientSocketEvents, Mortal, Reader<Buffer>, Requester
{
  readonly sink: ClientSocket;
  readonly session: ClientSession;
  readonly #door: DoorContext;
  readonly #request: (() => AccessRequest) | undefined;
  readonly #lifetime: Lifetime;
  readonly #reading: Reading<Buffer>;
  #requests: Requests | null = null;
  /** Most clients never send a message in pieces. */
  #unfinished: UnfinishedInput | null = null;

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
    this.#lifetime = new Lifetime(this, door.wheel, door.hub.random);
    this.#reading = new Reading(this);
    this.sink = new ClientSocket(socket, head, door.maxPayload, this);
    this.session = new ClientSession(door, caller, this);
  }

  // ---- what the session asks

  get door(): "websocket" {
    return "websocket";
  }

  get encoding(): ClientEncoding {
    return webSocketEncoding;
  }

  pauseReading(): void {
    this.#reading.answersWait = true;
  }

  resumeReading(): void {
    this.#reading.answersWait = false;
  }

  get isClosing(): boolean {
    return this.#lifetime.isClosing;
  }

  close({ close, error }: Closing): void {
    if (close === CLOSE.restart && error.retryAfterSeconds !== undefined && this.session.hasBegun) {
      this.sink.write(encodeFrame({ type: "goodbye", retryAfterSeconds: error.retryAfterSeconds }));
    }
    this.#lifetime.closing();
    this.sink.close(close.code, error.message);
  }

  destroy(): void {
    this.#lifetime.end();
    this.sink.destroy();
  }

  // ---- what the socket tells

  alive(): void {
    this.#lifetime.heard();
  }

  unfinished(bytes: number): void {
    this.#unfinished ??= new UnfinishedInput(this.#door.arriving, this.session.caller.line, (error) => {
      this.sink.dropInput();
      this.session.sendAway({ close: CLOSE.tryAgainLater, error });
    });
    this.#unfinished.takes(bytes);
  }

  filling(): void {
    this.#lifetime.accepted();
  }

  drained(): void {
    this.#lifetime.accepted();
    this.session.drained();
  }

  binary(): void {
    this.#malformed("binary frames are not part of the protocol");
  }

  text(data: Buffer): void {
    this.#reading.take(data);
  }

  failed(error: Error, code: number): void {
    const { log, entrance } = this.#door;
    entrance.refusals.packets[code === CLOSE.frameTooBig.code ? "too_large" : "malformed"]++;
    log.info({ code, remote: this.session.remote }, `client sent away: ${error.message}`);
    this.ended();
  }

  failedInside(error: unknown): void {
    this.session.failedInside(error);
  }

  /** Its last frames may be waiting for an engine, or for who it is. */
  leaving(): void {
    const answer = () => this.sink.answerClose();
    this.#reading.finish(() => this.session.whenAnswered(answer));
    if (this.isClosing) return;
    const check = () => {
      answer();
      return null;
    };
    this.#door.wheel.add({ check, failedInside: (error) => this.failedInside(error) }, CLOSE_WITHIN_MS);
  }

  closing(): void {
    // Its session ends, or not, with the code that `closed` brings.
    this.#lifetime.closing();
  }

  ended(): void {
    if (this.isClosing) return;
    this.session.leave(false);
    this.#lifetime.closing();
  }

  closed(code: number): void {
    this.#unfinished?.end();
    this.#lifetime.end();
    this.session.gone(CLEAN.has(code));
  }

  // ---- what its lifetime asks

  get waitingBytes(): number {
    return this.sink.waitingBytes;
  }

  get isReading(): boolean {
    return !this.#reading.isStopped;
  }

  get owesConnect(): boolean {
    return !this.#requests && !this.#reading.isAsking;
  }

  ping(): void {
    this.sink.ping();
  }

  stillAlive(): void {
    this.session.stillAlive();
  }

  connectMissing(): void {
    const message = `no connect frame within ${CONNECT_WITHIN_MS / 1000} seconds`;
    this.session.close({ close: CLOSE.connectTimeout, error: new FanfareError("invalid_request", message) });
  }

  dead(silentMs: number): void {
    const { waitingBytes } = this;
    this.#door.log.info({ remote: this.session.remote, silentMs, waitingBytes }, "client is dead");
    this.destroy();
  }

  notGoneInTime(): void {
    const { waitingBytes } = this;
    if (waitingBytes > 0) {
      this.#door.log.warn(
        { remote: this.session.remote, waitingBytes },
        "a client did not take the close frame in time; its socket is destroyed",
      );
    }
    this.destroy();
  }

  // ---- what reading asks

  stopReading(): void {
    this.#lifetime.accepted();
    this.sink.pause();
  }

  readAgain(): void {
    this.#lifetime.heard();
    this.sink.resume();
  }

  handle(data: Buffer): void {
    try {
      this.#take(parseClientFrame(data.toString()), data.length);
    } catch (error) {
      if (error instanceof MalformedFrameError) this.#malformed(error.message);
      else this.failedInside(error);
    }
  }

  // ---- frames

  #take(frame: ClientFrame, length: number): void {
    if (this.#requests) this.#requests.take(frame, length);
    else if (frame.type === "connect") this.#connect(frame);
    else throw new MalformedFrameError(`a ${frame.type} frame before connect`);
  }

  #connect(frame: ConnectFrame): void {
    const { token, csrf, publisher, session } = frame;
    const request = this.#request;
    try {
      const introduction = { token, csrf, publisher, session, ...(request && { request }) };
      const found = authenticate(this.#door, this.session.caller, introduction);
      if (found instanceof Promise) this.#await(found.then((admitted) => this.#connected(frame, admitted)));
      else this.#connected(frame, found);
    } catch (error) {
      this.#refuse(error);
    }
  }

  /** @throws FanfareError */
  #connected({ since: positions }: ConnectFrame, admitted: Admitted): void {
    if (this.isClosing) return;
    const { session } = this;
    const secret = session.beginResumable(admitted);
    const requests = new Requests(session, this);
    this.#requests = requests;
    const { connection, identity } = session;
    connection.answer(
      encodeFrame({
        type: "connected",
        connection: connection.id,
        session: secret,
        resumed: admitted.resumed !== null,
        ...(identity.principal.kind === "user" && { user: identity.principal.user }),
        pingSeconds: CLIENT_PING_SECONDS,
        frameBytes: this.#door.maxPayload,
        ...session.expiry,
      }),
    );
    for (const channel of session.autoChannels()) {
      const since = positions?.find((each) => each.channel === channel);
      requests.subscribe(channel, { request: undefined, since });
    }
  }

  // ---- what requests ask

  publishing(bytes: number): void {
    this.#reading.publishing(bytes);
  }

  renew(token: string): void {
    const { session } = this;
    const renewed = session.renew(token, (expiry) =>
      session.connection.answer(encodeFrame({ type: "token", ...expiry })),
    );
    this.#await(renewed);
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
    if (error instanceof FanfareError && error.retryAfterSeconds !== undefined) {
      this.sink.write(encodeFrame(errorFrame(error, undefined)));
    }
    this.session.logInRefused(error);
  }

  #malformed(reason: string): void {
    this.#door.entrance.refusals.packets.malformed++;
    this.session.sendAway({ close: CLOSE.malformed, error: new FanfareError("invalid_request", reason) });
  }
}
