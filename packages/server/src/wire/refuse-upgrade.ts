/** Refuses an HTTP upgrade on the bare socket, with the same problem that an HTTP answer would carry. */
import type { Duplex } from "node:stream";
import type { FanfareError } from "@fanfare/protocol";
import { PROBLEM_TYPE, problemOf } from "./problem.js";

/**
 * Answers an upgrade with an HTTP error and closes the socket.
 *
 * @param headers further header lines
 */
export function refuseUpgrade(socket: Duplex, error: FanfareError, headers: readonly string[] = []): void {
  const body = JSON.stringify(problemOf(error));
  const lines = [
    `HTTP/1.1 ${error.status} Refused`,
    "Connection: close",
    `Content-Type: ${PROBLEM_TYPE}`,
    "Cache-Control: no-store",
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...headers,
    ...(error.retryAfterSeconds === undefined ? [] : [`Retry-After: ${Math.ceil(error.retryAfterSeconds)}`]),
  ];
  socket.on("error", () => socket.destroy());
  socket.once("finish", () => socket.destroy());
  socket.end(`${lines.join("\r\n")}\r\n\r\n${body}`);
}
