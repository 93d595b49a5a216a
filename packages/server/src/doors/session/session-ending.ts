/**
 * How the server ends a client session: what the hub, access or the client itself is the reason for, and what each means for the session
 * that a later connection could go on with. Knows no protocol.
 */
import { FanfareError, quote } from "@fanfare/protocol";
import type { ClientIdentity } from "../../access/client-identity.js";
import type { Caller } from "../../access/grants/addresses.js";
import { ownerOf } from "../../access/grants/principal.js";
import type { CallbackCaller } from "../../base/failures.js";
import type { Connection } from "../../hub/delivery/connection.js";
import type { EndReason, Sink, Subscriber } from "../../hub/terms/subscriber.js";
import type { Client } from "../clients.js";
import type { DoorHost } from "../door.js";
import { endOf, FAILED, notAccepted, restart } from "./closings.js";
import type { ClientEncoding, ClientTransport, Closing } from "./transport.js";

export abstract class SessionEnding implements Subscriber, Client {
  readonly door: CallbackCaller;
  readonly encoding: ClientEncoding;
  readonly sink: Sink;
  readonly host: DoorHost;
  readonly caller: Caller;
  /** The client in the hub, and who it is; `null` until that is known. */
  protected known: Connection | null = null;
  protected knownAs: ClientIdentity | null = null;
  readonly #transport: ClientTransport;

  constructor(host: DoorHost, caller: Caller, transport: ClientTransport) {
    this.host = host;
    this.caller = caller;
    this.#transport = transport;
    this.door = transport.door;
    this.encoding = transport.encoding;
    this.sink = transport.sink;
  }

  /** Is it known who the client is? */
  get hasBegun(): boolean {
    return this.known !== null;
  }

  /** Keys, tokens or grants have changed. */
  abstract accessChanged(): void;

  // ---- what the hub asks

  pauseReading(): void {
    this.#transport.pauseReading();
  }

  resumeReading(): void {
    this.#transport.resumeReading();
  }

  end(reason: EndReason): void {
    const closing = endOf(reason);
    if (reason === "too_slow") {
      const { waitingBytes } = this.sink;
      this.host.log.warn(
        { remote: this.remote, waitingBytes },
        `closing a slow client: ${closing.error.message}`,
      );
    }
    // A client that an administrator sent away must not go on with the session.
    this.close(closing, reason === "disconnected");
  }

  // ---- what the transport tells

  /** It takes more again. */
  drained(): void {
    this.known?.drained();
  }

  /** Calls once everything that was asked has been answered, and the answers were written. */
  whenAnswered(call: () => void): void {
    if (this.known) this.known.whenAnswered(call);
    else call();
  }

  /** The client lives: its session stays. */
  stillAlive(): void {
    if (this.known) this.host.sessions.renew(this.known);
  }

  // ---- its end

  /** For the log. */
  get remote(): string {
    return this.caller.address;
  }

  /** The server stops: come back after this many seconds. */
  goodbye(retryAfterSeconds: number): void {
    this.close(restart(retryAfterSeconds));
  }

  /** It was not to be found out who the client is, or it may not come in. */
  logInRefused(error: unknown): void {
    if (!(error instanceof FanfareError)) {
      this.failedInside(error);
      return;
    }
    const { code, message } = error;
    this.host.log.warn({ code, remote: this.remote }, `log-in refused: ${message}`);
    this.close(notAccepted(error));
  }

  /** An error of ours: this client is sent away, and all others go on. */
  failedInside(error: unknown): void {
    this.host.failures.caught(
      { caller: this.door, error, remote: this.remote },
      () => this.close(FAILED),
      () => this.destroy(),
    );
  }

  /** Closes, and tells the log. @param over the client cannot go on with its session */
  sendAway(closing: Closing, over = false): void {
    const { code, message } = closing.error;
    // No secret, and nothing that a terminal obeys.
    const who = this.knownAs ? quote(ownerOf(this.knownAs.principal), 100) : undefined;
    this.host.log.info({ code, remote: this.remote, who }, `client sent away: ${message}`);
    this.close(closing, over);
  }

  /** Leaves the hub, then closes. @param over the client cannot go on with its session */
  close(closing: Closing, over = false): void {
    const transport = this.#transport;
    if (transport.isClosing) {
      if (over) this.leave(true);
      return;
    }
    transport.flush?.();
    this.leave(over);
    transport.close(closing);
  }

  destroy(): void {
    this.#transport.destroy();
  }

  /** Nothing is written to the client any more. @param over the session is over, and is not kept for a later connection */
  leave(over: boolean): void {
    this.knownAs?.end();
    const connection = this.known;
    if (!connection) return;
    connection.leave();
    this.host.sessions.end(connection, over);
  }

  /** The client is gone, whatever ended it. */
  gone(over = false): void {
    this.host.clients.gone(this);
    this.leave(over);
  }
}
