/**
 * What no server on Node can do without: the same bytes written to each socket. Apart from the handshake there is no protocol, nothing is
 * read, and nobody who does not read is noticed.
 */
import { createHash } from "node:crypto";
import { serve } from "./serve.mjs";

const WEBSOCKET = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

serve((server) => {
  /** @type {Set<import("node:stream").Duplex>} */
  const sockets = new Set();
  server.on("upgrade", ({ headers }, socket) => {
    const accept = createHash("sha1").update(`${headers["sec-websocket-key"]}${WEBSOCKET}`).digest("base64");
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket.on("error", () => {});
    socket.on("end", () => socket.end());
    socket.on("close", () => sockets.delete(socket));
    socket.resume();
    sockets.add(socket);
  });
  return (data) => {
    const frame = textFrame(JSON.stringify({ event: "message", data }));
    for (const socket of sockets) socket.write(frame);
  };
});

/** @param {string} text of 126 to 65,535 bytes */
function textFrame(text) {
  const payload = Buffer.from(text);
  const head = Buffer.from([0x81, 126, payload.length >> 8, payload.length & 255]);
  return Buffer.concat([head, payload]);
}
