/**
 * A request and its answer, whichever way they come: over a Node server, or as the web-standard objects of `fanfare.fetch`. The
 * routes know this alone, so the choice between both is made here. A Node server is spoken to directly where that costs less.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Entrance } from "../../access/entrance.js";
import type { Caller } from "../../access/grants/addresses.js";
import {
  NodeOutboundBuffer,
  type OutboundBuffer,
  STREAM_HEADERS,
  WebOutboundBuffer,
} from "../../doors/sse/outbound-buffer.js";
import type { Bodies } from "../../wire/bodies.js";

/** Headers that a request has once. Of several, Node tells the first, where the web's objects join them to an invalid value. */
type Single = "authorization" | "host";

/** The value that a body parser of the host application made of the body. */
export interface ParsedBefore {
  readonly body: unknown;
}

export interface Exchange {
  /**
   * A header; `undefined` where there is none. Several of one name are joined.
   *
   * @param name in lower case
   */
  header<Name extends string>(name: Name extends Single ? never : Lowercase<Name>): string | undefined;
  /** Lets the caller in. @throws FanfareError `host_not_allowed`, `origin_not_allowed` */
  admit(entrance: Entrance): Caller;
  /** The host that the caller called. */
  hostCalled(entrance: Entrance): string;
  /** Another part of the application has read the body; `null` where none has. */
  readonly parsedBefore: ParsedBefore | null;
  /**
   * The whole body.
   *
   * @param line whose share it counts in
   * @throws FanfareError `too_large`, `invalid_request`, `request_timeout`, `unavailable`
   */
  readBody(maxBytes: number, line: string | null): Promise<Uint8Array>;
  /** Sets a header of the answer. */
  setHeader(c: Context, name: string, value: string): void;
  /** Answers with a JSON text, and with the headers that `setHeader` has set. */
  answerJson(c: Context, json: string, status: ContentfulStatusCode): Response;
  /** Answers with a stream. @param open makes it, once the outbound buffer is there; what it throws is thrown */
  answerStream(c: Context, open: (outbound: () => OutboundBuffer) => void): Response;
  /** May the connection be upgraded? HTTP/2 has no such thing. */
  readonly upgradable: boolean;
  /** The connection ends with this answer. */
  readonly isLast: boolean;
}

export class NodeExchange implements Exchange {
  readonly #request: Request;
  readonly #incoming: IncomingMessage;
  readonly #outgoing: ServerResponse;
  readonly #bodies: Bodies;

  constructor(request: Request, incoming: IncomingMessage, outgoing: ServerResponse, bodies: Bodies) {
    this.#request = request;
    this.#incoming = incoming;
    this.#outgoing = outgoing;
    this.#bodies = bodies;
  }

  header(name: string): string | undefined {
    const value = this.#incoming.headers[name];
    return typeof value === "string" ? value : value?.join(", ");
  }

  admit(entrance: Entrance): Caller {
    const { socket, headers } = this.#incoming;
    // All hosts that it names, not the first alone.
    return entrance.admit(socket.remoteAddress, headers, this.#request.headers.get("host") ?? undefined);
  }

  hostCalled(entrance: Entrance): string {
    const { socket, headers } = this.#incoming;
    return entrance.hostOf(socket.remoteAddress, headers) ?? hostNamed(this.#request);
  }

  get parsedBefore(): ParsedBefore | null {
    const incoming = this.#incoming;
    if (!incoming.readableEnded) return null;
    return { body: "body" in incoming ? incoming.body : undefined };
  }

  readBody(maxBytes: number, line: string | null): Promise<Uint8Array> {
    return this.#bodies.read(this.#incoming, maxBytes, line);
  }

  setHeader(c: Context, name: string, value: string): void {
    c.header(name, value);
    this.#outgoing.setHeader(name, value);
  }

  /** Written to Node's response: a web `Response` with its stream costs more than all that publishing does. */
  answerJson(_c: Context, json: string, status: ContentfulStatusCode): Response {
    this.#outgoing.writeHead(status, {
      "Content-Type": "application/json",
      "Content-Length": Buffer.byteLength(json),
    });
    this.#outgoing.end(json);
    return RESPONSE_ALREADY_SENT;
  }

  answerStream(_c: Context, open: (outbound: () => OutboundBuffer) => void): Response {
    open(() => new NodeOutboundBuffer(this.#outgoing));
    return RESPONSE_ALREADY_SENT;
  }

  get upgradable(): boolean {
    return this.#incoming.httpVersionMajor === 1;
  }

  get isLast(): boolean {
    return !this.#outgoing.shouldKeepAlive;
  }
}

export class WebExchange implements Exchange {
  readonly upgradable = true;
  readonly isLast = false;
  readonly #request: Request;
  readonly #bodies: Bodies;

  constructor(request: Request, bodies: Bodies) {
    this.#request = request;
    this.#bodies = bodies;
  }

  header(name: string): string | undefined {
    return this.#request.headers.get(name) ?? undefined;
  }

  /** The application has read it, or is about to. */
  get parsedBefore(): ParsedBefore | null {
    const { bodyUsed, body } = this.#request;
    return bodyUsed || body?.locked ? { body: undefined } : null;
  }

  /** It did not come over the wire: it has no address. */
  admit(entrance: Entrance): Caller {
    const origin = this.header("origin");
    const cookie = this.header("cookie");
    const host = hostNamed(this.#request);
    return entrance.admit(undefined, { host, ...(origin && { origin }), ...(cookie && { cookie }) });
  }

  hostCalled(): string {
    return hostNamed(this.#request);
  }

  readBody(maxBytes: number, line: string | null): Promise<Uint8Array> {
    return this.#bodies.readStream(this.#request, maxBytes, line);
  }

  setHeader(c: Context, name: string, value: string): void {
    c.header(name, value);
  }

  answerJson(c: Context, json: string, status: ContentfulStatusCode): Response {
    return c.body(json, status, { "Content-Type": "application/json" });
  }

  answerStream(c: Context, open: (outbound: () => OutboundBuffer) => void): Response {
    const outbound = new WebOutboundBuffer(this.#request.signal);
    open(() => outbound);
    return c.body(outbound.body, 200, STREAM_HEADERS);
  }
}

/** A `Request` that did not come over the wire may name its host in the URL only. */
function hostNamed({ headers, url }: Request): string {
  return headers.get("host") ?? new URL(url).host;
}
