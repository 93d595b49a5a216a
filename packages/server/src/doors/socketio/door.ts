/** The Socket.IO door: lets clients of Socket.IO and Feathers in at a place of its own; see docs/socketio.md. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { FanfareError } from "@fanfare/protocol";
import { allHosts } from "../../access/addresses.js";
import type { Services } from "../../feathers/services.js";
import { PROBLEM_TYPE, problemOf } from "../../problem.js";
import { refuseUpgrade } from "../../refuse-upgrade.js";
import type { Door, DoorCapabilities, DoorHost, Place } from "../door.js";
import { serveScript } from "./client-script.js";
import { SOCKETIO, type SocketIoContext } from "./context.js";
import { SocketIoEncoding } from "./encoding.js";
import type { SocketIoSettings } from "./options.js";
import type { SocketIoServer } from "./server.js";

/** A packet may be so many times larger than its data may be: Socket.IO has no other answer to a larger one than to close. */
const PACKETS_TO_DATA = 2;

export const SOCKETIO_CAN: DoorCapabilities = {
  recovery: "positions",
  positions: true,
  offsets: true,
  unsubscribes: true,
  publishes: true,
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
    this.#server = open(context);
    this.#server.catch((error: unknown) => host.log.error({ err: error }, "Socket.IO could not be loaded"));
    this.places = [
      {
        path,
        request: (request, response) => void this.#request(request, response),
        upgrade: (request, socket, head) => void this.#upgrade(request, socket, head),
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
      const opens = this.#admit(request);
      const { origin } = request.headers;
      if (origin !== undefined) allowPage(response, origin);
      if (request.method === "OPTIONS") response.writeHead(204).end();
      else if (!serveScript(this.#path, request, response)) {
        (await this.#server).request(request, response, opens);
      }
    } catch (error) {
      const refused = this.#refused(error, "request");
      response.writeHead(refused.status, { "Content-Type": PROBLEM_TYPE });
      response.end(JSON.stringify(problemOf(refused)));
    }
  }

  async #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    // It may break off while the library is loaded, when nobody else listens to it yet.
    socket.on("error", ignore);
    try {
      const opens = this.#admit(request);
      (await this.#server).upgrade(request, socket, head, opens);
    } catch (error) {
      refuseUpgrade(socket, this.#refused(error, "upgrade"));
    }
  }

  /**
   * Every request passes the entrance; one that opens a connection needs room, too.
   *
   * @returns whether it opens one
   * @throws FanfareError
   */
  #admit(request: IncomingMessage): boolean {
    const { url = "", headers, socket } = request;
    const { entrance, guests } = this.#host;
    const opens = /[?&]EIO=/.test(url) && !/[?&]sid=/.test(url);
    if (opens) guests.admit(request);
    else entrance.admit(socket.remoteAddress, headers, allHosts(request));
    return opens;
  }

  #refused(error: unknown, what: string): FanfareError {
    const { log } = this.#host;
    if (error instanceof FanfareError) {
      log.warn({ code: error.code, remedy: error.remedy }, `${what} refused: ${error.message}`);
      return error;
    }
    log.error({ err: error }, `a ${what} for Socket.IO failed`);
    return new FanfareError("internal", "the server failed");
  }
}

function ignore(): void {}

/** The library is loaded where this door is opened, and nowhere else. */
async function open(context: SocketIoContext): Promise<SocketIoServer> {
  const { SocketIoServer: Loaded } = await import("./server.js");
  return new Loaded(context);
}

/** Lets the page read the answer; whether it may call at all has been decided. */
function allowPage(response: ServerResponse, origin: string): void {
  response.setHeader("Access-Control-Allow-Origin", origin);
  response.setHeader("Access-Control-Allow-Headers", "Authorization, Content-Type");
  response.setHeader("Vary", "Origin");
}
