/**
 * Answers over plain HTTP that a client does not take. Their waiting bytes count together with those of slow connections. A client
 * that takes no byte for 30 seconds is cut off. Knows no routes, and nothing of what an answer says.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Log } from "../base/log.js";
import type { Waiting } from "../hub/delivery/budgets.js";

/** A client that takes no byte of an answer for this long is cut off. */
const TAKE_WITHIN_MS = 30_000;
/** Requests that a client may send ahead, without waiting for the answer to an earlier one. */
const MAX_AHEAD = 100;

/** Bounds all waiting bytes. */
export interface WaitingRoom {
  addAndCheck(client: Waiting): void;
  delete(client: Waiting): void;
}

type Answering = (request: IncomingMessage, response: ServerResponse) => void;

export class SlowAnswers {
  readonly #room: WaitingRoom;
  readonly #log: Log;
  readonly #takeWithinMs: number;
  readonly #ended: (this: ServerResponse) => void;
  /** How many requests wait for their turn, of clients that send them ahead. */
  readonly #ahead = new WeakMap<Socket, number>();

  constructor(room: WaitingRoom, log: Log, takeWithinMs = TAKE_WITHIN_MS) {
    this.#room = room;
    this.#log = log;
    this.#takeWithinMs = takeWithinMs;
    const slow = this;
    // One function for all responses: nothing is made for an answer that the system takes at once.
    this.#ended = function ended() {
      if (this.writableLength > 0 && !this.destroyed) slow.#waits(this);
    };
  }

  /**
   * The same listener, with its answers looked after. It gets one request of a connection at a time: of a client that sends requests
   * ahead, no more than one answer waits.
   */
  watching(listener: Answering): Answering {
    const answer: Answering = (request, response) => {
      // Comes in the call of `end`, when the socket has been given what it takes.
      response.on("prefinish", this.#ended);
      listener(request, response);
    };
    return (request, response) => {
      // Node gives the socket to one response after the other.
      if (response.socket) answer(request, response);
      else this.#inTurn(request, response, answer);
    };
  }

  #inTurn(request: IncomingMessage, response: ServerResponse, answer: Answering): void {
    const { socket } = request;
    const ahead = (this.#ahead.get(socket) ?? 0) + 1;
    if (ahead > MAX_AHEAD) {
      this.#cutOff(response, `it sent ${ahead} requests ahead`);
      return;
    }
    this.#ahead.set(socket, ahead);
    response.once("socket", () => {
      this.#ahead.set(socket, (this.#ahead.get(socket) ?? 1) - 1);
      answer(request, response);
    });
  }

  #waits(response: ServerResponse): void {
    const room = this.#room;
    const client: Waiting = {
      get waitingBytes() {
        return response.writableLength;
      },
      cutOff: () => this.#cutOff(response, "no room for what waits"),
    };
    const { socket } = response.req;
    const { timeout: beforeMs = 0 } = socket;
    response.setTimeout(this.#takeWithinMs, () => this.#cutOff(response, "it took nothing for too long"));
    response.once("close", () => {
      room.delete(client);
      // Unless Node has set the time for which a connection may be idle.
      if (socket.timeout === this.#takeWithinMs) socket.setTimeout(beforeMs);
    });
    room.addAndCheck(client);
  }

  #cutOff(response: ServerResponse, why: string): void {
    const { socket } = response.req;
    if (socket.destroyed) return;
    const { writableLength: waitingBytes } = response;
    this.#log.warn({ remote: socket.remoteAddress, waitingBytes }, `closing a slow client: ${why}`);
    socket.destroy();
  }
}
