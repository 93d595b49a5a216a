/**
 * The connection to the server: does what the state machine says, with a socket, a timer and the page's events. Knows
 * sessions and tokens, but nothing of channels.
 */
import type { ServerFrame } from "@fanfare/protocol";
import { fetchOf, pageEvents, socketConstructor, systemClock, webSocketUrl } from "./environment.js";
import { type Machine, type MachineEvent, publicState, step } from "./machine.js";
import { Tokens, type TokensHost } from "./tokens.js";
import type { ClientClock, ClientOptions, ConnectionState, SocketLike } from "./types.js";
import { Ways } from "./ways.js";

const OPEN = 1;
/** Close codes. The first ends the session; an empty close frame would end it, too. */
const LEFT = 1000;
const DROPPED = 4000;

/** What the link tells its client. */
export interface LinkOwner {
  stateChanged(state: ConnectionState): void;
  /** Where channels go on that the server subscribes by itself. */
  autoPositions(): readonly object[];
  /** Connected: now subscribe. `resumed`: the session of the last connection goes on. */
  ready(resumed: boolean): void;
  /** A frame that is about channels or requests. */
  received(frame: ServerFrame): void;
  /** The connection is gone, for this reason if the server gave one: what was asked will not be answered. */
  disconnected(reason: string): void;
  error(error: Error): void;
}

export class Link implements TokensHost {
  state: ConnectionState = { status: "idle" };
  /** What others know this client by; `null` before the first connection. */
  memberId: string | null = null;
  readonly clock: ClientClock;
  readonly random: () => number;
  readonly #tokens: Tokens;
  readonly #options: ClientOptions;
  readonly #owner: LinkOwner;
  readonly #ways: Ways;
  readonly #page;
  #machine: Machine = { phase: "idle" };
  #socket: SocketLike | null = null;
  #cancelTimer: (() => void) | null = null;
  /** Ends listening to the page's events. */
  #pageOff: (() => void)[] = [];
  #session: string | null = null;

