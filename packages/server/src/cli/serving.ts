/** A server that runs until a signal stops it, in good order: clients are told to come back, then connections are closed. */
import type { Server } from "node:http";
import type { Engine } from "../engine/engine.js";
import type { Fanfare } from "../fanfare.js";
import type { Log } from "../log.js";

export interface Serving {
  readonly fanfare: Fanfare;
  readonly servers: readonly Server[];
  /** What outlives the process; closed last. */
  readonly engine?: Engine | undefined;
  readonly logger: Log;
  /** How long clients are given to leave. */
  readonly stopWithinMs: number;
}

/** Stops once, in good order; at a second signal at once. Ends the process with 0 when it stopped as it should. */
export function stopOnSignal(serving: Serving): void {
  let stopping = false;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (stopping) process.exit(1);
      stopping = true;
      stop(serving).then(
        () => process.exit(0),
        (error: unknown) => {
          serving.logger.error({ err: error }, "stopping failed");
          process.exit(1);
        },
      );
    });
  }
}

async function stop({ fanfare, servers, engine, logger, stopWithinMs }: Serving): Promise<void> {
  logger.info({}, "stopping");
  await fanfare.close({ withinMs: stopWithinMs });
  await Promise.all(
    servers.map((server) => {
      const closed = new Promise<void>((done) => server.close(() => done()));
      server.closeAllConnections();
      return closed;
    }),
  );
  await engine?.close();
}
