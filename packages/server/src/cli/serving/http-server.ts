/** An HTTP server that listens at an address, or an error that says what to do. */
import { createServer, type RequestListener, type Server } from "node:http";
import type { Socket } from "node:net";
import { quote } from "@fanfare/protocol";
import { UsageError } from "../../base/usage-error.js";
import { MAX_HEADER_BYTES, refuseMalformed } from "./malformed-requests.js";

/** A connection that does not finish its request headers in this time is closed. */
const HEADERS_TIMEOUT_MS = 10_000;
/** Longer than load balancers keep connections, 60 seconds mostly: they would send a request on one that is being closed. */
const DEFAULT_KEEP_ALIVE_SECONDS = 75;

/**
 * @param keepAliveSeconds a connection without a request is closed after this time
 * @throws UsageError when the port is taken or not allowed, or the host is no address of this machine
 */
export function listen(
  port: number,
  host: string,
  listener: RequestListener,
  keepAliveSeconds = DEFAULT_KEEP_ALIVE_SECONDS,
): Promise<Server> {
  const server = createServer(
    {
      // It runs from the first byte of a request on: a connection that is kept may be idle for longer.
      headersTimeout: HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: 2000,
      keepAliveTimeout: keepAliveSeconds * 1000,
      maxHeaderSize: MAX_HEADER_BYTES,
      // Node's own answer would say nothing.
      requireHostHeader: false,
    },
    listener,
  );
  server.on("clientError", refuseMalformed);
  const sockets = new Set<Socket>();
  socketsOf.set(server, sockets);
  // One listener for all sockets, as a closure for each would cost every idle connection some 250 bytes.
  function closed(this: Socket): void {
    sockets.delete(this);
  }
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", closed);
  });
  return new Promise((resolve, reject) => {
    const refuse = (error: Error) => reject(explain(error, port, host));
    server.once("error", refuse);
    server.listen(port, host, () => {
      server.off("error", refuse);
      resolve(server);
    });
  });
}

/** Listens where the configuration says. @throws UsageError as {@link listen} */
export async function listenAt(
  {
    host,
    port,
    keepAliveSeconds,
  }: { readonly host: string; readonly port: number; readonly keepAliveSeconds: number },
  listener: RequestListener,
): Promise<Server> {
  try {
    return await listen(port, host, listener, keepAliveSeconds);
  } catch (error) {
    // `fanfare dev` tries an address that may not be there; here it was asked for.
    if (codeOf(error) === "EADDRNOTAVAIL") throw hostUnknown(host, "is no address of this machine");
    throw error;
  }
}

const socketsOf = new WeakMap<Server, Set<Socket>>();

/** Ends a server and all connections that it has, upgraded ones included. Its port is free when this resolves. */
export function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((done) => server.close(() => done()));
  for (const socket of socketsOf.get(server) ?? []) socket.destroy();
  return closed;
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

function hostUnknown(host: string, why: string): UsageError {
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
