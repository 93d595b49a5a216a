/**
 * One Socket.IO client, from when it has been let in until it is gone. Leaves channels and cursors to the hub, bytes to `Outgoing`,
 * and signs of life to Engine.IO.
 */
import { FanfareError, quote } from "@fanfare/protocol";
import type { Socket } from "socket.io";
import { type Credentials, notLoggedIn } from "../../access/credentials.js";
import { Meter } from "../../access/meter.js";
import { ownerOf, type Principal } from "../../access/principal.js";
import type { Party } from "../../access/rates.js";
import { Visit, type Visited } from "../../access/visit.js";
import { feathersErrorOf } from "../../feathers/feathers-error.js";
import type { Connection } from "../../hub/connection.js";
import type { EndReason, Subscriber } from "../../hub/subscriber.js";
import { attendanceOf } from "../attendance.js";
import type { Guest } from "../guests.js";
import { type Reader, Reading } from "../websocket/reading.js";
import type { Wanted } from "./calls.js";
import { SOCKETIO, type SocketIoContext } from "./context.js";
import { eventFrame, type SocketIoEncoding } from "./encoding.js";
import { Outgoing } from "./outgoing.js";
import { Envelope } from "./parser.js";
import { destroy, pause, resume } from "./raw-socket.js";
import { type Asked, type Requester, Requests } from "./requests.js";

/** How long a client is given to take what it is told last. */
const CLOSE_WITHIN_MS = 2000;
/** Who sends so many packets of the largest size, though nothing is read from it, is cut off. */
const MAX_HELD = 4;

/** Who has been let in. */
export interface Admitted {
  readonly principal: Principal;
  readonly party: Party | null;
  /** What it came with, to ask again who it is. */
  readonly credentials: Credentials;
  readonly wanted: readonly Wanted[] | undefined;
  readonly address: string;
}

export class SocketIoPeer implements Subscriber, Guest, Visited, Requester, Reader<Asked> {
  readonly door = SOCKETIO;
  readonly encoding: SocketIoEncoding;
  readonly #socket: Socket;
  readonly #door: SocketIoContext;
  readonly #address: string;
  readonly sink: Outgoing;
  readonly #reading: Reading<Asked>;
  readonly #visit: Visit;
  readonly #connection: Connection;
  readonly #requests: Requests;
  /** Characters of what came and has not been looked at. */
  #held = 0;
  #closing = false;

