/**
 * Puts Fanfares on a Node HTTP server that may have an application of its own: each takes what is under its path, the
 * rest is left to the others.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { FanfareError, quote } from "@fanfare/protocol";
import { isUnder } from "../base/path.js";
import { waitsToSend } from "./bodies.js";
import { hasBody, isWebSocket, serveWithoutUpgrade, upgradeOnly } from "./plain-upgrade.js";
import { refuseRequest } from "./refuse-request.js";
import { refuseUpgrade } from "./refuse-upgrade.js";
import { pathOf, settleTarget } from "./target.js";

/** One Fanfare, as a server sees it. */
export interface Mounted {
  readonly path: string;
  request(request: IncomingMessage, response: ServerResponse): void;
  upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void;
}

const mountsOf = new WeakMap<Server, Set<Mounted>>();

/**
 * Mounts on a server. The server's own listeners get everything that is not under a Fanfare's path, whether they were
 * there before or come later.
 *
 * @returns takes it off again
 * @throws TypeError when another Fanfare on this server has the same path
 */
export function mount(server: Server, mounted: Mounted): () => void {
  let mounts = mountsOf.get(server);
  if (!mounts) {
    mounts = new Set();
    mountsOf.set(server, mounts);
    intercept(server, mounts);
    makeRequests(server);
  }
  for (const { path } of mounts) {
    if (path !== mounted.path) continue;
    throw new TypeError(
      `another Fanfare on this server has the path ${path} already. Attach each once, and give the other one another path.`,
    );
  }
  mounts.add(mounted);
  // Node lets a connection be upgraded, and a client wait before it sends, only where somebody listens.
  if (mounts.size === 1) server.on("upgrade", upgradable).on("checkContinue", awaitable);
  return () => {
    if (!mounts.delete(mounted) || mounts.size > 0) return;
    server.removeListener("upgrade", upgradable).removeListener("checkContinue", awaitable);
  };
}

/** A server of HTTP/2 makes requests of its streams only once somebody has listened to requests. */
function makeRequests(server: Server): void {
  const listener = () => {};
  server.on("request", listener).removeListener("request", listener);
}

const upgradable = () => {};
const awaitable = () => {};

/**
 * Sees requests and upgrades before the server's listeners do. One more listener would not do: those of other WebSocket
 * libraries, for one, refuse every path that they do not know.
 */
function intercept(server: Server, mounts: Set<Mounted>): void {
  const emit = server.emit.bind(server) as (event: string | symbol, ...args: unknown[]) => boolean;
  server.emit = (event: string | symbol, ...args: unknown[]): boolean => {
    if (event === "request" && takeRequest(...(args as [IncomingMessage, ServerResponse]))) return true;
    if (event === "checkContinue" && takeWaiting(...(args as [IncomingMessage, ServerResponse]))) return true;
    if (event === "upgrade" && takeUpgrade(...(args as [IncomingMessage, Socket, Buffer]))) return true;
    return emit(event, ...args);
  };

  // Where Node asks, it never hands over what is no WebSocket of ours, and reads such a request by itself.
  upgradeOnly(server, (request) => {
    const isOurs = find(mounts, request.url) !== null || !others();
    return isOurs ? isWebSocket(request) : null;
  });

  function others(): boolean {
    return server.listenerCount("upgrade") > server.listenerCount("upgrade", upgradable);
  }

  /** Has the application of an HTTP/2 server a listener to streams beside Node's own, which makes requests of them? */
  function takesStreams(): boolean {
    return server.listenerCount("stream") > 1;
  }

  function takeRequest(request: IncomingMessage, response: ServerResponse): boolean {
    const mounted = find(mounts, request.url);
    if (mounted) serve(mounted, request, response);
    else if (server.listenerCount("request") > 0 || takesStreams()) return false;
    else answerNothingHere(response);
    return true;
  }

  /** It says `Expect: 100-continue`, and sends its body when the server asks for it. A refused client is not asked. */
  function takeWaiting(request: IncomingMessage, response: ServerResponse): boolean {
    const mounted = find(mounts, request.url);
    if (mounted) {
      waitsToSend(request, response);
      serve(mounted, request, response);
      return true;
    }
    if (server.listenerCount("checkContinue") > server.listenerCount("checkContinue", awaitable))
      return false;
    // As Node does by itself where there is no listener.
    response.writeContinue();
    server.emit("request", request, response);
    return true;
  }

  function takeUpgrade(request: IncomingMessage, socket: Socket, head: Buffer): boolean {
    const mounted = find(mounts, request.url);
    if (!mounted && others()) return false;
    if (!isWebSocket(request)) serveWithoutUpgrade(server, request, socket, head);
    else if (mounted) upgrade(mounted, request, socket, head);
    else refuseUpgrade(socket, nothingServedAt(request.url));
    return true;
  }
}

/** Hands a request to a Fanfare, its address and host in the one form that all doors read. */
export function serve(
  mounted: Pick<Mounted, "request">,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const malformed = settleTarget(request);
  if (malformed) refuseRequest(response, malformed);
  else mounted.request(request, response);
}

function upgrade(mounted: Mounted, request: IncomingMessage, socket: Socket, head: Buffer): void {
  const malformed = settleTarget(request) ?? (hasBody(request) ? bodyInUpgrade() : null);
  if (malformed) refuseUpgrade(socket, malformed);
  else mounted.upgrade(request, socket, head);
}

/** Node versions differ in whether they read it, and frames would follow at an unknown place. */
function bodyInUpgrade(): FanfareError {
  return new FanfareError("invalid_request", "the request for a WebSocket has a body", {
    remedy: "Send it without Content-Length and Transfer-Encoding.",
  });
}

/** For requests that no other listener takes. */
export function answerNothingHere(response: ServerResponse): void {
  response.writeHead(404, { "Content-Type": "text/plain" });
  response.end("There is nothing here.\n");
}

/** The answer to an upgrade at another address than that of a Fanfare. */
export function nothingServedAt(url = ""): FanfareError {
  return new FanfareError("not_found", `no WebSocket is served at ${quote(url, 200)}`);
}

/** The most specific path wins, so that one Fanfare may live below another's path. */
function find(mounts: Set<Mounted>, url: string | undefined): Mounted | null {
  const path = pathOf(url);
  let found: Mounted | null = null;
  for (const mounted of mounts) {
    if (isUnder(mounted.path, path) && mounted.path.length > (found?.path.length ?? 0)) found = mounted;
  }
  return found;
}
