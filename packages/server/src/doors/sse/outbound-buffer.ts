/** The outbound buffer of a stream: the answer of a Node server, or the body of a web-standard response. Knows nothing of events. */
import type { ServerResponse } from "node:http";
import type { Failing } from "../../base/failures.js";
import { HIGH_WATER_MARK } from "../../base/high-water-mark.js";

/** The stream, as its buffer sees it. An exception of these goes to `failedInside`. */
export interface OutboundEvents extends Failing {
  /** It takes more again. */
  drained(): void;
  /** The client is gone, or has been given everything. */
  closed(): void;
}

export interface OutboundBuffer {
  /** Sends the head of the answer. To be called once, before anything else. */
  begin(events: OutboundEvents): void;
  /**
   * Writes all of these together.
   *
   * @param bytes how many they have
   * @returns false when it is full: `drained` follows
   */
  write(blocks: readonly Uint8Array[], bytes: number): boolean;
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

/** Writes of one turn are joined up to this size; beyond it, copying would cost more than it saves. */
const MAX_JOINED = 4096;
/** Around a chunk (RFC 9112, section 7.1): its length in hexadecimal digits, and two line breaks. */
const LINE_BREAK = "\r\n";
const LAST_CHUNK = "0\r\n\r\n";

export class NodeOutboundBuffer implements OutboundBuffer {
  readonly #response: ServerResponse;
  /** In chunks: clients that read in blocks are told where a block ends, and all are told whether the stream ended or broke off. */
  readonly #chunked: boolean;

  constructor(response: ServerResponse) {
    const { httpVersionMajor, httpVersionMinor } = response.req;
    this.#response = response;
    this.#chunked = httpVersionMajor === 1 && httpVersionMinor >= 1;
  }

  begin(events: OutboundEvents): void {
    const response = this.#response;
    const { socket } = response;
    // Streams are idle for as long as they like.
    if (socket?.timeout) socket.setTimeout(0);
    response.on("drain", () => drained(events));
    response.on("close", () => closed(events));
    response.on("error", () => {}); // `close` follows.
    const isHttp1 = response.req.httpVersionMajor === 1;
    response.writeHead(200, {
      ...STREAM_HEADERS,
      ...(isHttp1 && { Connection: "close" }),
      ...(this.#chunked && { "Transfer-Encoding": "chunked" }),
    });
    // The chunks are made here: Node would make one of each block, of four writes.
    if (this.#chunked) response.chunkedEncoding = false;
  }

  write(blocks: readonly Uint8Array[], bytes: number): boolean {
    const response = this.#response;
    // A chunk without bytes would be the last.
    if (bytes === 0) return true;
    if (bytes <= MAX_JOINED) return response.write(this.#joined(blocks, bytes));
    if (this.#chunked) response.write(`${bytes.toString(16)}${LINE_BREAK}`, "latin1");
    let takes = true;
    for (const block of blocks) takes = response.write(block);
    return this.#chunked ? response.write(LINE_BREAK, "latin1") : takes;
  }

  #joined(blocks: readonly Uint8Array[], bytes: number): Uint8Array {
    if (!this.#chunked) return Buffer.concat(blocks, bytes);
    const head = `${bytes.toString(16)}${LINE_BREAK}`;
    const chunk = Buffer.allocUnsafe(head.length + bytes + LINE_BREAK.length);
    let at = chunk.write(head, 0, "latin1");
    for (const block of blocks) {
      chunk.set(block, at);
      at += block.length;
    }
    chunk.write(LINE_BREAK, at, "latin1");
    return chunk;
  }

  get waitingBytes(): number {
    return this.#response.writableLength;
  }

  end(): void {
    if (this.#chunked) this.#response.end(LAST_CHUNK, "latin1");
    else this.#response.end();
  }

  destroy(): void {
    this.#response.destroy();
  }
}

/** For servers that speak `Request` and `Response`. */
export class WebOutboundBuffer implements OutboundBuffer {
  readonly body: ReadableStream<Uint8Array>;
  readonly #signal: AbortSignal;
  readonly #aborted = () => this.destroy();
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  #events: OutboundEvents | null = null;
  #full = false;

  /** @param signal aborted when the client is gone */
  constructor(signal: AbortSignal) {
    this.#signal = signal;
    this.body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => {
          if (!this.#full) return;
          this.#full = false;
          drained(this.#events);
        },
        cancel: () => this.#close(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: HIGH_WATER_MARK }),
    );
  }

  begin(events: OutboundEvents): void {
    this.#events = events;
    this.#signal.addEventListener("abort", this.#aborted);
    // It is told after it has begun, as every stream is.
    if (this.#signal.aborted) queueMicrotask(this.#aborted);
  }

  write(blocks: readonly Uint8Array[], bytes: number): boolean {
    // A copy: a reader may take the bytes for itself, and these are everybody's.
    const copy = new Uint8Array(bytes);
    let at = 0;
    for (const block of blocks) {
      copy.set(block, at);
      at += block.length;
    }
    if (bytes > 0) this.#controller?.enqueue(copy);
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
    this.#signal.removeEventListener("abort", this.#aborted);
    this.#controller = null;
    const events = this.#events;
    this.#events = null;
    closed(events);
  }
}

function drained(events: OutboundEvents | null): void {
  try {
    events?.drained();
  } catch (error) {
    events?.failedInside(error);
  }
}

function closed(events: OutboundEvents | null): void {
  try {
    events?.closed();
  } catch (error) {
    events?.failedInside(error);
  }
}