  /** @throws ClientError `invalid_url`, `no_websocket` */
  constructor(options: ClientOptions, owner: LinkOwner) {
    this.#options = options;
    this.#owner = owner;
    this.clock = options.clock ?? systemClock;
    this.random = options.random ?? Math.random;
    this.#ways = new Ways({
      url: webSocketUrl(options.url ?? "/push"),
      Socket: socketConstructor(options.WebSocket),
      fetch: fetchOf(options),
      clock: this.clock,
      switchBack: () => this.#step({ kind: "switch" }),
    });
    this.#page = options.page ?? pageEvents();
    this.#tokens = new Tokens(options, this);
  }

  get idle(): boolean {
    return this.#machine.phase === "idle";
  }
  get connected(): boolean {
    return this.#machine.phase === "connected";
  }

  start(): void {
    this.#step({ kind: "start" });
  }

  stop(): void {
    this.#step({ kind: "stop" });
  }

  /** The server asks not to come back before so long. */
  slowDown(retryAfterMs: number): void {
    this.#step({ kind: "slowDown", retryAfterMs });
  }

  /** Sends a frame, if there is an open socket. */
  send(frame: object | string): void {
    if (this.#socket?.readyState !== OPEN) return;
    this.#socket.send(typeof frame === "string" ? frame : JSON.stringify(frame));
  }

  #step(event: MachineEvent): void {
    const before = this.#machine;
    const { next, effects } = step(before, event, { now: this.clock.now(), random: this.random });
    this.#machine = next;
    if (next.phase === "waiting" && (before.phase === "opening" || before.phase === "greeting"))
      this.#ways.failed();
    if (effects.timerMs !== undefined) this.#setTimer(effects.timerMs);
    this.#listenToPage(next.phase !== "idle" && next.phase !== "closed");
    if (effects.leave) this.#dropSocket(LEFT);
    if (effects.drop || effects.open) this.#dropSocket(DROPPED);
    if (effects.open) this.#openSocket();
    if (effects.greet) void this.#greet();
    if (effects.ping) this.send({ type: "ping" });
    if (next.phase === "connected" && effects.subscribe) this.#owner.ready(next.resumed);
    // A handler of the page may have caused another step: then that one has told.
    if (next.phase === before.phase || this.#machine !== next) return;
    const state = publicState(next);
    if (state.status === "connecting" && this.state.status === "connecting") return;
    this.state = state;
    this.#owner.stateChanged(state);
  }

  #setTimer(ms: number | null): void {
    this.#cancelTimer?.();
    this.#cancelTimer = ms === null ? null : this.clock.after(ms, () => this.#step({ kind: "timer" }));
  }

  /** A client that is closed leaves nothing behind that would keep it in memory. */
  #listenToPage(wanted: boolean): void {
    const page = this.#page;
    if (!page || wanted === this.#pageOff.length > 0) return;
    for (const off of this.#pageOff.splice(0)) off();
    if (!wanted) return;
    for (const event of ["visible", "online", "offline", "pageshow", "pagehide"] as const) {
      const kind = event === "pagehide" ? event : "wake";
      this.#pageOff.push(
        page.on(event, () => {
          this.#step({ kind });
          if (kind === "wake") this.#tokens.wake();
          if (event === "online") this.#ways.networkChanged();
        }),
      );
    }
  }

  // ---- the socket

  #openSocket(): void {
    let socket: SocketLike;
    try {
      socket = this.#ways.open();
    } catch (error) {
      // A page's own policy can forbid the address; trying again is all that can be done.
      const opening = this.#machine;
      this.clock.after(0, () => {
        if (this.#machine === opening) this.#step({ kind: "lost", code: 1006, reason: String(error) });
      });
      return;
    }
    this.#socket = socket;
    const mine =
      <Event>(act: (event: Event) => void) =>
      (event: Event) =>
        void (this.#socket === socket && act(event));
    socket.onopen = mine(() => this.#step({ kind: "opened" }));
    socket.onerror = () => {}; // `onclose` follows.
    socket.onclose = mine(({ code, reason }: { code: number; reason: string }) => {
      this.#socket = null;
      this.#ways.ended();
      this.#tokens.ended();
      this.#owner.disconnected(reason);
      this.#step({ kind: "lost", code, reason, renewable: this.#tokens.renewable });
    });
    socket.onmessage = mine(({ data }: { data: unknown }) => this.#receive(String(data)));
  }

  /** Lets go of the socket: whatever it still says is not heard. */
  #dropSocket(code: number): void {
    const socket = this.#socket;
    if (!socket) return;
    this.#socket = null;
    this.#ways.ended();
    this.#tokens.ended();
    if (code === LEFT) this.#session = null;
    socket.close(code);
    this.#owner.disconnected("");
  }

  /** Something is wrong here, not on the way: tries again. */
  #giveUp(reason: string): void {
    this.#dropSocket(DROPPED);
    this.#step({ kind: "lost", code: 1006, reason });
  }

  #receive(text: string): void {
    const frame = parseFrame(text);
    if (!frame) {
      // Whatever it was to be is had again by coming back.
      this.#giveUp("What came was no frame of Fanfare.");
      return;
    }
    this.#step({ kind: "heard" });
    if (frame.type === "connected") {
      const { connection, resumed, user } = frame;
      // A session that goes on is known by the name of its first connection.
      if (user !== undefined) this.memberId = `user:${user}`;
      else if (!resumed) this.memberId = `session:${connection}`;
      // One that lasts beyond this connection: a stream has none.
      this.#session = frame.session ?? this.#session;
      this.#tokens.accepted(frame);
      this.#ways.connected();
      this.#step({ kind: "connected", connection, resumed, transport: this.#ways.transport });
    } else if (frame.type === "token") {
      this.#tokens.accepted(frame);
    } else if (frame.type === "goodbye") {
      this.#step({ kind: "goodbye", retryAfterMs: frame.retryAfter * 1000 });
    } else this.#owner.received(frame);
  }

  // ---- saying who we are

  async #greet(): Promise<void> {
    const socket = this.#socket;
    try {
      let token = this.#tokens.get();
      if (token instanceof Promise) token = await token;
      // While the token was fetched the socket may have gone.
      if (this.#socket === socket) {
        const since = this.#owner.autoPositions();
        this.send({
          type: "connect",
          session: this.#session ?? undefined,
          since: since.length > 0 ? since : undefined,
          token,
          csrf: this.#options.csrf?.(),
        });
      }
    } catch (error) {
      if (this.#socket !== socket) return;
      this.error(error instanceof Error ? error : new Error(String(error)));
      if (this.#socket === socket) this.#giveUp("The token could not be had.");
    }
  }

  renewed(token: string): void {
    this.send({ type: "token", token });
  }

  error(error: Error): void {
    this.#owner.error(error);
  }
}

function parseFrame(text: string): ServerFrame | null {
  try {
    const frame: unknown = JSON.parse(text);
    return typeof frame === "object" ? (frame as ServerFrame | null) : null;
  } catch {
    return null;
  }
}
