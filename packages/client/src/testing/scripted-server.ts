/** The other side of a client, played by a test: sees what the client sends, and says what the test wants. */
import type { PageEvents, SocketConstructor, SocketLike } from "../client-options.js";

export const EPOCH = "00000000000000a1";
export const LATER_EPOCH = "00000000000000b2";

/** A frame, as loosely as a test needs it. */
export type AnyFrame = { readonly type: string; readonly [field: string]: unknown };

export class FakeSocket implements SocketLike {
  readyState = 0;
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: never) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  readonly sent: AnyFrame[] = [];
  /** How the client closed it: a code, or `null` for an empty close frame. */
  closedWith: number | null | undefined;
  #seen = 0;
  readonly url: string;
  readonly protocol: string;

  constructor(url: string, protocol: string) {
    this.url = url;
    this.protocol = protocol;
  }

  send(data: string): void {
    if (this.readyState !== 1) throw new Error("sent to a socket that is not open");
    this.sent.push(JSON.parse(data));
  }

  close(code?: number): void {
    this.closedWith ??= code ?? null;
    this.readyState = 2;
  }

  /** What was sent since the last call. */
  news(): AnyFrame[] {
    const news = this.sent.slice(this.#seen);
    this.#seen = this.sent.length;
    return news;
  }

  // ---- what the server does

  open(): void {
    this.readyState = 1;
    this.onopen?.({} as never);
  }

  say(frame: AnyFrame | string): void {
    this.onmessage?.({ data: typeof frame === "string" ? frame : JSON.stringify(frame) } as never);
  }

  lose(code = 1006, reason = ""): void {
    this.readyState = 3;
    this.onclose?.({ code, reason } as never);
  }
}

export class ScriptedServer {
  readonly sockets: FakeSocket[] = [];
  /** What the constructor throws from now on. */
  refusal: Error | null = null;

  readonly WebSocket: SocketConstructor = ((sockets: FakeSocket[], refusal: () => Error | null) =>
    class extends FakeSocket {
      constructor(url: string, protocol: string) {
        const error = refusal();
        if (error) throw error;
        super(url, protocol);
        sockets.push(this);
      }
    })(this.sockets, () => this.refusal);

  get socket(): FakeSocket {
    const last = this.sockets.at(-1);
    if (!last) throw new Error("the client has opened no socket");
    return last;
  }

  /** Opens the newest socket, and welcomes the client. */
  welcome({ resumed = false } = {}): FakeSocket {
    const { socket } = this;
    socket.open();
    const session = `secret${this.sockets.length}`;
    socket.say({
      type: "connected",
      connection: `c${this.sockets.length}`,
      session,
      resumed,
      pingSeconds: 15,
    });
    return socket;
  }

  /** Answers each subscribe that the client has sent since the last call. */
  subscribed(channel: string, fields: { [field: string]: unknown } = {}): void {
    const asked = this.socket.sent.findLast(
      ({ type, channels }) =>
        type === "subscribe" && (channels as AnyFrame[]).some((item) => item.channel === channel),
    );
    if (!asked) throw new Error(`the client has not asked for ${channel}`);
    const { request } = asked;
    const item = (asked.channels as AnyFrame[]).find((each) => each.channel === channel);
    const since = item?.since as { epoch: string; offset: number } | undefined;
    const start = {
      epoch: since?.epoch ?? EPOCH,
      offset: since?.offset ?? 0,
      recovered: since !== undefined,
    };
    const frame = { type: "subscribed", request, channel, ...start, ...fields };
    this.socket.say({ head: frame.offset, ...frame });
  }

  message(channel: string, offset: number, data: unknown = offset): void {
    this.socket.say({ type: "message", channel, offset, time: 1, event: "message", data });
  }
}

/** A page whose events a test calls. */
export class FakePage implements PageEvents {
  readonly listeners: { event: string; listener: () => void }[] = [];

  on(event: string, listener: () => void): () => void {
    const entry = { event, listener };
    this.listeners.push(entry);
    return () => void this.listeners.splice(this.listeners.indexOf(entry), 1);
  }

  fire(event: "visible" | "online" | "offline" | "pageshow" | "pagehide"): void {
    for (const each of [...this.listeners]) if (each.event === event) each.listener();
  }
}

/** Lets promises settle. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}
