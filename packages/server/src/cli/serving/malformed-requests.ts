/** Answers requests that Node's HTTP server could not read, as all other refusals: with a problem and its remedy. */
import type { Duplex } from "node:stream";
import { FanfareError, printable } from "@fanfare/protocol";
import { refuseUpgrade } from "../../wire/refuse-upgrade.js";
import { codeOf } from "./http-server.js";

/** Bytes of an address and all headers together: 60 channels of 200 characters, written as %3A and so on, and a long token. */
export const MAX_HEADER_BYTES = 64 * 1024;

/** For the event `clientError`. */
export function refuseMalformed(error: Error, socket: Duplex): void {
  // Into an answer that is under way nothing can be written.
  if (codeOf(error) === "ECONNRESET" || !socket.writable || isAnswering(socket)) socket.destroy();
  else refuseUpgrade(socket, problemOf(error));
}

function problemOf(error: Error): FanfareError {
  switch (codeOf(error)) {
    case "HPE_HEADER_OVERFLOW":
      return new FanfareError(
        "headers_too_large",
        `the address and the headers have more than ${MAX_HEADER_BYTES} bytes`,
      );
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return new FanfareError("request_timeout", "the request did not come whole in time");
    default:
      return new FanfareError("invalid_request", `the request is no HTTP: ${printable(error.message)}`, {
        remedy: "Use an HTTP client that follows RFC 9112.",
      });
  }
}

/** Node keeps the answer that is under way at its socket. */
function isAnswering(socket: Duplex): boolean {
  const message: unknown = "_httpMessage" in socket ? socket._httpMessage : null;
  return (
    typeof message === "object" &&
    message !== null &&
    "headersSent" in message &&
    message.headersSent === true
  );
}
