/**
 * Which way a connection goes: by WebSocket; by Server-Sent Events where those are blocked; and back as soon as they are not. Knows
 * sockets, but nothing of what is said on them.
 */
import { SUBPROTOCOL } from "@fanfare/protocol";
import type { ClientClock, Fetch, SocketConstructor, SocketLike } from "./client-options.js";
import { OPEN_WITHIN_MS } from "./machine.js";
import { StreamSocket } from "./stream-socket.js";
import type { Transport } from "./types.js";

/** This many WebSockets in a row that came to nothing are a reason to try the other way. */
const MISSES = 2;
/** A WebSocket is tried again soon after, since the server may just have been away; then ever more seldom. */
const FIRST_PROBE_MS = 1000;
const PROBE_MS = 60_000;
const MAX_PROBE_MS = 600_000;
/** How a server closes a frame that it does not know: the proof that frames travel. */
const MALFORMED = 4400;

export interface WaysParts {
  /** Both are found when they are needed. */
  url(): string;
  Socket(): SocketConstructor;
  /** `null` where there is only one way. */
  readonly fetch: Fetch | null;
  readonly clock: ClientClock;
  csrf(): string | undefined;
  /** WebSockets work again: the connection is to be opened anew. */
  switchBack(): void;
}

export class Ways {
  transport: Transport = "websocket";
  readonly #parts: WaysParts;
  #misses = 0;
  #stream: StreamSocket | null = null;
  #probe: SocketLike | null = null;
  #probeMs = FIRST_PROBE_MS;
  #cancel: (() => void) | null = null;

  constructor(parts: WaysParts) {
    this.#parts = parts;
  }

  /** @throws whatever the page's WebSocket throws */
  open(): SocketLike {
    const { url, Socket, fetch, clock, csrf } = this.#parts;
    this.ended();
    if (this.transport === "websocket" || !fetch) return new (Socket())(url(), SUBPROTOCOL);
    this.#stream = new StreamSocket(url(), fetch, clock, csrf);
    return this.#stream;
  }

  /** The connection stands. */
  connected(): void {
    if (this.transport === "sse") this.#probeAfter(this.#probeMs);
    else {
      this.#misses = 0;
      this.#probeMs = FIRST_PROBE_MS;
    }
  }

  /** It came to nothing. The other way is next where this one fails; one that is down altogether is tried in turns. */
  failed(): void {
    if (this.transport === "sse") this.#back();
    else if (++this.#misses >= MISSES && this.#parts.fetch) this.transport = "sse";
  }

  /** The network is another one: what was blocked may not be so here. */
  networkChanged(): void {
    // Where neither waits or is under way, there is no connection yet.
    if (!this.#cancel) return;
    this.#stopProbing();
    this.#probeMs = FIRST_PROBE_MS;
    this.#tryWebSocket();
  }

  /** There is no connection any more. */
  ended(): void {
    this.#stream = null;
    this.#stopProbing();
  }

  #back(): void {
    this.transport = "websocket";
    this.#misses = MISSES - 1;
  }

  #probeAfter(ms: number): void {
    this.#stopProbing();
    this.#cancel = this.#parts.clock.after(ms, () => this.#tryWebSocket());
  }

  #later(): void {
    this.#probeMs = Math.min(MAX_PROBE_MS, Math.max(PROBE_MS, 2 * this.#probeMs));
    this.#probeAfter(this.#probeMs);
  }

  #tryWebSocket(): void {
    const { url, Socket, clock } = this.#parts;
    let probe: SocketLike;
    try {
      probe = new (Socket())(url(), SUBPROTOCOL);
    } catch {
      this.#later();
      return;
    }
    this.#probe = probe;
    const vain = () => {
      if (this.#probe === probe) this.#later();
    };
    this.#cancel = clock.after(OPEN_WITHIN_MS, vain);
    probe.onopen = () => probe.send("{}");
    probe.onerror = vain;
    probe.onclose = ({ code }: { code: number }) => {
      if (this.#probe !== probe) return;
      if (code === MALFORMED) this.#switch();
      else this.#later();
    };
  }

  #switch(): void {
    // Not while requests are under way: it would not be known what became of them.
    if (this.#stream?.asking) {
      this.#probeAfter(FIRST_PROBE_MS);
      return;
    }
    this.#stopProbing();
    this.#back();
    this.#parts.switchBack();
  }

  #stopProbing(): void {
    this.#cancel?.();
    this.#cancel = null;
    const probe = this.#probe;
    this.#probe = null;
    probe?.close();
  }
}
