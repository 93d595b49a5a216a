/** HTTP servers on the loopback addresses of this machine: IPv4, and IPv6 where there is one. */
import { createServer, type RequestListener, type Server } from "node:http";
import { UsageError } from "./arguments.js";

export interface LoopbackServers {
  readonly all: readonly Server[];
  readonly port: number;
}

/** A connection that does not finish its request headers is closed after so long. */
const HEADERS_TIMEOUT_MS = 10_000;
/** A port that is free on one address may be taken on the other; then another free one is looked for. */
const TRIES = 10;

/**
 * Listens on 127.0.0.1 and, if the machine has it, on ::1.
 *
 * @param port 0 takes any free one
 * @throws UsageError when the port is taken or not allowed
 */
export async function listenOnLoopback(port: number, listener: RequestListener): Promise<LoopbackServers> {
  for (let tries = 1; port === 0 && tries < TRIES; tries++) {
    try {
      return await listenOnBoth(port, listener);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
    }
  }
  return listenOnBoth(port, listener);
}

async function listenOnBoth(port: number, listener: RequestListener): Promise<LoopbackServers> {
  const first = await listen(port, "127.0.0.1", listener);
  const address = first.address();
  const chosen = typeof address === "object" && address ? address.port : port;
  try {
    return { all: [first, await listen(chosen, "::1", listener)], port: chosen };
  } catch (error) {
    if (codeOf(error) === "EADDRNOTAVAIL" || codeOf(error) === "EAFNOSUPPORT")
      return { all: [first], port: chosen };
    first.close();
    throw error;
  }
}

function listen(port: number, host: string, listener: RequestListener): Promise<Server> {
  const server = createServer(
    { headersTimeout: HEADERS_TIMEOUT_MS, connectionsCheckingInterval: 2000 },
    listener,
  );
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(explain(error, port)));
    server.listen(port, host, () => resolve(server));
  });
}

function explain(error: Error, port: number): Error {
  switch (codeOf(error)) {
    case "EADDRINUSE":
      return new UsageError(
        `port ${port} is taken`,
        "Stop what uses it, or choose another, such as --port 3031.",
      );
    case "EACCES":
      return new UsageError(`port ${port} may not be used`, "Choose a port above 1023, such as --port 3030.");
    default:
      return error;
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
