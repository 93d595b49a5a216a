/**
 * The connection to the server: does what the state machine says, with a socket, a timer and the page's events. Knows
 * sessions and tokens, but nothing of channels.
 */
import { asError, type ServerFrame, shown } from "@fanfare/protocol";
import { ClientError } from "./client-error.js";
import type { ClientClock, ClientOptions, SocketLike } from "./client-options.js";
import {
  causeOf,
  fetchOf,
  listenForPolicy,
  pageEvents,
  randomKey,
  socketConstructor,
  systemClock,
  webSocketUrl,
} from "./environment.js";
import { connectionOf, type Machine, type MachineEvent, RETRY_MIN_MS, step, waitMs } from "./machine.js";
import { Tokens, type TokensHost } from "./tokens.js";
import type { Connection } from "./types.js";
import { Ways } from "./ways.js";

const OPEN = 1;
/** Close codes. The first ends the session; an empty close frame would end it, too. */
const LEFT = 1000;
const DROPPED = 4000;
const NO_TOKEN_YET = "getToken has given no token yet.";

/** What the link tells its client. */
export interface LinkOwner {
  connectionChanged(now: Connection): void;
  /** Where channels go on that the server subscribes by itself. */
  autoPositions(): readonly object[];
  /** Connected: now subscribe. `resumed`: the session of the last connection goes on. */
  ready(resumed: boolean): void;
  /** The client may do other things from now on. */
  granted(): void;
  /** The page woke up. */
  woken(): void;
  /** A frame that is about channels or requests. */
  received(frame: ServerFrame): void;
  /** The connection is gone, for this reason if the server gave one: what was asked will not be answered. */
  disconnected(reason: string): void;
  error(error: Error): void;
}

export class Link implements TokensHost {
  connection: Connection = { status: "idle" };
  /** The most bytes of a frame that the server reads. */
  frameBytes = Number.POSITIVE_INFINITY;
  /** What others know this client by; `null` before the first connection. */
  memberId: string | null = null;
  readonly clock: ClientClock;
  readonly random: () => number;
  readonly #tokens: Tokens;
  readonly #options: ClientOptions;
  readonly #owner: LinkOwner;
  readonly #ways: Ways;
  readonly #page;
  readonly #url: () => string;
  #machine: Machine = { phase: "idle" };
  #socket: SocketLike | null = null;
  #cancelTimer: (() => void) | null = null;
  /** Ends listening to the page's events. */
  #pageOff: (() => void)[] = [];
  #session: string | null = null;
  /** By this the server knows an anonymous client on all doors, so that what it sends again stands once. */
  #publisher: string | undefined;

