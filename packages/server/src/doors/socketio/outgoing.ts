/**
 * Writes to one client, as the only file that does: ready-made frames go through Engine.IO as they are, this many
 * bytes at most
 * as it may have waiting. Several frames are one packet to it, whose text is made only for clients that poll.
 */
import type { Socket as EngineSocket } from "engine.io";
import type { Failing } from "../../base/failures.js";
import { HIGH_WATER_MARK } from "../../base/high-water-mark.js";
import type { Sink } from "../../hub/terms/subscriber.js";
import { polledText } from "./encoding.js";
import { takesAll } from "./raw-socket.js";

/**
 * Engine.IO hears of what it sent only in the next turn. A client whose socket has taken all so far is not slow, and may have so
 * much waiting until then: pages that are shared with all others.
 */
const MAX_IN_ONE_TURN = 512 * 1024;
/** Writes while corked are joined up to this size; beyond it, copying would cost more than it saves. */
const MAX_JOINED = 4096;

/** How Engine.IO is given a frame that is ready: as the adapters of Socket.IO do it. */
interface PacketOptions {
  readonly compress: false;
  readonly wsPreEncodedFrame: readonly Uint8Array[];
}

/** The options of what was written last: mostly, the same goes to the next client. */
let lastBytes: Uint8Array | null = null;
let lastOptions: PacketOptions | null = null;

function optionsFor(bytes: Uint8Array): PacketOptions {
  if (bytes === lastBytes && lastOptions) return lastOptions;
  lastBytes = bytes;
  lastOptions = { compress: false, wsPreEncodedFrame: [bytes] };
  return lastOptions;
}

export interface OutgoingEvents extends Failing {
  /** Everything has been sent after `write` said that it is full. */
  drained(): void;
}

export class Outgoing implements Sink {
  readonly #conn: EngineSocket;
  readonly #events: OutgoingEvents;
  /** The sizes of what Engine.IO has not sent yet, in order. */
  readonly #sizes: number[] = [];
  #waiting = 0;
  #full = false;
  /** How often `cork` was called without `uncork`. */
  #corked = 0;
  #gathered: Uint8Array[] | null = null;
  #gatheredBytes = 0;

  constructor(conn: EngineSocket, events: OutgoingEvents) {
    this.#conn = conn;
    this.#events = events;
  }

  /** Bytes that were taken and have not been sent. */
  get waitingBytes(): number {
    return this.#waiting + this.#gatheredBytes;
  }

  /** Writes whole frames. False when it is full: `drained` follows. */
  write(bytes: Uint8Array): boolean {
    if (this.#corked > 0) {
      this.#gathered ??= [];
      this.#gathered.push(bytes);
      this.#gatheredBytes += bytes.length;
    } else this.#send(bytes);
    const { waitingBytes } = this;
    this.#full = waitingBytes >= HIGH_WATER_MARK && !(waitingBytes < MAX_IN_ONE_TURN && takesAll(this.#conn));
    return !this.#full;
  }

  /** Keeps what is written from now on, until `uncork`. */
  cork(): void {
    this.#corked++;
  }

  uncork(): void {
    this.#corked--;
    if (this.#corked > 0) return;
    const gathered = this.#gathered;
    if (!gathered) return;
    const bytes = this.#gatheredBytes;
    this.#gathered = null;
    this.#gatheredBytes = 0;
    const [only] = gathered;
    if (only && gathered.length === 1) this.#send(only);
    else if (bytes <= MAX_JOINED) this.#send(Buffer.concat(gathered, bytes));
    else for (const each of gathered) this.#send(each);
  }

  #send(bytes: Uint8Array): void {
    const conn = this.#conn;
    if (conn.readyState !== "open" || bytes.length === 0) return;
    this.#sizes.push(bytes.length);
    this.#waiting += bytes.length;
    // A client with a WebSocket never polls again.
    const text = conn.transport.name === "websocket" ? "" : polledText(bytes);
    conn.write(text, optionsFor(bytes), this.#sent);
  }

  readonly #sent = (): void => {
    this.#waiting -= this.#sizes.shift() ?? 0;
    if (!this.#full || this.#waiting > 0) return;
    this.#full = false;
    try {
      this.#events.drained();
    } catch (error) {
      this.#events.failedInside(error);
    }
  };
}
