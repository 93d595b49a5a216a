/** An HTTP server that listens at an address, or an error that says what to do. */
import { createServer, type RequestListener, type Server } from "node:http";
import { quote } from "@fanfare/protocol";
import { UsageError } from "./arguments.js";

/** A connection that does not finish its request headers is closed after so long. */
const HEADERS_TIMEOUT_MS = 10_000;

/** @throws UsageError when the port is taken or not allowed, or the host is no address of this machine */
export function listen(port: number, host: string, listener: RequestListener): Promise<Server> {
  const server = createServer(
    { headersTimeout: HEADERS_TIMEOUT_MS, connectionsCheckingInterval: 2000 },
    listener,
  );
  return new Promise((resolve, reject) => {
    const refuse = (error: Error) => reject(explain(error, port, host));
    server.once("error", refuse);
    server.listen(port, host, () => {
      server.off("error", refuse);
      resolve(server);
    });
  });
}

/** The port that a server got, where it asked for any. */
export function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address ? address.port : 0;
}

/** Answers that nothing is here. */
export function nothingHere(remedy: string): RequestListener {
  return (_, response) => {
    response.writeHead(404, { "Content-Type": "text/plain" }).end(`There is nothing here; ${remedy}\n`);
  };
}

export function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

export function hostUnknown(host: string, why: string): UsageError {
  return new UsageError(
    `the host ${quote(host)} ${why}`,
    "Give an address of this machine, such as --host 127.0.0.1 or --host 0.0.0.0.",
  );
}

function explain(error: Error, port: number, host: string): Error {
  switch (codeOf(error)) {
    case "EADDRINUSE":
      return new UsageError(
        `port ${port} is taken`,
        "Stop what uses it, or choose another, such as --port 3031.",
      );
    case "EACCES":
      return new UsageError(`port ${port} may not be used`, "Choose a port above 1023, such as --port 3030.");
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return hostUnknown(host, "is not known");
    default:
      return error;
  }
}
