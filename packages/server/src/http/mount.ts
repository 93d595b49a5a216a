/**
 * Puts Fanfares on a Node HTTP server that may have an application of its own: each takes what is under its path, the
 * rest is left to the others.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { FanfareError, quote } from "@fanfare/protocol";
import { refuseUpgrade } from "../refuse-upgrade.js";
import { isUnder } from "./path.js";
import { isWebSocket, serveWithoutUpgrade } from "./plain-upgrade.js";

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
  }
  for (const { path } of mounts) {
    if (path === mounted.path)
      throw new TypeError(`another Fanfare on this server has the path ${path} already`);
  }
  mounts.add(mounted);
  // Node lets a connection be upgraded only where somebody listens.
  if (mounts.size === 1) server.on("upgrade", upgradable);
  return () => {
    if (mounts.delete(mounted) && mounts.size === 0) server.removeListener("upgrade", upgradable);
  };
}

const upgradable = () => {};

/**
 * Sees requests and upgrades before the server's listeners do. One more listener would not do: those of other WebSocket
 * libraries, for one, refuse every path that they do not know.
 */
function intercept(server: Server, mounts: Set<Mounted>): void {
  const emit = server.emit.bind(server) as (event: string | symbol, ...args: unknown[]) => boolean;
  server.emit = (event: string | symbol, ...args: unknown[]): boolean => {
    if (event === "request" && takeRequest(...(args as [IncomingMessage, ServerResponse]))) return true;
    if (event === "upgrade" && takeUpgrade(...(args as [IncomingMessage, Socket, Buffer]))) return true;
    return emit(event, ...args);
  };

  function takeRequest(request: IncomingMessage, response: ServerResponse): boolean {
    const mounted = find(mounts, request.url);
    if (mounted) mounted.request(request, response);
    else if (server.listenerCount("request") > 0) return false;
    else answerNothingHere(response);
    return true;
  }

  function takeUpgrade(request: IncomingMessage, socket: Socket, head: Buffer): boolean {
    const mounted = find(mounts, request.url);
    const others = server.listenerCount("upgrade") - server.listenerCount("upgrade", upgradable);
    if (!mounted && others > 0) return false;
    if (!isWebSocket(request)) serveWithoutUpgrade(server, request, socket, head);
    else if (mounted) mounted.upgrade(request, socket, head);
    else refuseUpgrade(socket, nothingServedAt(request.url));
    return true;
  }
}

/** For requests that nobody else takes. */
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
  let found: Mounted | null = null;
  for (const mounted of mounts) {
    if (isUnder(mounted.path, url) && mounted.path.length > (found?.path.length ?? 0)) found = mounted;
  }
  return found;
}
