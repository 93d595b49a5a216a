/** Where the bytes of a stream go: the answer of a Node server, or the body of a web-standard response. Knows nothing of events. */
import type { ServerResponse } from "node:http";
import { HIGH_WATER_MARK } from "../high-water-mark.js";

/** What an outlet tells. */
export interface OutletEvents {
  /** It takes more again. */
  drained(): void;
  /** The client is gone, or has been given everything. */
  closed(): void;
}

export interface Outlet {
  /** Sends the head of the answer. To be called once, before anything else. */
  begin(events: OutletEvents): void;
  /** False when it is full: `drained` follows. */
  write(bytes: Uint8Array): boolean;
  /** Bytes that have not left the process. */
  readonly waitingBytes: number;
  /** Nothing more comes; `closed` follows when all has been taken. */
  end(): void;
  /** Ends it at once. */
  destroy(): void;
}

/** For proxies: pass everything on at once, and as it is. */
export const STREAM_HEADERS = {
  "Content-Type": "text/event-stream; charset=utf-8",
  "Cache-Control": "no-store, no-transform",
  "X-Accel-Buffering": "no",
  "Referrer-Policy": "no-referrer",
} as const;

export class NodeOutlet implements Outlet {
  readonly #response: ServerResponse;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  begin(events: OutletEvents): void {
    const response = this.#response;
    const { socket } = response;
    // Streams are idle for as long as they like.
    if (socket?.timeout) socket.setTimeout(0);
    response.on("drain", () => events.drained());
    response.on("close", () => events.closed());
    response.on("error", () => {}); // `close` follows.
    // Until the connection closes, rather than in chunks: what is written goes to the socket as it is.
    response.removeHeader("Transfer-Encoding");
    const isHttp1 = response.req.httpVersionMajor === 1;
    response.writeHead(200, { ...STREAM_HEADERS, ...(isHttp1 && { Connection: "close" }) });
  }

  write(bytes: Uint8Array): boolean {
    return this.#response.write(bytes);
  }

  get waitingBytes(): number {
    return this.#response.writableLength;
  }

  end(): void {
    this.#response.end();
  }

  destroy(): void {
    this.#response.destroy();
  }
}

/** For servers that speak `Request` and `Response`. */
export class WebOutlet implements Outlet {
  readonly body: ReadableStream<Uint8Array>;
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  #events: OutletEvents | null = null;
  #full = false;

  constructor() {
    this.body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => {
          if (!this.#full) return;
          this.#full = false;
          this.#events?.drained();
        },
        cancel: () => this.#close(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: HIGH_WATER_MARK }),
    );
  }

  begin(events: OutletEvents): void {
    this.#events = events;
  }

  write(bytes: Uint8Array): boolean {
    // A copy: whoever reads may take the bytes for himself, and these are everybody's.
    this.#controller?.enqueue(bytes.slice());
    this.#full = this.waitingBytes >= HIGH_WATER_MARK;
    return !this.#full;
  }

  get waitingBytes(): number {
    return this.#controller ? HIGH_WATER_MARK - (this.#controller.desiredSize ?? 0) : 0;
  }

  end(): void {
    this.#controller?.close();
    this.#close();
  }

  destroy(): void {
    this.#controller?.error(new Error("the stream was cut off"));
    this.#close();
  }

  #close(): void {
    this.#controller = null;
    const events = this.#events;
    this.#events = null;
    events?.closed();
  }
}
