/** The WebSocket door: lets clients in that speak `fanfare.v1`; see PROTOCOL.md, sections 4 to 9. */
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { FanfareError } from "@fanfare/protocol";
import type { Caller } from "../../access/grants/addresses.js";
import type { AccessRequest } from "../../access/grants/credentials.js";
import { refuseUpgrade } from "../../wire/refuse-upgrade.js";
import type { Door, DoorCapabilities, DoorHost } from "../door.js";
import type { DoorContext } from "./context.js";
import { HANDSHAKE_HINTS, shakeHands } from "./handshake.js";
import { MIN_FRAME_BYTES } from "./requests.js";
import { WebSocketTransport } from "./transport.js";

/** Room for the parts of a frame around `data`. */
const FRAME_OVERHEAD = 4096;

export const WEBSOCKET_CAN: DoorCapabilities = {
  recovery: "positions",
  positions: true,
  offsets: true,
  unsubscribes: true,
  publishes: true,
  renews: true,
  auto: true,
};

export class WebSocketDoor implements Door {
  readonly name = "websocket";
  readonly can = WEBSOCKET_CAN;
  readonly #host: DoorHost;
  readonly #context: DoorContext;

  constructor(host: DoorHost) {
    this.#host = host;
    const { messageBytes, stateBytes } = host.hub.limits;
    this.#context = {
      ...host,
      maxPayload: Math.max(messageBytes, stateBytes, MIN_FRAME_BYTES) + FRAME_OVERHEAD,
    };
  }

  /** Answers an HTTP upgrade: with a WebSocket, or with an HTTP error that says what to do. */
  upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const { clients, log } = this.#host;
    let answer: string;
    let caller: Caller;
    try {
      caller = clients.admit(request);
      answer = shakeHands(request.method, request.headers);
    } catch (error) {
      if (!(error instanceof FanfareError)) throw error;
      // The message quotes what the client sent; nothing of it goes raw into the log.
      log.warn({ code: error.code, remedy: error.remedy }, `upgrade refused: ${error.message}`);
      refuseUpgrade(socket, error, HANDSHAKE_HINTS);
      return;
    }
    // It may have gone already.
    if (!socket.readable || !socket.writable) {
      socket.destroy();
      return;
    }
    socket.write(answer, "latin1");
    const transport = new WebSocketTransport(socket, head, this.#context, caller, this.#requestOf(request));
    clients.add(transport.session);
  }

  /** The part of the request that is kept until the client says who it is. */
  #requestOf({ url = "", headers, socket }: IncomingMessage): (() => AccessRequest) | undefined {
    const { access, entrance } = this.#host;
    if (!access.asking.possible) return undefined;
    const host = entrance.hostOf(socket.remoteAddress, headers) ?? "";
    return () => ({ url, host, headers: new Headers(pairsOf(headers)) });
  }
}

function pairsOf(headers: IncomingMessage["headers"]): [string, string][] {
  return Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, Array.isArray(value) ? value.join(", ") : value]],
  );
}
