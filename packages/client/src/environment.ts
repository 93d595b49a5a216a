/** What the client takes from where it runs: time, the WebSocket, the page's events, and its own address. */
import {
  type ClientClock,
  ClientError,
  type ClientOptions,
  type Fetch,
  type PageEvents,
  type SocketConstructor,
} from "./types.js";

export const systemClock: ClientClock = {
  now: () => Date.now(),
  after(ms, call) {
    const timer = setTimeout(call, ms);
    return () => clearTimeout(timer);
  },
};

/** 128 random bits as text. Not `randomUUID`, which pages without TLS do not have. */
export function randomKey(): string {
  const bytes = globalThis.crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The events of the page we are on; none where there is no page. */
export function pageEvents(): PageEvents | null {
  const { document, window } = globalThis;
  if (!document || !window) return null;
  return {
    on(event, listener) {
      if (event !== "visible") {
        window.addEventListener(event, listener);
        return () => window.removeEventListener(event, listener);
      }
      const whenVisible = () => document.visibilityState === "visible" && listener();
      document.addEventListener("visibilitychange", whenVisible);
      return () => document.removeEventListener("visibilitychange", whenVisible);
    },
  };
}

/** @throws ClientError when there is none */
export function socketConstructor(given: SocketConstructor | undefined): SocketConstructor {
  const found = given ?? (globalThis.WebSocket as SocketConstructor | undefined);
  if (found) return found;
  throw new ClientError(
    "no_websocket",
    "there is no WebSocket here",
    'Pass one: import WebSocket from "ws"; createClient({ url, WebSocket }).',
  );
}

/** `null` where there is none, or the page does not want it. */
export function fetchOf({ sse = true, fetch }: ClientOptions): Fetch | null {
  if (!sse) return null;
  return fetch ?? (globalThis.fetch ? (url, init) => globalThis.fetch(url, init) : null);
}

/**
 * The address of the WebSocket, from a path or an http or ws address.
 *
 * @throws ClientError when it is neither
 */
export function webSocketUrl(url: string): string {
  const base = globalThis.location?.href;
  try {
    const found = new URL(url, base);
    if (/^https?:$/.test(found.protocol)) found.protocol = found.protocol.replace("http", "ws");
    // A WebSocket refuses one.
    found.hash = "";
    if (/^wss?:$/.test(found.protocol)) return found.href;
  } catch {
    // Said below.
  }
  throw new ClientError(
    "invalid_url",
    `${JSON.stringify(url)} is no address of a server`,
    "Give an address such as https://push.example.com/push; on a page /push will do.",
  );
}
