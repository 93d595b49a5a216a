/** A server that runs until a signal stops it, in good order: clients are told to come back, then connections are closed. */
import cluster from "node:cluster";
import type { Server } from "node:http";
import type { Log } from "../../base/log.js";
import type { Engine } from "../../engine/engine.js";
import type { Fanfare } from "../../library/fanfare.js";
import { closeServer } from "./http-server.js";

/** The longest time for the rest of the shutdown, after clients and engines have had theirs. */
const LONGEST_STOP_MS = 10_000;

export interface Serving {
  readonly fanfare: Fanfare;
  readonly servers: readonly Server[];
  /** The engine that outlives the process; closed last. */
  readonly engine?: Engine | undefined;
  readonly logger: Log;
  /** How long clients are given to leave. */
  readonly stopWithinMs: number;
}

/** Stops once, in good order; at a second signal at once. Ends the process with 0 when it stopped as it should. */
export function stopOnSignal(serving: Serving): void {
  if (cluster.isWorker) stopWorkerOnSignal(serving);
  else endOnSignal(serving.logger, serving.stopWithinMs, () => stop(serving));
}

/**
 * The process that has the channels tells its workers to stop. Terminals and supervisors send the same signal to all processes of a server
 * at once, so a worker heeds SIGTERM alone, and once.
 */
function stopWorkerOnSignal(serving: Serving): void {
  process.on("SIGINT", () => {});
  process.once("SIGTERM", () => {
    process.on("SIGTERM", () => {});
    stop(serving).then(
      () => process.exit(0),
      (error: unknown) => {
        serving.logger.error({ err: error }, "stopping failed");
        process.exit(1);
      },
    );
  });
  process.on("disconnect", () => process.exit(1));
}

/** @param stopWithinMs how long `stop` may take, as far as clients are concerned */
export function endOnSignal(logger: Log, stopWithinMs: number, stop: () => Promise<void>): void {
  let stopping = false;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (stopping) process.exit(1);
      stopping = true;
      // The one timer that keeps the process alive: it must not end as if all were well.
      setTimeout(() => {
        logger.error({}, "stopping takes too long; the process ends all the same");
        process.exit(1);
      }, stopWithinMs + LONGEST_STOP_MS);
      stop().then(
        () => process.exit(0),
        (error: unknown) => {
          logger.error({ err: error }, "stopping failed");
          process.exit(1);
        },
      );
    });
  }
}

async function stop({ fanfare, servers, engine, logger, stopWithinMs }: Serving): Promise<void> {
  logger.info({}, "stopping");
  try {
    await fanfare.close({ withinSeconds: stopWithinMs / 1000 });
  } finally {
    await Promise.all(servers.map(closeServer));
    await engine?.close();
  }
}
