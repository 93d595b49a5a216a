/**
 * Socket.IO itself, bound to an engine of its own: whatever comes to its path is handed to that. Loaded only where this door is opened.
 * Namespaces, rooms and adapters are not used; channels are the hub's.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket as NetSocket } from "node:net";
import { FanfareError } from "@fanfare/protocol";
import { Server as Engine } from "engine.io";
import { type ExtendedError, Server, type Socket } from "socket.io";
import type { AccessRequest } from "../../access/credentials.js";
import { bearerOf } from "../../access/credentials.js";
import { feathersErrorOf, shownError } from "../../feathers/feathers-error.js";
import { type Auth, parseAuth } from "./calls.js";
import type { SocketIoContext } from "./context.js";
import { parser } from "./parser.js";
import { type Admitted, SocketIoPeer } from "./peer.js";

/** Who has not said who it is by then is closed. */
const CONNECT_WITHIN_MS = 10_000;

export class SocketIoServer {
  readonly #door: SocketIoContext;
  readonly #engine: Engine;
  readonly #io: Server;
  /** Connections that have a client, or are finding out whether they may have one. */
  readonly #taken = new WeakSet<object>();

  constructor(door: SocketIoContext) {
    this.#door = door;
    this.#engine = new Engine({
      maxHttpBufferSize: door.maxPayload,
      perMessageDeflate: false,
      httpCompression: false,
    });
    this.#io = new Server({ parser, connectTimeout: CONNECT_WITHIN_MS, serveClient: false });
    this.#io.bind(this.#engine);
    const admitted = new WeakMap<Socket, Admitted>();
    this.#io.use((socket, next) => {
      this.#admit(socket).then(
        (found) => {
          admitted.set(socket, found);
          next();
        },
        (error: unknown) => next(this.#refusal(socket, error)),
      );
    });
    this.#io.on("connection", (socket) => {
      const found = admitted.get(socket);
      if (found) this.#open(socket, found);
    });
  }

  /** @param opens it opens a connection @throws FanfareError `too_many_connections` */
  request(request: IncomingMessage, response: ServerResponse, opens: boolean): void {
    if (opens) this.#checkPlace();
    this.#engine.handleRequest(request, response);
  }

  /** @param opens it opens a connection @throws FanfareError `too_many_connections` */
  upgrade(request: IncomingMessage, socket: NetSocket, head: Buffer, opens: boolean): void {
    if (opens) this.#checkPlace();
    this.#engine.handleUpgrade(request, socket, head);
  }

  close(): void {
    this.#engine.close();
  }

  /** Those who have not said who they are count, too. */
  #checkPlace(): void {
    this.#door.guests.checkPlace(this.#engine.clientsCount);
  }

  #open(socket: Socket, admitted: Admitted): void {
    try {
      this.#door.guests.add(new SocketIoPeer(socket, this.#door, admitted));
    } catch (error) {
      this.#refusal(socket, error);
      socket.conn.close();
    }
  }

  /** @throws FanfareError */
  async #admit({ conn, handshake, request }: Socket): Promise<Admitted> {
    if (this.#taken.has(conn))
      throw new FanfareError("invalid_request", "the connection has a client already");
    this.#taken.add(conn);
    const { access, entrance } = this.#door;
    const { rates } = entrance;
    const { token, csrf, channels }: Auth = parseAuth(handshake.auth);
    const caller = entrance.admit(conn.remoteAddress, request.headers);
    const host = entrance.hostOf(conn.remoteAddress, request.headers) ?? "";
    const credentials = {
      token: token ?? bearerOf(request.headers.authorization),
      csrf,
      ...(access.asking.possible && { request: () => ({ ...accessRequest(request), host }) }),
    };
    const principal = await access.authenticate({ ...credentials, from: rates.addressOf(caller.line) });
    const party = rates.partyOf(caller, principal);
    const tooMany = party && rates.take("connects", { address: null, user: party.user });
    if (tooMany) throw tooMany;
    return {
      principal,
      party,
      credentials: access.asking.possible ? credentials : {},
      wanted: channels,
      address: caller.address,
    };
  }

  #refusal({ conn }: Socket, cause: unknown): ExtendedError {
    const error = shownError(cause);
    const { log } = this.#door;
    if (error === cause) {
      log.warn({ code: error.code, remote: conn.remoteAddress }, `log-in refused: ${error.message}`);
    } else log.error({ err: cause, remote: conn.remoteAddress }, "a client could not be let in");
    return Object.assign(new Error(error.message), { data: feathersErrorOf(error) });
  }
}

function accessRequest({ url = "", headers }: IncomingMessage): Omit<AccessRequest, "host"> {
  const pairs = Object.entries(headers).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, Array.isArray(value) ? value.join(", ") : value]],
  );
  return { url, headers: new Headers(pairs) };
}
