/** What is read from the hub, the engine and the process for the metrics: everything at once, so that the figures belong together. */
import type { EngineStats } from "../engine/engine.js";
import type { Hub } from "../hub/hub.js";
import { connectionStanding } from "../hub/standing.js";

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

export function readAll(hub: Hub, engine: EngineStats): Reading {
  let subscriptions = 0;
  let mostSubscriptions = 0;
  let lagging = 0;
  let furthestBehind = 0;
  const byDoor = new Map<string, number>();
  for (const connection of hub.connections.values()) {
    const { door } = connection.subscriber;
    byDoor.set(door, (byDoor.get(door) ?? 0) + 1);
    const { size } = connection.subscriptions;
    subscriptions += size;
    mostSubscriptions = Math.max(mostSubscriptions, size);
    if (!connection.behind) continue;
    const standing = connectionStanding(connection);
    lagging += standing.lagging;
    furthestBehind = Math.max(furthestBehind, standing.furthestBehind);
  }
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
