/**
 * One client of the SSE door: a stream of events, from its first block to its end. What the hub writes within a turn goes out in one
 * piece, followed by the cursor. Leaves channels to the hub, and bytes to the outlet.
 */
import {
  type ChannelName,
  CLOSE,
  type CloseCode,
  FanfareError,
  type Position,
  quote,
} from "@fanfare/protocol";
import type { Caller } from "../../access/addresses.js";
import { notLoggedIn } from "../../access/credentials.js";
import { ownerOf } from "../../access/principal.js";
import type { Visit, Visited } from "../../access/visit.js";
import type { Connection } from "../../hub/connection.js";
import type { EndReason, Sink, Subscriber } from "../../hub/subscriber.js";
import { attendanceOf } from "../attendance.js";
import type { DoorHost } from "../door.js";
import type { Guest } from "../guests.js";
import { HIGH_WATER_MARK } from "../high-water-mark.js";
import type { Watched } from "../timing-wheel.js";
import { checkOf, formatCursor } from "./cursor.js";
import type { StreamItem } from "./door.js";
import {
  cursorBlock,
  KEEP_ALIVE,
  ownEvent,
  ownEventWithRetry,
  refusal,
  sseEncoding,
  unsubscribed,
} from "./encoding.js";
import type { Outlet, OutletEvents } from "./outlet.js";

/** A comment is written within this and as much again as below, spread over the clients; to the next second. */
const KEEP_ALIVE_MS = 15_000;
const KEEP_ALIVE_SPREAD_MS = 9000;
/** A client that has taken nothing of what waits for it for so long is dead. */
const STUCK_AFTER_MS = 300_000;
/** How long a client is given to take the last block. */
const CLOSE_WITHIN_MS = 2000;
/** What is written in a turn is joined up to this size; beyond it, copying would cost more than it saves. */
const MAX_JOINED = 4096;
/** When an `EventSource` whose connection was lost comes back: spread over these milliseconds. */
const RETRY_MS = 1000;
const RETRY_SPREAD_MS = 2000;

export class SseStream implements Subscriber, Sink, Guest, Visited, Watched, OutletEvents {
  readonly encoding = sseEncoding;
  readonly sink: Sink = this;
  readonly #outlet: Outlet;
  readonly #host: DoorHost;
  readonly #caller: Caller;
  readonly #visit: Visit;
  readonly #connection: Connection;
  /** The channels of the cursor, and what says which they are; `null` where the client keeps its positions. */
  readonly #channels: readonly ChannelName[] | null;
  readonly #check: string;
  /** Where it was last in each of them. */
  readonly #reached: (Position | null)[];
  #cursor = "";
  /** What was written in this turn. */
  #gathered: Uint8Array[] = [];
  #gatheredBytes = 0;
  /** The hub was told that it is full. */
  #full = false;
  /** When it has to be gone, by the wheel; `null` while nobody has begun to close. */
  #closeBy: number | null = null;
  #over = false;
  /** When the outlet last took something, or had nothing to take, by the wheel. */
  #accepted: number;
  #waitingAtLook = 0;
  #lookAt: number;

  /**
   * @param items those of the cursor, in order, and where the client was; `null` for a client that keeps its positions
   * @throws FanfareError `too_many_connections`
   */
  constructor(
    host: DoorHost,
    caller: Caller,
    visit: Visit,
    outlet: Outlet,
    items: readonly StreamItem[] | null,
  ) {
    this.#host = host;
    this.#caller = caller;
    this.#visit = visit;
    this.#outlet = outlet;
    this.#channels = items?.map(({ channel }) => channel) ?? null;
    this.#check = this.#channels ? checkOf(this.#channels) : "";
    this.#reached = items ? items.map(({ since }) => since ?? null) : [];
    this.#connection = host.hub.open(this);
    this.#accepted = host.wheel.now;
    this.#lookAt = this.#nextLook(host.wheel.now);
  }

  get connection(): Connection {
    return this.#connection;
  }

