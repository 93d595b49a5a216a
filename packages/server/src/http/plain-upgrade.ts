/**
 * Requests that offer an upgrade to something else than WebSocket, which the server is free to ignore (RFC 9110, section
 * 7.8). Java's HTTP client and `curl --http2` offer `h2c` with each first request. Node ignores such offers only as long as
 * nobody listens to upgrades at all; afterwards it hands over the bare socket, and the request has to be put back.
 */
import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";

export function isWebSocket({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === "websocket";
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
