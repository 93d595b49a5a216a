/**
 * Socket.IO itself, bound to an engine of its own: it is handed all that comes to its path. Loaded only where this door is opened.
 * Namespaces, rooms and adapters are not used; channels are the hub's.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket as NetSocket } from "node:net";
import { CLOSE, FanfareError } from "@fanfare/protocol";
import type { Socket as EngineSocket } from "engine.io";
import { type ExtendedError, Server, type Socket } from "socket.io";
import type { Caller } from "../../access/grants/addresses.js";
import { type AccessRequest, bearerOf } from "../../access/grants/credentials.js";
import { feathersErrorOf, shownError } from "../../feathers/feathers-error.js";
import { askForBody } from "../../wire/bodies.js";
import { refuseRequest } from "../../wire/refuse-request.js";
import { UnfinishedMessage } from "../rfc6455/unfinished-message.js";
import { type Admitted, authenticate } from "../session/admission.js";
import { UnfinishedInput } from "../unfinished-input.js";
import { parseAuth, type Wanted } from "./calls.js";
import { ClientEvents } from "./client-events.js";
import { SOCKETIO, type SocketIoContext } from "./context.js";
import { DoorEngine, type EngineEvents } from "./door-engine.js";
import { CLOSE_WITHIN_MS, EngineConnection } from "./engine-connection.js";
import { type PacketReader, parserFor } from "./parser.js";

/** A client that may come in, and what it wants to hear. */
interface Arrival {
  readonly admitted: Admitted;
  readonly wanted: readonly Wanted[] | undefined;
}

export class SocketIoServer implements EngineEvents {
  readonly #door: SocketIoContext;
  readonly #refuse: EngineEvents["refuse"];
  readonly #engine: DoorEngine;
  /** The sender of a request that may open a connection. */
  readonly #callers = new WeakMap<IncomingMessage, Caller>();
  readonly #connections = new WeakMap<EngineSocket, EngineConnection>();
  /** By the request that opened it. */
  readonly #opened = new WeakMap<IncomingMessage, EngineConnection>();
  readonly #arrivals = new WeakMap<Socket, Arrival>();
  /** The one that Socket.IO is told of next. */
  #opening: PacketReader | null = null;

