/**
 * One client of the SSE door: a stream of events, from its first block to its end. The hub's writes of one turn go out in one piece, followed by the cursor. Leaves channels to the hub, rights to the session, and bytes to the outbound buffer.
 */
import type { ChannelName, FanfareError, Position } from "@fanfare/protocol";
import type { Caller } from "../../access/grants/addresses.js";
import { HIGH_WATER_MARK } from "../../base/high-water-mark.js";
import type { Watched } from "../../base/timing-wheel.js";
import type { Sink } from "../../hub/terms/subscriber.js";
import type { DoorHost } from "../door.js";
import type { Admitted } from "../session/admission.js";
import { ClientSession } from "../session/client-session.js";
import type { ClientTransport, Closing } from "../session/transport.js";
import { checkOf, formatCursor } from "./cursor.js";
import type { StreamItem } from "./door.js";
import { cursorBlock, KEEP_ALIVE, ownEvent, ownEventWithRetry, refusal, sseEncoding } from "./encoding.js";
import type { OutboundBuffer, OutboundEvents } from "./outbound-buffer.js";

/** A comment is written within this and as much again as below, spread over the clients; to the next second. */
const KEEP_ALIVE_MS = 15_000;
const KEEP_ALIVE_SPREAD_MS = 9000;
/** A client that has taken nothing of what waits for it for this long is dead. */
const STUCK_AFTER_MS = 300_000;
/** How long a client is given to take the last block. */
const CLOSE_WITHIN_MS = 2000;
/** When an `EventSource` whose connection was lost comes back: spread over these milliseconds. */
const RETRY_MS = 1000;
const RETRY_SPREAD_MS = 2000;

export class SseStream implements ClientTransport, Sink, Watched, OutboundEvents {
  readonly door = "sse";
  readonly encoding = sseEncoding;
  readonly sink: Sink = this;
  readonly session: ClientSession;
  readonly #outbound: OutboundBuffer;
  readonly #host: DoorHost;
  /** The channels of the cursor, and what says which they are; `null` where the client keeps its positions. */
  readonly #channels: readonly ChannelName[] | null;
  readonly #check: string;
  /** Where it was last in each of them. */
  readonly #reached: (Position | null)[];
  #cursor = "";
  /** The writes of this turn. */
  #gathered: Uint8Array[] = [];
  #gatheredBytes = 0;
  /** The hub was told that it is full. */
  #full = false;
  /** When it has to be gone, by the wheel; `null` while it is not closing. */
  #closeBy: number | null = null;
  #over = false;
  /** When the outbound buffer last took something, or had nothing to take, by the wheel. */
  #accepted: number;
  #waitingAtLook = 0;
  #lookAt: number;

  /** @param items those of the cursor, in order, and where the client was; `null` for a client that keeps its positions */
  constructor(host: DoorHost, caller: Caller, outbound: OutboundBuffer, items: readonly StreamItem[] | null) {
    this.#host = host;
    this.#outbound = outbound;
    this.#channels = items?.map(({ channel }) => channel) ?? null;
    this.#check = this.#channels ? checkOf(this.#channels) : "";
    this.#reached = items ? items.map(({ since }) => since ?? null) : [];
    this.session = new ClientSession(host, caller, this);
    this.#accepted = host.wheel.now;
    this.#lookAt = this.#nextLook(host.wheel.now);
  }

