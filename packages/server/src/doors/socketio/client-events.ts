/**
 * The events of one Socket.IO client, from when it has been let in: read as fast as they may be done, and no faster. Leaves bytes to
 * `Outgoing`, and signs of life to Engine.IO.
 */
import type { Socket } from "socket.io";
import { type Reader, Reading } from "../reading.js";
import type { Admitted } from "../session/admission.js";
import type { Wanted } from "./calls.js";
import { SOCKETIO, type SocketIoContext } from "./context.js";
import type { EngineConnection } from "./engine-connection.js";
import { Envelope } from "./parser.js";
import { pause, resume } from "./raw-socket.js";
import { type Asked, type Requester, Requests } from "./requests.js";

/** The server cuts off a client that sends this many packets of the largest size, though nothing is read from it. */
const MAX_HELD = 4;

export class ClientEvents implements Requester, Reader<Asked> {
  readonly #socket: Socket;
  readonly #engine: EngineConnection;
  readonly #door: SocketIoContext;
  readonly #reading: Reading<Asked>;
  readonly #requests: Requests;
  /** Characters of what came and has not been looked at. */
  #held = 0;

  /** @throws FanfareError `not_logged_in`, `too_many_connections`, `share_used_up` */
  constructor(
    socket: Socket,
    engine: EngineConnection,
    door: SocketIoContext,
    admitted: Admitted,
    wanted: readonly Wanted[] | undefined,
  ) {
    this.#socket = socket;
    this.#engine = engine;
    this.#door = door;
    this.#reading = new Reading(this);
    const { session } = engine;
    session.begin(admitted);
    this.#requests = new Requests(session, door.services, this);
    this.#listen();
    engine.asked(this);
    this.#requests.begin(wanted);
  }

  /** Events are taken before Socket.IO would emit them, as it does with any name: also with those that its own objects listen to. */
  #listen(): void {
    const failed = (error: unknown) => this.#engine.failedInside(error);
    const { failures } = this.#door;
    this.#socket.use((packet: unknown[]) => {
      try {
        this.#asked(packet);
      } catch (error) {
        failed(error);
      }
    });
    this.#socket.on("error", failed);
    this.#socket.once(
      "disconnect",
      failures.guarded(SOCKETIO, () => {
        this.#engine.session.leave(false);
        // One client at a time has a connection.
        this.#engine.shut();
      }),
    );
  }

  pauseReading(): void {
    this.#reading.answersWait = true;
  }

  resumeReading(): void {
    this.#reading.answersWait = false;
  }

  /** A disconnect that the server asked for: clients of Socket.IO do not come back by themselves. */
  disconnect(): void {
    this.#socket.disconnect();
  }

  // ---- what requests ask

  async whileAsking<Answer>(answer: () => Promise<Answer>): Promise<Answer> {
    this.#reading.isAsking = true;
    try {
      return await answer();
    } finally {
      this.#reading.isAsking = false;
    }
  }

  publishing(length: number): void {
    this.#reading.publishing(length);
  }

  // ---- what reading asks

  get isClosing(): boolean {
    return this.#engine.isClosing;
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

  #asked([event, ...args]: unknown[]): void {
    const envelope = args.pop();
    if (typeof event !== "string" || !(envelope instanceof Envelope)) {
      throw new TypeError("an event without its name or its envelope");
    }
    this.#held += envelope.length;
    this.#reading.take({ event, args, envelope });
    if (!this.#reading.isStopped || this.isClosing) return;
    // It may have been told to read again by what pauses it for reasons of its own.
    pause(this.#socket.conn);
    if (this.#held > MAX_HELD * this.#door.maxPayload) this.#engine.destroy();
  }
}
