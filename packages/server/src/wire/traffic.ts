/**
 * Everything that a Fanfare has open on its servers: sockets that it upgraded, and answers that are under way. When it
 * closes, all of that ends in time; what belongs to the application that owns the server is not touched. Knows no protocol.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { FanfareError } from "@fanfare/protocol";
import type { Clock } from "../base/clock.js";
import { inTime } from "../base/in-time.js";
import type { Mounted } from "./mount.js";
import { refuseRequest } from "./refuse-request.js";

/** Clients that have been told to go, and bodies that have not come whole, are given this time. */
const LEAVE_WITHIN_MS = 2000;

export class Traffic {
  readonly #clock: Clock;
  readonly #upgraded = new Set<Socket>();
  /** The latest answer of each connection: while one is under way, the latest is. */
  readonly #answers = new Map<Socket, ServerResponse>();
  #closing = false;
  #changed: () => void = () => {};
  /** One listener for all sockets: a closure for each would cost every idle connection some 250 bytes. */
  readonly #closed: (this: Socket) => void;

  constructor(clock: Clock) {
    this.#clock = clock;
    const gone = (socket: Socket) => {
      this.#answers.delete(socket);
      if (this.#upgraded.delete(socket)) this.#changed();
    };
    this.#closed = function () {
      gone(this);
    };
  }

  /** The same place, with what it opens in the list. */
  watching({ path, request: serve, upgrade }: Mounted): Mounted {
    return {
      path,
      request: (request, response) => {
        if (this.#closing) this.#refuse(response);
        else {
          this.#answering(request, response);
          serve(request, response);
        }
      },
      upgrade: (request, socket, head) => {
        this.#upgraded.add(socket);
        socket.on("close", this.#closed);
        upgrade(request, socket, head);
      },
    };
  }

  /**
   * Takes no further requests, waits for what is under way, and cuts off what is left.
   *
   * @param withinMs the longest time that an answer is waited for
   * @returns how many sockets were cut off
   */
  async close(withinMs: number): Promise<number> {
    this.#closing = true;
    const end = this.#clock.monotonic() + withinMs;
    const owesUs = (response: ServerResponse | null) => response === null || !response.req.complete;
    const late = await this.#end(Math.min(LEAVE_WITHIN_MS, withinMs), owesUs);
    return late + (await this.#end(end - this.#clock.monotonic(), () => true));
  }

  /** Waits until all of these are gone, and cuts off those that are not. @param which `null` is an upgraded socket */
  async #end(withinMs: number, which: (response: ServerResponse | null) => boolean): Promise<number> {
    const open = () => this.#open().filter(([, response]) => which(response));
    for (const [, response] of open()) response?.once("close", () => this.#changed());
    if (withinMs > 0 && open().length > 0) {
      const ended = new Promise<void>((done) => {
        this.#changed = () => {
          if (open().length === 0) done();
        };
      });
      await inTime(this.#clock, withinMs, ended);
    }
    const left = open();
    const cutOff = left.filter(([socket]) => !socket.destroyed).length;
    const gone = left.map(([socket]) => new Promise<void>((done) => void socket.once("close", () => done())));
    for (const [socket] of left) socket.destroy();
    await Promise.all(gone);
    return cutOff;
  }

  #open(): [Socket, ServerResponse | null][] {
    const open: [Socket, ServerResponse | null][] = [];
    for (const socket of this.#upgraded) open.push([socket, null]);
    for (const [socket, response] of this.#answers) {
      const isDone = response.writableFinished && response.req.complete;
      if (!isDone && !socket.destroyed) open.push([socket, response]);
    }
    return open;
  }

  #answering({ socket }: IncomingMessage, response: ServerResponse): void {
    if (!this.#answers.has(socket)) socket.on("close", this.#closed);
    this.#answers.set(socket, response);
  }

  #refuse(response: ServerResponse): void {
    const error = new FanfareError("unavailable", "the server stops", { retryAfterSeconds: 1 });
    refuseRequest(response.setHeader("Connection", "close"), error);
  }
}