  /** @throws FanfareError `too_many_connections` */
  constructor(socket: Socket, door: SocketIoContext, admitted: Admitted) {
    const { principal, party, credentials, wanted, address } = admitted;
    this.encoding = door.encoding;
    this.#socket = socket;
    this.#door = door;
    this.#address = address;
    this.sink = new Outgoing(socket.conn, () => this.#connection.drained());
    this.#reading = new Reading(this);
    this.#connection = door.hub.open(this);
    this.#connection.owner = ownerOf(principal);
    this.#visit = new Visit(door.access, principal, credentials);
    const meter = principal.kind === "key" ? null : new Meter(door.entrance.rates, party);
    this.#requests = new Requests(this.#connection, this.#visit, meter, door, this);
    socket.onAny((event: string, ...args: unknown[]) => this.#asked(event, args));
    socket.once("disconnect", () => this.#gone());
    this.#watch();
    this.#requests.begin(wanted);
    // It may have been revoked while it was looked at.
    if (principal.kind !== "nobody") this.accessChanged();
  }

  // ---- what the hub asks

  pauseReading(): void {
    this.#reading.answersWait = true;
  }

  resumeReading(): void {
    this.#reading.answersWait = false;
  }

  end(reason: EndReason): void {
    if (reason === "disconnected") {
      this.dismiss(new FanfareError("forbidden", "an administrator ended this connection"));
      return;
    }
    this.#door.log.warn(
      { remote: this.#address, waitingBytes: this.sink.waitingBytes },
      "closing a slow client: no room for what waits",
    );
    this.#leave();
    this.destroy();
  }

  // ---- what guests asks

  /** Clients of Socket.IO come back when the transport is closed, each after a time of its own choice. */
  goodbye(retryAfter: number): void {
    this.#say("goodbye", { retryAfter });
    this.#leave();
    this.#socket.conn.close();
    this.#closeInTime();
  }

  accessChanged(): void {
    if (this.#connection.ended) return;
    const visit = this.#visit;
    if (!visit.refresh()) {
      this.expelled(notLoggedIn("the key or token was revoked, or the user logged out"));
      return;
    }
    for (const { channel: subscribed } of [...this.#connection.subscriptions.values()]) {
      const channel = subscribed.name;
      if (visit.may("subscribe", channel)) {
        const attendance = attendanceOf(this.#door.hub, this.#connection, visit, channel);
        if (attendance) this.#connection.attend(channel, attendance);
        continue;
      }
      const error = new FanfareError("forbidden", `the grant for ${channel} was taken away`);
      const told = eventFrame("unsubscribed", JSON.stringify({ channel, error: feathersErrorOf(error) }));
      this.#connection.revoke(channel, error, told);
    }
  }

  destroy(): void {
    destroy(this.#socket.conn);
  }

  // ---- what its visit asks

  expelled(error: FanfareError): void {
    const { code, message } = error;
    const who = quote(ownerOf(this.#visit.principal), 100);
    this.#door.log.info({ code, remote: this.#address, who }, `client sent away: ${message}`);
    this.dismiss(error);
  }

  askedAgain(): void {
    this.accessChanged();
  }

  // ---- what requests ask

  async renew(token: string): Promise<object> {
    this.#reading.isAsking = true;
    try {
      await this.#visit.renew(token);
      this.#watch();
      this.accessChanged();
    } finally {
      this.#reading.isAsking = false;
    }
    const { expires } = this.#visit;
    return expires === null ? {} : { expires, time: this.#door.hub.clock.now() };
  }

  /** A disconnect that the server asked for: clients of Socket.IO do not come back by themselves. */
  dismiss(error: FanfareError): void {
    this.#say("goodbye", { error: feathersErrorOf(error) });
    this.#leave();
    this.#socket.disconnect(true);
    this.#closeInTime();
  }

  failedInside(error: unknown): void {
    this.#door.log.error({ err: error, remote: this.#address }, "an event could not be handled");
  }

  publishing(length: number): void {
    this.#reading.publishing(length);
  }

  // ---- what reading asks

  get isClosing(): boolean {
    return this.#closing;
  }

  stopReading(): void {
    pause(this.#socket.conn);
  }

  readAgain(): void {
    resume(this.#socket.conn);
  }

  handle(asked: Asked): void {
    this.#held -= asked.envelope.length;
    this.#requests.take(asked);
  }

  #asked(event: string, args: unknown[]): void {
    const envelope = args.pop();
    if (!(envelope instanceof Envelope)) throw new TypeError("an event without its envelope");
    this.#held += envelope.length;
    this.#reading.take({ event, args, envelope });
    if (!this.#reading.isStopped) return;
    // It may have been told to read again by what pauses it for reasons of its own.
    pause(this.#socket.conn);
    if (this.#held > MAX_HELD * this.#door.maxPayload) this.destroy();
  }

  // ---- its end

  #watch(): void {
    this.#visit.watch(this.#door.wheel, this.#door.hub.clock, this);
  }

  /** Beside what else is written, so that it is told even when it is full. */
  #say(event: string, what: object): void {
    if (!this.#closing) this.sink.write(eventFrame(event, JSON.stringify(what)));
  }

  #leave(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#visit.end();
    this.#connection.leave();
  }

  #closeInTime(): void {
    const { conn } = this.#socket;
    if (conn.readyState === "closed") return;
    const check = () => {
      this.destroy();
      return null;
    };
    this.#door.wheel.add({ check }, CLOSE_WITHIN_MS);
  }

  #gone(): void {
    this.#leave();
    this.#door.guests.gone(this);
    // One client at a time has a connection.
    this.#socket.conn.close();
  }
}