  /**
   * Sends the head, and says who the client is.
   *
   * @throws FanfareError `not_logged_in`, `rate_limited`, `too_many_connections`, `share_used_up`; then nothing was sent
   */
  begin(admitted: Admitted): void {
    const { clients, wheel, hub } = this.#host;
    const { session } = this;
    const connection = session.begin(admitted, this.#channels?.length);
    const { principal } = session.identity;
    clients.add(session);
    this.#outbound.begin(this);
    const retryMs = Math.round(RETRY_MS + hub.random.fraction() * RETRY_SPREAD_MS);
    this.write(
      ownEventWithRetry(retryMs, "connected", {
        connection: connection.id,
        ...(principal.kind === "user" && { user: principal.user }),
        ...session.expiry,
      }),
    );
    wheel.add(this, this.#lookAt - wheel.now);
  }

  /** A channel that the client asked for is not to be heard. */
  refuse(channel: string, error: FanfareError): void {
    this.session.connection.answer(refusal(channel, error));
  }

  // ---- what the hub and the session ask

  get waitingBytes(): number {
    return this.#outbound.waitingBytes + this.#gatheredBytes;
  }

  write(bytes: Uint8Array): boolean {
    if (this.#over) return true;
    if (this.#gathered.length === 0) queueMicrotask(this.#flushAtLast);
    this.#gathered.push(bytes);
    this.#gatheredBytes += bytes.length;
    this.#full = this.waitingBytes >= HIGH_WATER_MARK;
    return !this.#full;
  }

  // The writes of one turn go out together in any case.
  cork(): void {}
  uncork(): void {}

  // Nothing is read from it.
  pauseReading(): void {}
  resumeReading(): void {}

  get isClosing(): boolean {
    return this.#closeBy !== null || this.#over;
  }

  /** Says why, and ends the stream. */
  close({ close, error: { message: reason, retryAfterSeconds } }: Closing): void {
    const { wheel } = this.#host;
    this.#closeBy = wheel.exactly() + CLOSE_WITHIN_MS;
    const fields = {
      code: close.code,
      reason,
      ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
    };
    this.write(
      retryAfterSeconds === undefined
        ? ownEvent("closed", fields)
        : ownEventWithRetry(Math.round(retryAfterSeconds * 1000), "closed", fields),
    );
    this.flush();
    wheel.add(this, CLOSE_WITHIN_MS);
    this.#outbound.end();
  }

  destroy(): void {
    this.#outbound.destroy();
    this.closed();
  }

  // ---- what the outbound buffer tells

  drained(): void {
    this.#accepted = this.#host.wheel.now;
    if (!this.#full || this.waitingBytes >= HIGH_WATER_MARK) return;
    this.#full = false;
    this.session.drained();
  }

  closed(): void {
    if (this.#over) return;
    this.#over = true;
    this.session.gone();
  }

  failedInside(error: unknown): void {
    this.session.failedInside(error);
  }

  // ---- what has to happen in time

  check(now: number): number | null {
    if (this.#over) return null;
    const waiting = this.#outbound.waitingBytes;
    if (waiting === 0 || waiting < this.#waitingAtLook) this.#accepted = now;
    this.#waitingAtLook = waiting;
    const silentMs = now - this.#accepted;
    if (this.#closeBy !== null && now < this.#closeBy) return this.#closeBy - now;
    if (this.#closeBy !== null || silentMs >= STUCK_AFTER_MS) {
      this.#host.log.info({ remote: this.session.remote, silentMs, waitingBytes: waiting }, "client is dead");
      this.destroy();
      return null;
    }
    if (now < this.#lookAt) return this.#lookAt - now;
    // A client that has something to take needs no more of it.
    if (waiting === 0) this.#outbound.write([KEEP_ALIVE], KEEP_ALIVE.length);
    this.#lookAt = this.#nextLook(now);
    return this.#lookAt - now;
  }

  #nextLook(now: number): number {
    return now + KEEP_ALIVE_MS + Math.floor(this.#host.hub.random.fraction() * KEEP_ALIVE_SPREAD_MS);
  }

  // ---- writing

  readonly #flushAtLast = (): void => {
    try {
      this.flush();
    } catch (error) {
      this.failedInside(error);
    }
  };

  /** The writes of this turn, and the client's cursor after them. */
  flush(): void {
    if (this.#over || this.#gathered.length === 0) return;
    const blocks = this.#gathered;
    this.#gathered = [];
    const cursor = this.#nextCursor();
    if (cursor) blocks.push(cursor);
    const bytes = this.#gatheredBytes + (cursor?.length ?? 0);
    this.#gatheredBytes = 0;
    if (this.#outbound.waitingBytes === 0) this.#accepted = this.#host.wheel.now;
    const takes = this.#outbound.write(blocks, bytes);
    // The outbound buffer may be content with more than the hub was told.
    if (takes && this.#full) this.drained();
  }

  /** `null` when it is the one that the client has. */
  #nextCursor(): Uint8Array | null {
    const { connection } = this.session;
    if (!this.#channels || connection.ended) return null;
    const { subscriptions } = connection;
    let any = false;
    for (const [index, channel] of this.#channels.entries()) {
      const position = subscriptions.get(channel)?.reached;
      if (position) this.#reached[index] = position;
      any ||= this.#reached[index] !== null;
    }
    const cursor = any ? formatCursor(this.#check, this.#reached) : "";
    if (cursor === this.#cursor) return null;
    this.#cursor = cursor;
    return cursorBlock(cursor);
  }
}