  /** @param refuse answers a request that must not open a connection */
  constructor(door: SocketIoContext, refuse: EngineEvents["refuse"]) {
    this.#door = door;
    this.#refuse = refuse;
    const options = { maxHttpBufferSize: door.maxPayload, perMessageDeflate: false, httpCompression: false };
    this.#engine = new DoorEngine(options, this);
    const { failures } = door;
    const opened = (conn: EngineSocket) => {
      const connection = new EngineConnection(conn, door, this.#need(this.#callers.get(conn.request)));
      this.#opening = connection;
      this.#connections.set(conn, connection);
      this.#opened.set(conn.request, connection);
    };
    // Before Socket.IO listens, which makes a reader of packets at once.
    this.#engine.on("connection", failures.guarded("socketio", opened));
    const parser = parserFor(() => this.#need(this.#opening));
    const io = new Server({ parser, serveClient: false });
    io.bind(this.#engine);
    io.use((socket, next) => this.#enter(socket, next));
    io.on("connection", (socket) => this.#open(socket));
  }

  /** @throws FanfareError */
  request(request: IncomingMessage, response: ServerResponse, caller: Caller): void {
    this.#callers.set(request, caller);
    askForBody(request);
    this.#engine.handleRequest(request, response);
    if (request.method === "POST") this.#watchBody(request, response, caller);
  }

  /** @throws FanfareError */
  upgrade(request: IncomingMessage, socket: NetSocket, head: Buffer, caller: Caller): void {
    this.#callers.set(request, caller);
    this.#engine.handleUpgrade(request, socket, head);
    // As the WebSocket of `ws` reads it by now.
    if (socket.listenerCount("data") > 0) this.#watchMessages(request, socket, caller);
  }

  close(): void {
    this.#engine.close();
  }

  /** Engine.IO bounds each body, and neither all of them nor their time. */
  #watchBody(request: IncomingMessage, response: ServerResponse, { line }: Caller): void {
    this.#door.bodies.watch(request, line, (error) => {
      // It would answer a second time all that it still reads.
      request.removeAllListeners("data");
      request.removeAllListeners("end");
      if (response.headersSent) request.socket.destroySoon();
      else refuseRequest(response.setHeader("Connection", "close"), error);
    });
  }

  /** The library bounds each message, and neither all of them nor their time. */
  #watchMessages(request: IncomingMessage, socket: NetSocket, { line }: Caller): void {
    const { arriving, failures, wheel } = this.#door;
    const message = new UnfinishedMessage();
    const input = new UnfinishedInput(arriving, line, (error) => {
      const conn = this.#engine.connOf(request);
      const connection = conn ? this.#connections.get(conn) : this.#opened.get(request);
      // Further bytes are read and dropped, so that the client gets the answer.
      socket.removeAllListeners("data").resume();
      connection?.session.sendAway({ close: CLOSE.tryAgainLater, error });
      socket.end();
      const check = () => {
        socket.destroy();
        return null;
      };
      wheel.add({ check, failedInside: (cause) => this.failedInside(cause) }, CLOSE_WITHIN_MS);
    });
    const read = (chunk: Buffer) => input.takes(message.take(chunk));
    socket.on(
      "data",
      failures.guarded(SOCKETIO, read, () => socket.destroy()),
    );
    socket.once("close", () => input.end());
  }

  // ---- what Engine.IO asks and tells

  opens(request: IncomingMessage): FanfareError | null {
    try {
      this.#door.clients.checkRoom(this.#need(this.#callers.get(request)));
      return null;
    } catch (error) {
      if (!(error instanceof FanfareError)) this.failedInside(error);
      return shownError(error);
    }
  }

  refuse(request: IncomingMessage, response: ServerResponse | null, error: FanfareError): void {
    this.#refuse(request, response, error);
  }

  tooLarge(conn: EngineSocket): void {
    this.#connections.get(conn)?.tooLarge();
  }

  failedInside(error: unknown): void {
    this.#door.failures.caught({ caller: "socketio", error });
  }

  // ---- what Socket.IO asks and tells

  #enter(socket: Socket, next: (error?: ExtendedError) => void): void {
    const connection = this.#connections.get(socket.conn);
    const entered = async () => {
      const known = this.#need(connection);
      try {
        known.ask();
      } catch (error) {
        next(this.#refusal(socket, error));
        return;
      }
      try {
        this.#arrivals.set(socket, await this.#admit(socket, known));
        next();
      } catch (error) {
        known.asked(null);
        next(this.#refusal(socket, error));
      }
    };
    entered().catch((error: unknown) => (connection ?? this).failedInside(error));
  }

  #open(socket: Socket): void {
    const connection = this.#connections.get(socket.conn);
    const arrival = this.#arrivals.get(socket);
    if (!connection || !arrival) {
      socket.disconnect(true);
      return;
    }
    try {
      new ClientEvents(socket, connection, this.#door, arrival.admitted, arrival.wanted);
    } catch (error) {
      connection.asked(null);
      if (!(error instanceof FanfareError)) {
        connection.failedInside(error);
        return;
      }
      this.#refusal(socket, error);
      // It was told already that it is connected. An error that may pass is for its next try.
      if (error.retryAfterSeconds === undefined) {
        socket.emit("goodbye", { error: feathersErrorOf(error) });
        socket.disconnect(true);
      }
      connection.shut();
    }
  }

  #need<Part>(part: Part | null | undefined): Part {
    if (part === null || part === undefined) throw new TypeError("Socket.IO tells of what was not opened");
    return part;
  }

  /** @throws FanfareError */
  async #admit({ conn, handshake, request }: Socket, { session }: EngineConnection): Promise<Arrival> {
    const { access, entrance, hub } = this.#door;
    const {
      token = bearerOf(request.headers.authorization),
      csrf,
      publisher,
      channels,
    } = parseAuth(handshake.auth);
    const host = entrance.hostOf(conn.remoteAddress, request.headers) ?? "";
    const admitted = await authenticate(this.#door, session.caller, {
      token,
      csrf,
      publisher,
      ...(access.asking.possible && { request: () => ({ ...accessRequest(request), host }) }),
    });
    hub.listening.assertRoomToConnect(admitted.party?.owner ?? null);
    return { admitted, wanted: channels };
  }

  #refusal({ conn }: Socket, cause: unknown): ExtendedError {
    const error = shownError(cause);
    const { log, failures } = this.#door;
    const remote = conn.remoteAddress;
    if (error === cause) log.warn({ code: error.code, remote }, `log-in refused: ${error.message}`);
    else failures.caught({ caller: "socketio", error: cause, remote });
    return Object.assign(new Error(error.message), { data: feathersErrorOf(error) });
  }
}

function accessRequest({ url = "", headers }: IncomingMessage): Omit<AccessRequest, "host"> {
  const pairs = Object.entries(headers).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, Array.isArray(value) ? value.join(", ") : value]],
  );
  return { url, headers: new Headers(pairs) };
}
