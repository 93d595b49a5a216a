/** The Socket.IO door: lets clients of Socket.IO and Feathers in at a place of its own; see docs/socketio.md. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { FanfareError, quote } from "@fanfare/protocol";
import { allHosts, type Caller } from "../../access/grants/addresses.js";
import type { Services } from "../../feathers/services.js";
import { allowPage } from "../../wire/cors.js";
import { refuseRequest } from "../../wire/refuse-request.js";
import { refuseUpgrade } from "../../wire/refuse-upgrade.js";
import type { Door, DoorCapabilities, DoorHost, Place } from "../door.js";
import { serveScript } from "./client-script.js";
import { SOCKETIO, type SocketIoContext } from "./context.js";
import type { EngineEvents } from "./door-engine.js";
import { SocketIoEncoding } from "./encoding.js";
import type { SocketIoSettings } from "./options.js";
import type { SocketIoServer } from "./server.js";

/** A packet may be this many times larger than its data may be: Socket.IO has no other answer to a larger one than to close. */
const PACKETS_TO_DATA = 2;

export const SOCKETIO_CAN: DoorCapabilities = {
  recovery: "positions",
  positions: true,
  offsets: true,
  unsubscribes: true,
  publishes: true,
  renews: true,
  auto: true,
};

export class SocketIoDoor implements Door {
  readonly name = SOCKETIO;
  readonly can = SOCKETIO_CAN;
  readonly places: readonly Place[];
  readonly #host: DoorHost;
  readonly #path: string;
  readonly #server: Promise<SocketIoServer>;

  constructor({ path }: Pick<SocketIoSettings, "path">, services: Services, host: DoorHost) {
    this.#host = host;
    this.#path = path;
    const { messageBytes, stateBytes } = host.hub.limits;
    const context: SocketIoContext = {
      ...host,
      services,
      encoding: new SocketIoEncoding(services),
      maxPayload: PACKETS_TO_DATA * Math.max(messageBytes, stateBytes),
    };
    this.#server = open(context, (request, response, error) => {
      const refused = this.#refused(error, response ? "request" : "upgrade");
      if (response) refuseRequest(response, refused);
      else refuseUpgrade(request.socket, refused);
    });
    this.#server.catch((error: unknown) => host.log.error({ err: error }, "Socket.IO could not be loaded"));
    this.places = [
      {
        path,
        request: (request, response) => {
          this.#request(request, response).catch((error: unknown) =>
            host.failures.caught({ caller: SOCKETIO, error }, () => response.destroy()),
          );
        },
        upgrade: (request, socket, head) => {
          this.#upgrade(request, socket, head).catch((error: unknown) =>
            host.failures.caught({ caller: SOCKETIO, error }, () => socket.destroy()),
          );
        },
      },
    ];
  }

  async close(): Promise<void> {
    await this.#server.then(
      (server) => server.close(),
      () => {},
    );
  }

  async #request(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const caller = this.#admit(request);
      if (allowPage(request, response)) return;
      if (serveScript(this.#path, request, response)) return;
      if (request.method !== "GET" && request.method !== "POST") {
        response.setHeader("Allow", "GET, POST");
        throw new FanfareError("method_not_allowed", `Socket.IO is not asked by ${request.method}`);
      }
      (await this.#server).request(request, response, caller);
    } catch (error) {
      refuseRequest(response, this.#refused(error, "request"));
    }
  }

  async #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    // It may break off while the library is loaded, when it has no other listener yet.
    socket.on("error", ignore);
    try {
      const caller = this.#admit(request);
      (await this.#server).upgrade(request, socket, head, caller);
    } catch (error) {
      refuseUpgrade(socket, this.#refused(error, "upgrade"));
    }
  }

  /**
   * Every request passes the entrance; one that opens a connection needs room, too: Engine.IO says which do.
   *
   * @throws FanfareError
   */
  #admit(request: IncomingMessage): Caller {
    const { url = "", headers, socket } = request;
    const caller = this.#host.entrance.admit(socket.remoteAddress, headers, allHosts(request));
    if (URL.canParse(url, "http://localhost")) return caller;
    throw new FanfareError("invalid_request", `the address ${quote(url, 100)} is malformed`);
  }

  #refused(error: unknown, what: string): FanfareError {
    const { log, failures } = this.#host;
    if (error instanceof FanfareError) {
      log.warn({ code: error.code, remedy: error.remedy }, `${what} refused: ${error.message}`);
      return error;
    }
    failures.caught({ caller: "socketio", error });
    return new FanfareError("internal", "the server failed");
  }
}

function ignore(): void {}

/** The library is loaded where this door is opened, and nowhere else. */
async function open(context: SocketIoContext, refuse: EngineEvents["refuse"]): Promise<SocketIoServer> {
  const { SocketIoServer: Loaded } = await import("./server.js");
  return new Loaded(context, refuse);
}
