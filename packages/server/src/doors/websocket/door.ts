/** The WebSocket door: lets clients in, looks after them with one timer, and sends them away when the server stops. */
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { FanfareError } from "@fanfare/protocol";
import type { Access } from "../../access/access.js";
import type { Caller } from "../../access/addresses.js";
import type { AccessRequest } from "../../access/credentials.js";
import type { Entrance } from "../../access/entrance.js";
import type { Hub } from "../../hub/hub.js";
import type { Sessions } from "../../hub/sessions.js";
import type { Log } from "../../log.js";
import { refuseUpgrade } from "../../refuse-upgrade.js";
import { TimingWheel } from "../timing-wheel.js";
import type { DoorContext, DoorOptions, Leaving } from "./context.js";
import { HANDSHAKE_HINTS, shakeHands } from "./handshake.js";
import { WebSocketPeer } from "./peer.js";

/** Room for the parts of a frame around `data`. */
const FRAME_OVERHEAD = 4096;
/** How many clients come back in a second after a restart, and the longest that one is asked to wait. */
const RETURNS_PER_SECOND = 500;
const MAX_RETRY_SECONDS = 30;
/** How many clients are sent away in a second. */
const GOODBYES_PER_SECOND = 5000;

export class WebSocketDoor implements DoorContext {
  readonly hub: Hub;
  readonly sessions: Sessions;
  readonly access: Access;
  readonly entrance: Entrance;
  readonly log: Log;
  readonly wheel: TimingWheel;
  readonly maxPayload: number;
  readonly #peers = new Set<Leaving>();
  #closing = false;
  #emptied: (() => void) | null = null;

  constructor(options: DoorOptions) {
    this.hub = options.hub;
    this.sessions = options.sessions;
    this.access = options.access;
    this.access.onChange(() => {
      for (const peer of this.#peers) peer.accessChanged();
    });
    this.entrance = options.entrance;
    this.log = options.log;
    this.wheel = new TimingWheel(options.hub.clock);
    const { messageBytes, stateBytes } = options.hub.limits;
    this.maxPayload = Math.max(messageBytes, stateBytes) + FRAME_OVERHEAD;
  }

  /** Answers an HTTP upgrade: with a WebSocket, or with an HTTP error that says what to do. */
  upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    let answer: string;
    let caller: Caller;
    try {
      caller = this.#admit(request);
      answer = shakeHands(request.method, request.headers);
    } catch (error) {
      if (!(error instanceof FanfareError)) throw error;
      // The message quotes what the client sent; nothing of it goes raw into the log.
      this.log.warn({ code: error.code, remedy: error.remedy }, `upgrade refused: ${error.message}`);
      refuseUpgrade(socket, error, HANDSHAKE_HINTS);
      return;
    }
    // It may have gone already.
    if (!socket.readable || !socket.writable) {
      socket.destroy();
      return;
    }
    socket.write(answer, "latin1");
    this.#peers.add(new WebSocketPeer(socket, head, this, caller, this.#requestOf(request)));
  }

  gone(peer: Leaving): void {
    this.#peers.delete(peer);
    if (this.#peers.size === 0) this.#emptied?.();
  }

  /**
   * Says goodbye to everybody, a few at a time, each with another time to come back, and resolves when all are gone.
   *
   * @param withinMs after so long the rest is cut off
   */
  async close(withinMs: number): Promise<void> {
    this.#closing = true;
    const { clock, random } = this.hub;
    const peers = [...this.#peers];
    const windowMs = Math.min(withinMs / 2, (peers.length * 1000) / GOODBYES_PER_SECOND);
    const spreadSeconds = Math.min(MAX_RETRY_SECONDS, Math.max(1, peers.length / RETURNS_PER_SECOND));
    if (peers.length > 0) {
      const emptied = new Promise<void>((done) => {
        this.#emptied = done;
      });
      for (const [index, peer] of peers.entries()) {
        const retryAfter = Math.round((0.2 + random.fraction() * spreadSeconds) * 100) / 100;
        const afterMs = (index / peers.length) * windowMs;
        // The first batch goes at once; the others are spread, so that the way back is too.
        if (afterMs < 1) peer.goodbye(retryAfter);
        else clock.after(afterMs, () => peer.goodbye(retryAfter));
      }
      const cutOff = clock.after(withinMs, () => {
        this.log.warn(
          { connections: this.#peers.size },
          "connections that did not close in time are cut off",
        );
        for (const peer of this.#peers) peer.destroy();
      });
      if (this.#peers.size > 0) await emptied;
      cutOff.cancel();
    }
    this.wheel.stop();
  }

  /** What is kept of the request, where somebody looks at it when the client says who it is. */
  #requestOf({ url = "", headers }: IncomingMessage): (() => AccessRequest) | undefined {
    if (!this.access.asking.possible) return undefined;
    return () => ({ url, headers: new Headers(pairsOf(headers)) });
  }

  /** @throws FanfareError */
  #admit({ headers, socket }: IncomingMessage): Caller {
    if (this.#closing) throw new FanfareError("unavailable", "the server stops", { retryAfter: 1 });
    const { entrance } = this;
    const caller = entrance.admit(socket.remoteAddress, headers);
    const address = entrance.rates.addressOf(caller.line);
    const refusal = address === null ? null : entrance.rates.take("connects", { address, user: null });
    if (refusal) throw refusal;
    const { connections } = this.hub.limits;
    if (this.#peers.size >= connections) {
      throw new FanfareError("too_many_connections", `this process has ${connections} connections`, {
        retryAfter: 10,
      });
    }
    return caller;
  }
}

function pairsOf(headers: IncomingMessage["headers"]): [string, string][] {
  return Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, Array.isArray(value) ? value.join(", ") : value]],
  );
}
