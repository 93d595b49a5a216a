/**
 * Puts Fanfares on a Node HTTP server that may have an application of its own: each takes what is under its path, the
 * rest is left to the others.
 */
import type { IncomingMessage, RequestListener, Server } from "node:http";
import type { Socket } from "node:net";
import { FanfareError } from "@fanfare/protocol";
import { refuseUpgrade } from "../doors/websocket/door.js";
import { isUnder } from "./path.js";

/** One Fanfare, as a server sees it. */
export interface Mounted {
  readonly path: string;
  request(...args: Parameters<RequestListener>): void;
  upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void;
}

const mountsOf = new WeakMap<Server, Set<Mounted>>();

/**
 * Mounts on a server. Request listeners that the server has at this time go on to get everything that is not under a
 * Fanfare's path.
 *
 * @returns takes it off again
 * @throws TypeError when another Fanfare on this server has the same path
 */
export function mount(server: Server, mounted: Mounted): () => void {
  let mounts = mountsOf.get(server);
  if (!mounts) {
    mounts = new Set();
    mountsOf.set(server, mounts);
    listen(server, mounts);
  }
  for (const { path } of mounts) {
    if (path === mounted.path)
      throw new TypeError(`another Fanfare on this server has the path ${path} already`);
  }
  mounts.add(mounted);
  return () => void mounts.delete(mounted);
}

function listen(server: Server, mounts: Set<Mounted>): void {
  const others = server.listeners("request") as RequestListener[];
  server.removeAllListeners("request");
  server.on("request", (request, response) => {
    const mounted = find(mounts, request.url);
    if (mounted) {
      mounted.request(request, response);
      return;
    }
    for (const other of others) other.call(server, request, response);
    if (others.length > 0 || server.listenerCount("request") > 1) return;
    response.writeHead(404, { "Content-Type": "text/plain" });
    response.end("There is nothing here.\n");
  });
  server.on("upgrade", (request: IncomingMessage, socket: Socket, head: Buffer) => {
    const mounted = find(mounts, request.url);
    if (mounted) {
      mounted.upgrade(request, socket, head);
    } else if (server.listenerCount("upgrade") === 1) {
      refuseUpgrade(
        socket,
        new FanfareError("not_found", `no WebSocket is served at ${request.url?.slice(0, 200)}`),
      );
    }
  });
}

/** The most specific path wins, so that one Fanfare may live below another's path. */
function find(mounts: Set<Mounted>, url: string | undefined): Mounted | null {
  let found: Mounted | null = null;
  for (const mounted of mounts) {
    if (isUnder(mounted.path, url) && mounted.path.length > (found?.path.length ?? 0)) found = mounted;
  }
  return found;
}
