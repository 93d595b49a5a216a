/**
 * Engine.IO, which asks the door before it takes a request: where it has read the address itself, so that both mean the same by it. Lets
 * none of its mistakes out.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { FanfareError } from "@fanfare/protocol";
import {
  Server as Engine,
  type Socket as EngineSocket,
  type ErrorCallback,
  type ServerOptions,
} from "engine.io";

/** A request as Engine.IO has read it. */
export interface EngineRequest extends IncomingMessage {
  readonly _query: Record<string, string>;
  readonly res?: ServerResponse;
}

/** The questions and events of Engine.IO. None of these throws. */
export interface EngineEvents {
  /** May one more connection be opened? @returns the refusal, which is answered with */
  opens(request: IncomingMessage): FanfareError | null;
  /** @param response `null` where the request is an upgrade */
  refuse(request: IncomingMessage, response: ServerResponse | null, error: FanfareError): void;
  /** A packet was too large to be read. */
  tooLarge(conn: EngineSocket): void;
  failedInside(error: unknown): void;
}

const { BAD_REQUEST, UNSUPPORTED_PROTOCOL_VERSION } = Engine.errors;

export class DoorEngine extends Engine {
  readonly #events: EngineEvents;

  constructor(options: ServerOptions, events: EngineEvents) {
    super(options);
    this.#events = events;
  }

  /** The connection that a request means, where it means one that is open. */
  connOf(request: IncomingMessage): EngineSocket | undefined {
    const { sid } = (request as EngineRequest)._query;
    return sid ? this.clients[sid] : undefined;
  }

  /** Engine.IO's own checks come first: then it has a session, or opens one. */
  protected override verify(request: EngineRequest, isUpgrade: boolean, decide: ErrorCallback): void {
    super.verify(request, isUpgrade, (code, context) => {
      const { transport, EIO } = request._query;
      const conn = this.connOf(request);
      if (code !== undefined) decide(code, context);
      else if (isUpgrade && (transport !== "websocket" || isTaken(conn))) {
        // It would open the WebSocket, and let it stand until the client closes it.
        decide(BAD_REQUEST, { name: "TRANSPORT_MISMATCH", transport });
      } else if (conn) {
        this.#watchSize(conn, request);
        decide();
      } else {
        const refusal = this.#events.opens(request);
        if (refusal) this.#events.refuse(request, isUpgrade ? null : (request.res ?? null), refusal);
        // It would be told so as a WebSocket that speaks HTTP.
        else if (EIO !== "4") decide(UNSUPPORTED_PROTOCOL_VERSION, { protocol: EIO });
        else decide();
      }
    });
  }

  /** It is not waited for. */
  protected override async handshake(...args: Parameters<Engine["handshake"]>): Promise<unknown> {
    try {
      return await super.handshake(...args);
    } catch (error) {
      this.#events.failedInside(error);
      return undefined;
    }
  }

  /** Engine.IO answers 413 to what is polled, and leaves the connection as it is: with a hole. */
  #watchSize(conn: EngineSocket, { res }: EngineRequest): void {
    res?.once("finish", () => {
      if (res.statusCode === 413) this.#events.tooLarge(conn);
    });
  }
}

/** Is it a WebSocket already, or about to become one? */
function isTaken(conn: EngineSocket | undefined): boolean {
  return conn !== undefined && (conn.transport.name === "websocket" || conn.upgrading);
}
