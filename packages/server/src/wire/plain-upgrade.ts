/**
 * Requests that offer an upgrade to something else than WebSocket, which the server is free to ignore (RFC 9110, section
 * 7.8). Java's HTTP client and `curl --http2` offer `h2c` with each first request. Newer Nodes ask the server which upgrades it wants
 * (`shouldUpgradeCallback`, since 22.21 and 24.9). Older ones hand over the bare socket as soon as anybody listens to upgrades; there
 * the request has to be put back.
 */
import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";

export function isWebSocket({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === "websocket";
}

export function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}

/** Which upgrades a Node server wants; older versions have no such thing. */
interface Choosing extends Server {
  shouldUpgradeCallback?: (request: IncomingMessage) => boolean;
}

/**
 * Makes a server choose the requests that are upgraded, whatever it was made with.
 *
 * @param wants whether a request is upgraded; `null` leaves it to the server's own choice
 */
export function upgradeOnly(server: Server, wants: (request: IncomingMessage) => boolean | null): void {
  const choosing: Choosing = server;
  const own = choosing.shouldUpgradeCallback;
  if (own === undefined) return;
  choosing.shouldUpgradeCallback = (request) => wants(request) ?? own.call(server, request);
}

/** Lets the server read the request once more, without the offer. */
export function serveWithoutUpgrade(
  server: Server,
  request: IncomingMessage,
  socket: Socket,
  head: Buffer,
): void {
  const lines = [`${request.method} ${request.url} HTTP/${request.httpVersion}`];
  const { rawHeaders } = request;
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? "";
    if (/^(?:upgrade|connection|http2-settings)$/i.test(name)) continue;
    lines.push(`${name}: ${rawHeaders[index + 1]}`);
  }
  const close = /\bclose\b/i.test(request.headers.connection ?? "");
  lines.push(`Connection: ${close ? "close" : "keep-alive"}`);
  // Node gave the header bytes as Latin-1.
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), head]));
  server.emit(socket instanceof TLSSocket ? "secureConnection" : "connection", socket);
}
