/** The options of a client, and what it takes from where it runs. */
import type { QueueOptions } from "./types.js";

/** The part of a WebSocket that the client needs; browsers' and the `ws` package's have it. */
export interface SocketLike {
  readonly readyState: number;
  send(data: string): void;
  close(code?: number, reason?: string): void;
  // `never` lets every library name its events as it likes. Used are `data` of a message, `code` and `reason` of a close.
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
}
export type SocketConstructor = new (url: string, protocol: string) => SocketLike;

export type Fetch = (url: URL, init: RequestInit) => Promise<Response>;

/** Time, as the client needs it. */
export interface ClientClock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Milliseconds since some moment; never goes back. */
  monotonic(): number;
  /** Calls once, after this many milliseconds; call the answer to cancel. */
  after(ms: number, call: () => void): () => void;
}

/** Where a page tells that it was hidden, woken or left; `document` and `window` together. */
export interface PageEvents {
  on(event: "visible" | "online" | "offline" | "pageshow" | "pagehide", listener: () => void): () => void;
}

export interface ClientOptions {
  /** The server's path or address, such as `/push` or `https://push.example.com/push`. @default "/push" */
  readonly url?: string;
  /** A token that your server has made, which says who the page's user is. When it has expired, the connection is closed for good. */
  readonly token?: string;
  /**
   * Fetches a token: asked before every connect, and in time before the last one expires; not while an earlier answer is still to
   * come. The client gives up after 15 seconds, and aborts the `signal`. The same token again is no new one: the client asks again
   * later, after a wait that grows.
   */
  readonly getToken?: (call: { readonly signal: AbortSignal }) => string | Promise<string>;
  /**
   * The CSRF token of your application, where the server knows the page's user by the application's cookies; read before every
   * connect, and before each HTTP request where WebSockets are blocked.
   */
  readonly csrf?: () => string | undefined;
  /**
   * Publishes and patches without a connection wait for one, in order, for a while. The client sends again what was not
   * answered before the connection was lost. It rejects what waited for too long with `expired`. `true`: at most 100, for 30
   * seconds.
   *
   * @default false: it is rejected with `not_connected`
   */
  readonly queue?: boolean | QueueOptions;
  /** @default the global one; Node.js before 22 has none: pass that of the package `ws` */
  readonly WebSocket?: SocketConstructor;
  /**
   * Where WebSockets are blocked, as by some proxies, the client goes on by Server-Sent Events and HTTP requests, and tries now and
   * then whether they still are. `false`: it does not. @default true
   */
  readonly sse?: boolean;
  /** Used for that. @default the global one */
  readonly fetch?: Fetch;
  /** @default the machine's */
  readonly clock?: ClientClock;
  /** From 0 up to, not including, 1. @default Math.random */
  readonly random?: () => number;
  /** @default those of the page, if there is one */
  readonly page?: PageEvents;
}
