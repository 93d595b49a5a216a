/**
 * The values that the metrics read from the hub, the engine and the process. Connections are read in slices, since there may be
 * many, then everything else at once, so that the figures belong together.
 */
import type { EngineStats } from "../engine/engine.js";
import { connectionDiagnostics } from "../hub/diagnostics.js";
import type { Hub } from "../hub/hub.js";

/** Everything that is read for one scrape. */
export interface Reading {
  readonly hub: ReturnType<Hub["stats"]>;
  readonly engine: EngineStats;
  readonly subscriptions: number;
  /** How many connections came through which door. */
  readonly byDoor: ReadonlyMap<string, number>;
  /** The most subscriptions that one connection has. */
  readonly mostSubscriptions: number;
  readonly lagging: number;
  readonly furthestBehind: number;
  readonly cpu: NodeJS.CpuUsage;
  readonly memory: NodeJS.MemoryUsage;
}

/** @throws FanfareError `unavailable` */
export async function readAll(hub: Hub): Promise<Reading> {
  let subscriptions = 0;
  let mostSubscriptions = 0;
  let lagging = 0;
  let furthestBehind = 0;
  const byDoor = new Map<string, number>();
  await hub.slices.each(hub.connections.values(), (connection) => {
    const { door } = connection.subscriber;
    byDoor.set(door, (byDoor.get(door) ?? 0) + 1);
    const { size } = connection.subscriptions;
    subscriptions += size;
    mostSubscriptions = Math.max(mostSubscriptions, size);
    if (!connection.behind) return;
    const diagnostics = connectionDiagnostics(connection);
    lagging += diagnostics.lagging;
    furthestBehind = Math.max(furthestBehind, diagnostics.furthestBehind);
  });
  const engine = (await hub.engine.stats?.()) ?? {};
  return {
    hub: hub.stats(),
    engine,
    subscriptions,
    byDoor,
    mostSubscriptions,
    lagging,
    furthestBehind,
    cpu: process.cpuUsage(),
    memory: process.memoryUsage(),
  };
}