  /** @throws ClientError `invalid_url` */
  constructor(options: ClientOptions, owner: LinkOwner) {
    this.#options = options;
    this.#owner = owner;
    this.clock = options.clock ?? systemClock;
    this.random = options.random ?? Math.random;
    this.#url = () => webSocketUrl(options.url ?? "/push");
    // One that is relative means something on a page only, and this may be a server that renders it.
    const { url = "" } = options;
    if (typeof url !== "string" || /^[a-z][a-z0-9+.-]*:/i.test(url)) this.#url();
    this.#ways = new Ways({
      url: this.#url,
      Socket: () => socketConstructor(options.WebSocket),
      fetch: fetchOf(options),
      clock: this.clock,
      csrf: () => {
        try {
          return this.#csrf();
        } catch (error) {
          this.error(asError(error));
          return undefined;
        }
      },
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

  /** @throws ClientError `invalid_url`, `no_websocket` */
  start(): void {
    // Said to the caller: no waiting would help.
    socketConstructor(this.#options.WebSocket);
    this.#url();
    listenForPolicy();
    this.#step({ kind: "start" });
  }

  stop(): void {
    this.#step({ kind: "stop" });
  }

  /** The server asks not to come back before this long. */
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
    // Where the page has no token, nothing is wrong with the way.
    const isOurs = this.#tokens.pending || (event.kind === "lost" && event.ours);
    if (next.phase === "waiting" && (before.phase === "opening" || before.phase === "greeting") && !isOurs) {
      this.#ways.failed();
    }
    if (effects.timerMs !== undefined) this.#setTimer(effects.timerMs);
    this.#listenToPage(next.phase !== "idle" && next.phase !== "closed");
    if (effects.leave) {
      this.#dropSocket(LEFT, event.kind === "stop");
      this.#tokens.abandon();
    }
    if (effects.drop || effects.open) this.#dropSocket(DROPPED);
    if (effects.open) this.#openSocket();
    if (effects.greet) void this.#greet();
    if (effects.ping) this.send({ type: "ping" });
    if (next.phase === "connected" && effects.subscribe) this.#owner.ready(next.resumed);
    // A handler of the page may have caused another step: then that one has told.
    if (next.phase === before.phase || this.#machine !== next) return;
    const now = connectionOf(next);
    if (now.status === "connecting" && this.connection.status === "connecting") return;
    this.connection = now;
    this.#owner.connectionChanged(now);
  }

  #setTimer(ms: number | null): void {
    this.#cancelTimer?.();
    const fire = () => this.#step({ kind: "timer", ...(this.#tokens.pending && { reason: NO_TOKEN_YET }) });
    this.#cancelTimer = ms === null ? null : this.clock.after(ms, fire);
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
          if (kind === "wake") {
            this.#tokens.wake();
            this.#owner.woken();
          }
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
        if (this.#machine === opening)
          this.#step({ kind: "lost", code: 1006, reason: causeOf(this.#url, error) });
      });
      return;
    }
    this.#socket = socket;
    const mine =
      <Event>(act: (event: Event) => void) =>
      (event: Event) =>
        void (this.#socket === socket && act(event));
    socket.onopen = mine(() => this.#step({ kind: "opened" }));
    const lost = (code: number, said: string) => {
      const reason = this.#machine.phase === "greeting" && this.#tokens.pending ? NO_TOKEN_YET : said;
      this.#socket = null;
      this.#ways.ended();
      this.#tokens.ended();
      this.#owner.disconnected(reason);
      this.#step({ kind: "lost", code, reason, renewable: this.#tokens.renewable });
    };
    // Not every WebSocket tells of its end: where a policy forbids it, and in Node 22, this is all.
    socket.onerror = mine((event: unknown) => {
      lost(1006, causeOf(this.#url, event));
      socket.close();
    });
    socket.onclose = mine(({ code, reason }: { code: number; reason: string }) => lost(code, reason));
    socket.onmessage = mine(({ data }: { data: unknown }) => this.#receive(String(data)));
  }

  /** Lets go of the socket: whatever it still says is not heard. */
  #dropSocket(code: number, quietly = false): void {
    const socket = this.#socket;
    if (!socket) return;
    this.#socket = null;
    this.#ways.ended();
    this.#tokens.ended();
    if (code === LEFT) this.#session = null;
    // Browsers complain about one that is closed before it is open.
    if (quietly && this.#page && socket.readyState === 0) socket.onopen = () => socket.close(code);
    else socket.close(code);
    this.#owner.disconnected("");
  }

  /** Something is wrong here, not on the way: tries again. */
  #giveUp(reason: string, ours = false): void {
    this.#dropSocket(DROPPED);
    this.#step({ kind: "lost", code: 1006, reason, ours });
  }

  /** What is no frame, or has fields of another type, throws. Coming back brings what it should have been. */
  #receive(text: string): void {
    try {
      const frame: unknown = JSON.parse(text);
      if (typeof frame !== "object") throw new TypeError("not an object");
      this.#heard(frame as ServerFrame);
    } catch (error) {
      this.#giveUp(`It was not a Fanfare frame: ${asError(error).message}`);
    }
  }

  #heard(frame: ServerFrame): void {
    this.#step({ kind: "heard" });
    if (frame.type === "connected") {
      const { connection, resumed, user } = frame;
      // A stream says none: HTTP requests are answered, whatever their size.
      this.frameBytes = Number(frame.frameBytes) || Number.POSITIVE_INFINITY;
      // A session that goes on is known by the name of its first connection.
      if (user !== undefined) this.memberId = `user:${user}`;
      else if (!resumed) this.memberId = `session:${connection}`;
      // One that lasts beyond this connection: a stream has none.
      this.#session = frame.session ?? this.#session;
      this.#tokens.accepted(frame);
      this.#ways.connected();
      this.#step({ kind: "connected", connection, resumed, transport: this.#ways.transport });
    } else if (frame.type === "token" || frame.type === "grants") {
      if (frame.type === "token") this.#tokens.accepted(frame);
      this.#owner.granted();
    } else if (frame.type === "goodbye") {
      this.#step({ kind: "goodbye", retryAfterMs: waitMs(frame.retryAfterSeconds, RETRY_MIN_MS) });
    } else this.#owner.received(frame);
  }

  // ---- saying who we are

  async #greet(): Promise<void> {
    const socket = this.#socket;
    this.#publisher ??= randomKey();
    try {
      let token = this.#tokens.get();
      if (token instanceof Promise) token = await token;
      // While the token was fetched the socket may have gone.
      if (this.#socket === socket) {
        const since = this.#owner.autoPositions();
        this.send({
          type: "connect",
          session: this.#session ?? undefined,
          publisher: token === undefined ? this.#publisher : undefined,
          since: since.length > 0 ? since : undefined,
          token,
          csrf: this.#csrf(),
        });
      }
    } catch (error) {
      if (this.#socket !== socket) return;
      const found = asError(error);
      this.error(found);
      if (this.#socket === socket) this.#giveUp(`The token could not be had: ${found.message}`, true);
    }
  }

  #csrf(): string | undefined {
    const csrf: unknown = this.#options.csrf?.() ?? undefined;
    if (csrf === undefined || typeof csrf === "string") return csrf;
    throw new ClientError("no_token", `csrf gave ${shown(csrf)}`, "Return a text, or undefined.");
  }

  renewed(token: string): void {
    this.send({ type: "token", token });
  }

  error(error: Error): void {
    this.#owner.error(error);
  }
}
