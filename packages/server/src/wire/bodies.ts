/** Reads bodies of requests, of which `Arriving` bounds bytes and time while they come. Knows no route and no protocol. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { FanfareError } from "@fanfare/protocol";
import { type Arriving, tooLate } from "./arriving.js";

/** Of a body that is not wanted, this much is read, so that its sender gets to read the answer. */
const MAX_DRAINED_BYTES = 64 * 1024 * 1024;

/** Requests that send their body only when they are asked to, and the responses that ask. */
const waiting = new WeakMap<IncomingMessage, ServerResponse>();

/** The request says `Expect: 100-continue`, and has not been answered to that. */
export function waitsToSend(request: IncomingMessage, response: ServerResponse): void {
  waiting.set(request, response);
}

/** The body is wanted: a client that waits to be asked for it sends it now. */
export function askForBody(request: IncomingMessage): void {
  if (request.headers.expect === undefined) return;
  waiting.get(request)?.writeContinue();
  waiting.delete(request);
}

export class Bodies {
  readonly #arriving: Arriving;

  constructor(arriving: Arriving) {
    this.#arriving = arriving;
  }

  /**
   * Reads a body whole. Of one that is refused while it comes, the rest is read, too, and thrown away: so the answer arrives, and the
   * connection can be used again.
   *
   * @param line whose share counts; `null` counts for no share
   * @throws FanfareError `too_large`, `invalid_request` when it broke off, `request_timeout`, `rate_limited`, `unavailable`
   */
  read(incoming: IncomingMessage, maxBytes: number, line: string | null): Promise<Uint8Array> {
    askForBody(incoming);
    return new Promise((resolve, reject) => {
      const gathered = new Gathered(maxBytes);
      let refused = false;
      const refuse = (error: FanfareError) => {
        refused = true;
        gathered.clear();
        this.#arriving.giveBack(entry);
        reject(error);
      };
      const entry = this.#arriving.begin(line, () => {
        if (refused) incoming.socket.destroySoon();
        else refuse(tooLate("the body"));
      });
      const over = () => {
        this.#arriving.end(entry);
        if (!incoming.readableEnded) reject(brokenOff());
      };
      if (incoming.destroyed) over();
      incoming.on("data", (chunk: Buffer) => {
        if (refused) {
          if (!gathered.drain(chunk.length)) incoming.socket.destroySoon();
          return;
        }
        try {
          const grownBy = gathered.add(chunk);
          if (grownBy > 0 && !gathered.isWhole(incoming)) this.#arriving.count(entry, grownBy);
        } catch (error) {
          refuse(error as FanfareError);
        }
      });
      incoming.on("end", () => {
        this.#arriving.end(entry);
        resolve(gathered.bytes);
      });
      incoming.on("error", over);
      incoming.on("close", over);
    });
  }

  /** The same for the body of a web-standard request, which its caller may abort. @throws FanfareError */
  async readStream(
    { body, signal }: Pick<Request, "body" | "signal">,
    maxBytes: number,
    line: string | null,
  ): Promise<Uint8Array> {
    if (signal.aborted) throw brokenOff();
    if (!body) return new Uint8Array();
    const reader = body.getReader();
    const gathered = new Gathered(maxBytes);
    let late: FanfareError | null = null;
    const end = (error: FanfareError) => {
      late = error;
      reader.cancel(late).catch(() => {});
    };
    const aborted = () => end(brokenOff());
    signal.addEventListener("abort", aborted);
    const entry = this.#arriving.begin(line, () => end(tooLate("the body")));
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (late) throw late;
        if (done) return gathered.bytes;
        if (!(value instanceof Uint8Array)) throw noBytes();
        this.#arriving.count(entry, gathered.add(Buffer.from(value)));
      }
    } catch (error) {
      reader.cancel(error).catch(() => {});
      // The application made the stream, so its error may be any value.
      throw error instanceof FanfareError ? error : brokenOff();
    } finally {
      signal.removeEventListener("abort", aborted);
      this.#arriving.end(entry);
    }
  }

  /**
   * Watches over a body that other code reads, or that stays unread.
   *
   * @param giveUp it takes too much, or too long
   */
  watch(incoming: IncomingMessage, line: string | null, giveUp: (error: FanfareError) => void): void {
    const entry = this.#arriving.begin(line, () => giveUp(tooLate("the body")));
    const over = () => this.#arriving.end(entry);
    incoming.on("data", (chunk: Buffer | string) => {
      try {
        this.#arriving.count(entry, Buffer.byteLength(chunk));
      } catch (error) {
        over();
        giveUp(error as FanfareError);
      }
    });
    incoming.on("end", over);
    incoming.on("close", over);
  }

  /** The request was answered, and its body has not come whole: the rest is read for a while, so that the answer arrives. */
  drain(incoming: IncomingMessage): void {
    if (incoming.complete || incoming.destroyed || incoming.readableFlowing) return;
    const { socket } = incoming;
    const drained = new Gathered(0);
    const entry = this.#arriving.begin(null, () => socket.destroySoon());
    const over = () => this.#arriving.end(entry);
    incoming.on("data", (chunk: Buffer) => {
      if (!drained.drain(chunk.length)) socket.destroySoon();
    });
    incoming.on("end", over);
    incoming.on("error", over);
    incoming.on("close", over);
  }
}

/** The part of a body that has come: the first piece as it is. When more comes, a buffer that doubles, however small the pieces are. */
class Gathered {
  readonly #maxBytes: number;
  #buffer: Buffer | null = null;
  #length = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): Uint8Array {
    return this.#buffer?.subarray(0, this.#length) ?? new Uint8Array();
  }

  /** @returns the bytes that it takes now in addition @throws FanfareError `too_large` */
  add(chunk: Buffer): number {
    const length = this.#length + chunk.length;
    if (length > this.#maxBytes) throw tooLarge(`more than ${this.#maxBytes}`, this.#maxBytes);
    const before = this.#buffer?.length ?? 0;
    if (!this.#buffer) this.#buffer = chunk;
    else {
      if (length > before) {
        const larger = Buffer.allocUnsafeSlow(Math.min(this.#maxBytes, Math.max(length, 2 * before)));
        this.#buffer.copy(larger, 0, 0, this.#length);
        this.#buffer = larger;
      }
      chunk.copy(this.#buffer, this.#length);
    }
    this.#length = length;
    return this.#buffer.length - before;
  }

  /** Has it come whole with its first piece, as nearly all bodies do? */
  isWhole({ headers }: IncomingMessage): boolean {
    return this.#length === this.#buffer?.length && headers["content-length"] === String(this.#length);
  }

  clear(): void {
    this.#buffer = null;
  }

  /** More unwanted bytes came. @returns false when it is too much even for that */
  drain(bytes: number): boolean {
    this.#length += bytes;
    return this.#length <= MAX_DRAINED_BYTES;
  }
}

export function tooLarge(size: string, maxBytes: number): FanfareError {
  return new FanfareError("too_large", `the body has ${size} bytes, and ${maxBytes} are allowed`);
}

function noBytes(): FanfareError {
  return new FanfareError("invalid_request", "the body is a stream of something else than bytes", {
    remedy: "Give a text, or a stream of Uint8Array.",
  });
}

function brokenOff(): FanfareError {
  return new FanfareError("invalid_request", "the body broke off");
}