  /** Sends the head, and says who the client is. */
  begin(): void {
    const { guests, wheel, hub } = this.#host;
    const { principal, expires } = this.#visit;
    guests.add(this);
    this.#outlet.begin(this);
    const retryMs = Math.round(RETRY_MS + hub.random.fraction() * RETRY_SPREAD_MS);
    this.write(
      ownEventWithRetry(retryMs, "connected", {
        connection: this.#connection.id,
        ...(principal.kind === "user" && { user: principal.user }),
        ...(expires !== null && { expires, time: hub.clock.now() }),
      }),
    );
    wheel.add(this, this.#lookAt - wheel.now);
    this.#visit.watch(wheel, hub.clock, this);
  }

  /** A channel that the client asked for is not to be heard. */
  refuse(channel: string, error: FanfareError): void {
    this.#connection.answer(refusal(channel, error));
  }

  // ---- what the hub asks

  get door(): string {
    return "sse";
  }

  get waitingBytes(): number {
    return this.#outlet.waitingBytes + this.#gatheredBytes;
  }

  write(bytes: Uint8Array): boolean {
    if (this.#over) return true;
    if (this.#gathered.length === 0) queueMicrotask(() => this.#flush());
    this.#gathered.push(bytes);
    this.#gatheredBytes += bytes.length;
    this.#full = this.waitingBytes >= HIGH_WATER_MARK;
    return !this.#full;
  }

  // What is written in one turn goes out together in any case.
  cork(): void {}
  uncork(): void {}

  // Nothing is read from it.
  pauseReading(): void {}
  resumeReading(): void {}

  end(reason: EndReason): void {
    if (reason === "too_slow") {
      this.#host.log.warn(
        { remote: this.#caller.address, waitingBytes: this.waitingBytes },
        "closing a slow client: no room for what waits",
      );
      this.#close(CLOSE.tryAgainLater, "too slow: no room for what waits for this client");
      return;
    }
    this.#close(CLOSE.disconnected, "an administrator ended this connection");
  }

  // ---- what the outlet tells

  drained(): void {
    this.#accepted = this.#host.wheel.now;
    if (!this.#full || this.waitingBytes >= HIGH_WATER_MARK) return;
    this.#full = false;
    this.#connection.drained();
  }

  closed(): void {
    if (this.#over) return;
    this.#over = true;
    this.#leave();
    this.#host.guests.gone(this);
  }

  // ---- what happens to all guests

  goodbye(retryAfter: number): void {
    this.#close(CLOSE.restart, "the server stops or restarts", retryAfter);
  }

  /** Keys, tokens or grants have changed: looks whether it may stay, and what it may still hear. */
  accessChanged(): void {
    const connection = this.#connection;
    if (connection.ended) return;
    if (!this.#visit.refresh()) {
      this.expelled(notLoggedIn("the key or token was revoked, or the user logged out"));
      return;
    }
    for (const { channel } of [...connection.subscriptions.values()]) {
      if (this.#visit.may("subscribe", channel.name)) {
        const attendance = attendanceOf(this.#host.hub, connection, this.#visit, channel.name);
        if (attendance) connection.attend(channel.name, attendance);
        continue;
      }
      const error = new FanfareError("forbidden", `the grant for ${channel.name} was taken away`);
      connection.revoke(channel.name, error, unsubscribed(channel.name, error.code));
    }
  }

  askedAgain(): void {
    this.accessChanged();
  }

  expelled({ code, message }: FanfareError): void {
    const who = quote(ownerOf(this.#visit.principal), 100);
    this.#host.log.info({ code, remote: this.#caller.address, who }, `client sent away: ${message}`);
    this.#close(code === "not_logged_in" ? CLOSE.notLoggedIn : CLOSE.tryAgainLater, message);
  }

  destroy(): void {
    this.#outlet.destroy();
    this.closed();
  }

  // ---- what has to happen in time

  check(now: number): number | null {
    if (this.#over) return null;
    const waiting = this.#outlet.waitingBytes;
    if (waiting === 0 || waiting < this.#waitingAtLook) this.#accepted = now;
    this.#waitingAtLook = waiting;
    const silentMs = now - this.#accepted;
    if (this.#closeBy !== null && now < this.#closeBy) return this.#closeBy - now;
    if (this.#closeBy !== null || silentMs >= STUCK_AFTER_MS) {
      this.#host.log.info(
        { remote: this.#caller.address, silentMs, waitingBytes: waiting },
        "client is dead",
      );
      this.destroy();
      return null;
    }
    if (now < this.#lookAt) return this.#lookAt - now;
    // Whoever has something to take needs no more of it.
    if (waiting === 0) this.#outlet.write(KEEP_ALIVE);
    this.#lookAt = this.#nextLook(now);
    return this.#lookAt - now;
  }

  #nextLook(now: number): number {
    return now + KEEP_ALIVE_MS + Math.floor(this.#host.hub.random.fraction() * KEEP_ALIVE_SPREAD_MS);
  }

  // ---- writing

  /** What was written in this turn, and where the client is with it. */
  #flush(): void {
    if (this.#over || this.#gathered.length === 0) return;
    const blocks = this.#gathered;
    this.#gathered = [];
    const cursor = this.#nextCursor();
    if (cursor) blocks.push(cursor);
    const bytes = this.#gatheredBytes + (cursor?.length ?? 0);
    this.#gatheredBytes = 0;
    if (this.#outlet.waitingBytes === 0) this.#accepted = this.#host.wheel.now;
    let takes = true;
    if (bytes <= MAX_JOINED) takes = this.#outlet.write(Buffer.concat(blocks, bytes));
    else for (const block of blocks) takes = this.#outlet.write(block);
    // The outlet may be content with more than the hub was told.
    if (takes && this.#full) this.drained();
  }

  /** `null` when it is the one that the client has. */
  #nextCursor(): Uint8Array | null {
    if (!this.#channels || this.#connection.ended) return null;
    const { subscriptions } = this.#connection;
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

  /** Says why, leaves the hub, and ends the stream. */
  #close({ code }: CloseCode, reason: string, retryAfter?: number): void {
    if (this.#closeBy !== null || this.#over) return;
    this.#closeBy = this.#host.wheel.exactly() + CLOSE_WITHIN_MS;
    this.#flush();
    this.#leave();
    const fields = { code, reason, ...(retryAfter !== undefined && { retryAfter }) };
    this.write(
      retryAfter === undefined
        ? ownEvent("closed", fields)
        : ownEventWithRetry(Math.round(retryAfter * 1000), "closed", fields),
    );
    this.#flush();
    this.#host.wheel.add(this, CLOSE_WITHIN_MS);
    this.#outlet.end();
  }

  #leave(): void {
    this.#visit.end();
    this.#connection.leave();
  }
}
