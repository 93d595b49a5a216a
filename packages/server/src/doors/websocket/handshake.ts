/** The opening handshake of a WebSocket (RFC 6455, section 4.2), as far as the HTTP server has not looked after it. */
import { hash } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { FanfareError, quote, SUBPROTOCOL } from "@fanfare/protocol";

/** The headers of every refused handshake, as the standards want them. */
export const HANDSHAKE_HINTS: readonly string[] = ["Allow: GET", "Sec-WebSocket-Version: 13"];

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const KEY = /^[+/0-9A-Za-z]{22}==$/;
const PROTOCOL_NAME = /^[!#$%&'*+\-.^_`|~\w]+$/;

/**
 * Checks what a client offers.
 *
 * @returns the answer that opens the WebSocket
 * @throws FanfareError `method_not_allowed`, `invalid_request`
 */
export function shakeHands(method: string | undefined, headers: IncomingHttpHeaders): string {
  const key = headers["sec-websocket-key"];
  const version = headers["sec-websocket-version"];
  if (method !== "GET") {
    throw new FanfareError("method_not_allowed", `a WebSocket is opened by ${quote(String(method))}`, {
      remedy: "Use GET to open a WebSocket.",
    });
  }
  if (key === undefined || !KEY.test(key)) {
    throw invalid(
      `Sec-WebSocket-Key is ${key === undefined ? "missing" : quote(key, 100)}`,
      "Send 16 random bytes in base64, as every WebSocket client does.",
    );
  }
  if (version !== "13") {
    throw invalid(
      `Sec-WebSocket-Version is ${version === undefined ? "missing" : quote(version, 20)}`,
      "Send Sec-WebSocket-Version: 13.",
    );
  }
  const offered = headers["sec-websocket-protocol"];
  if (offered !== undefined) checkOffered(offered);
  const accept = hash("sha1", key + GUID, "base64");
  const protocol = offered === undefined ? "" : `\r\nSec-WebSocket-Protocol: ${SUBPROTOCOL}`;
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}${protocol}\r\n\r\n`;
}

function checkOffered(offered: string): void {
  if (offered === SUBPROTOCOL) return;
  const names = offered.split(",").map((each) => each.trim());
  if (names.includes(SUBPROTOCOL) && names.every((name) => PROTOCOL_NAME.test(name))) return;
  throw invalid(
    `the sub-protocols offered are ${quote(offered, 100)}`,
    `Offer ${SUBPROTOCOL}, or no sub-protocol.`,
  );
}

function invalid(message: string, remedy: string): FanfareError {
  return new FanfareError("invalid_request", message, { remedy });
}
