/** HTTP servers on the loopback addresses of this machine: IPv4, and IPv6 where there is one. */
import type { RequestListener, Server } from "node:http";
import { UsageError } from "../../base/usage-error.js";
import { codeOf, listen, portOf } from "./http-server.js";

export interface LoopbackServers {
  readonly all: readonly Server[];
  readonly port: number;
}

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
  const chosen = portOf(first);
  try {
    return { all: [first, await listen(chosen, "::1", listener)], port: chosen };
  } catch (error) {
    if (codeOf(error) === "EADDRNOTAVAIL" || codeOf(error) === "EAFNOSUPPORT")
      return { all: [first], port: chosen };
    first.close();
    throw error;
  }
}
