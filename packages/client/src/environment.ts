/** What the client takes from where it runs: time, the WebSocket, the page's events, and its own address. */
import { shown } from "@fanfare/protocol";
import { ClientError } from "./client-error.js";
import type { ClientClock, ClientOptions, Fetch, PageEvents, SocketConstructor } from "./client-options.js";

/** Timers cannot wait for longer, and fire at once where they should. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export const systemClock: ClientClock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, call) {
    const timer = setTimeout(call, Math.min(ms, MAX_TIMER_MS));
    return () => clearTimeout(timer);
  },
};

/**
 * Answers with the milliseconds since this call, by the clock that says more: the monotonic clock of some browsers stands still while
 * the machine sleeps, and users can set the other one.
 */
export function stopwatch(clock: ClientClock): () => number {
  const [since, at] = [clock.monotonic(), clock.now()];
  return () => Math.max(clock.monotonic() - since, clock.now() - at);
}

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
  try {
    const found = new URL(url, base());
    if (/^https?:$/.test(found.protocol)) found.protocol = found.protocol.replace("http", "ws");
    // A WebSocket refuses one.
    found.hash = "";
    if (/^wss?:$/.test(found.protocol)) return found.href;
  } catch {
    // Said below.
  }
  throw new ClientError(
    "invalid_url",
    `${shown(url, 200)} is no address of a server`,
    "Give an address such as https://push.example.com/push; on a page /push will do.",
  );
}

/** Where a relative address begins. A worker made of a blob has its origin only, and a frame made of text the base of its parent. */
function base(): string | undefined {
  const { location, document, origin } = globalThis;
  return [location?.href, document?.baseURI, origin].find((each) => /^https?:/.test(each ?? ""));
}

/** Does the page's own policy forbid the address? Told by an event, since the error says nothing. */
let forbidden = "";
const listenedTo = new WeakSet<object>();

export function listenForPolicy(): void {
  const { document } = globalThis;
  if (!document || listenedTo.has(document)) return;
  listenedTo.add(document);
  document.addEventListener("securitypolicyviolation", ({ blockedURI, effectiveDirective }) => {
    if (effectiveDirective === "connect-src") forbidden = blockedURI;
  });
}

/** Why a connection to this address may have failed, where that can be known. */
export function causeOf(url: () => string, error: unknown): string {
  let host = " ";
  try {
    ({ host } = new URL(url()));
  } catch {
    // The page, and with it what the address begins with, is gone.
  }
  if (forbidden.includes(host) || (forbidden === "self" && host === globalThis.location?.host)) {
    return `The page's Content-Security-Policy forbids ${host}: add it to connect-src.`;
  }
  const said = (error as { message?: unknown } | null)?.message;
  return typeof said === "string" && said ? `The server cannot be reached: ${said}` : "";
}
