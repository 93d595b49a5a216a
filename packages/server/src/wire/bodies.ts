/**
 * Bodies of requests, while they come: what all unfinished ones take together is bounded, and so is what one address sends and how
 * long a body takes. Knows no route and no protocol.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { FanfareError } from "@fanfare/protocol";
import type { Clock, Timer } from "../base/clock.js";

/** A body that has not come whole after this time is given up. */
const BODY_WITHIN_MS = 30_000;
/** One address may have this part of what all unfinished bodies may take. */
const SHARE_OF_ADDRESS = 1 / 4;
/** Of a body that is not wanted, this much is read, so that its sender gets to read the answer. */
const MAX_DRAINED_BYTES = 64 * 1024 * 1024;
/** When it is tried again: by then bodies have come whole, or were given up. */
const RETRY_SECONDS = 5;

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

/** A body on its way. They are a list in the order in which they are given up: that costs less than a timer for each. */
class Unfinished {
  previous: Unfinished | null = null;
  next: Unfinished | null = null;
  isListed = true;
  /** Bytes that count. */
  bytes = 0;
  readonly line: string | null;
  readonly due: number;
  readonly late: () => void;

  constructor(line: string | null, due: number, late: () => void) {
    this.line = line;
    this.due = due;
    this.late = late;
  }
}

export interface BodiesOptions {
  readonly clock: Clock;
  /** Bytes of all unfinished bodies together. */
  readonly maxBytes: number;
}

export class Bodies {
  readonly #clock: Clock;
  readonly #maxBytes: number;
  #bytes = 0;
  readonly #ofLines = new Map<string, number>();
  #first: Unfinished | null = null;
  #last: Unfinished | null = null;
  #timer: Timer | null = null;

  constructor({ clock, maxBytes }: BodiesOptions) {
    this.#clock = clock;
    this.#maxBytes = maxBytes;
  }

  /** Bytes that unfinished bodies take. */
  get bytes(): number {
    return this.#bytes;
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
        this.#giveBack(entry);
        reject(error);
      };
      const entry = this.#begin(line, () => {
        if (refused) incoming.socket.destroySoon();
        else refuse(tooLate());
      });
      const over = () => {
        this.#end(entry);
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
          if (grownBy > 0 && !gathered.isWhole(incoming)) this.#count(entry, grownBy);
        } catch (error) {
          refuse(error as FanfareError);
        }
      });
      incoming.on("end", () => {
        this.#end(entry);
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
    const entry = this.#begin(line, () => end(tooLate()));
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (late) throw late;
        if (done) return gathered.bytes;
        if (!(value instanceof Uint8Array)) throw noBytes();
        this.#count(entry, gathered.add(Buffer.from(value)));
      }
    } catch (error) {
      reader.cancel(error).catch(() => {});
      // The application made the stream, so its error may be any value.
      throw error instanceof FanfareError ? error : brokenOff();
    } finally {
      signal.removeEventListener("abort", aborted);
      this.#end(entry);
    }
  }

  /**
   * Watches over a body that other code reads, or that stays unread.
   *
   * @param giveUp it takes too much, or too long
   */
  watch(incoming: IncomingMessage, line: string | null, giveUp: (error: FanfareError) => void): void {
    const entry = this.#begin(line, () => giveUp(tooLate()));
    const over = () => this.#end(entry);
    incoming.on("data", (chunk: Buffer | string) => {
      try {
        this.#count(entry, Buffer.byteLength(chunk));
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
    const entry = this.#begin(null, () => socket.destroySoon());
    const over = () => this.#end(entry);
    incoming.on("data", (chunk: Buffer) => {
      if (!drained.drain(chunk.length)) socket.destroySoon();
    });
    incoming.on("end", over);
    incoming.on("error", over);
    incoming.on("close", over);
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  // ---- room

  /** @throws FanfareError `rate_limited`, `unavailable` */
  #count(entry: Unfinished, bytes: number): void {
    if (!entry.isListed) return;
    const { line } = entry;
    if (this.#bytes + bytes > this.#maxBytes) {
      throw new FanfareError(
        "unavailable",
        `the bodies that have not come whole take ${this.#bytes} bytes, and ${this.#maxBytes} are allowed`,
        {
          retryAfterSeconds: RETRY_SECONDS,
          remedy: "Try again with the same idempotency key; if it stays, raise `limits.bodyBytes`.",
        },
      );
    }
    if (line !== null) {
      const ofLine = (this.#ofLines.get(line) ?? 0) + bytes;
      if (ofLine > this.#maxBytes * SHARE_OF_ADDRESS) {
        throw new FanfareError("rate_limited", "this address has too many bodies that have not come whole", {
          retryAfterSeconds: RETRY_SECONDS,
          remedy: "Send fewer requests at the same time, and each body at once.",
        });
      }
      this.#ofLines.set(line, ofLine);
    }
    this.#bytes += bytes;
    entry.bytes += bytes;
  }

  #giveBack(entry: Unfinished): void {
    const { line, bytes } = entry;
    if (bytes === 0) return;
    entry.bytes = 0;
    this.#bytes -= bytes;
    if (line === null) return;
    const left = (this.#ofLines.get(line) ?? 0) - bytes;
    if (left > 0) this.#ofLines.set(line, left);
    else this.#ofLines.delete(line);
  }

  // ---- time

  #begin(line: string | null, late: () => void): Unfinished {
    const entry = new Unfinished(line, this.#clock.monotonic() + BODY_WITHIN_MS, late);
    entry.previous = this.#last;
    if (this.#last) this.#last.next = entry;
    else this.#first = entry;
    this.#last = entry;
    // It is not called off when the list is empty again: then nearly every request would cost a timer.
    this.#timer ??= this.#clock.after(BODY_WITHIN_MS, () => this.#look());
    return entry;
  }

  #end(entry: Unfinished): void {
    this.#giveBack(entry);
    if (!entry.isListed) return;
    entry.isListed = false;
    const { previous, next } = entry;
    if (previous) previous.next = next;
    else this.#first = next;
    if (next) next.previous = previous;
    else this.#last = previous;
  }

  #look(): void {
    this.#timer = null;
    const now = this.#clock.monotonic();
    while (this.#first && this.#first.due <= now) {
      const entry = this.#first;
      this.#end(entry);
      entry.late();
    }
    if (this.#first) this.#timer = this.#clock.after(Math.max(1, this.#first.due - now), () => this.#look());
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

function tooLate(): FanfareError {
  const seconds = BODY_WITHIN_MS / 1000;
  return new FanfareError("request_timeout", `the body did not come whole within ${seconds} seconds`);
}

function noBytes(): FanfareError {
  return new FanfareError("invalid_request", "the body is a stream of something else than bytes", {
    remedy: "Give a text, or a stream of Uint8Array.",
  });
}

function brokenOff(): FanfareError {
  return new FanfareError("invalid_request", "the body broke off");
}
