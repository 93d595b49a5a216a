/** The engine that the configuration of `fanfare start` asks for. */
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { Log } from "../../base/log.js";
import { type Config, processesOf } from "../../config/schema.js";
import { DiskEngine } from "../../engine/disk/disk-engine.js";
import { SPACES_FILE } from "../../engine/memory/spaces-file.js";
import { engineLimits } from "../../library/engines.js";
import { memoryThere } from "../../library/memory-meter.js";
import { partOf } from "../../library/memory-plan.js";

/** The disk engine; `undefined` where channels are in memory. @throws FanfareError `data_dir_in_use`, `unavailable` */
export async function durableEngineOf(
  { engine: kind, dataDir, limits }: Config,
  logger: Log,
): Promise<DiskEngine | undefined> {
  if (kind !== "disk") return undefined;
  const engine = await DiskEngine.open({ dataDir, logger, ...engineLimits(limits) });
  if (existsSync(join(dataDir, SPACES_FILE))) {
    const remedy =
      "Make the keys again, log out the users again, and remove the file; or start with --engine memory.";
    logger.warn(
      { remedy },
      `keys and revocations in ${SPACES_FILE} are of the engine memory, and not in force`,
    );
  }
  return engine;
}

/** Logs the available memory, and how it is divided. */
export function tellPlan(config: Config, logger: Log): void {
  const processes = processesOf(config, availableParallelism());
  const { heapLimit, total } = partOf(memoryThere(), processes);
  const { historyBytes, windowBytes, waitingBytes, bodyBytes, idempotencyKeys, sessions, stubs } =
    config.limits;
  const chosen = { historyBytes, windowBytes, waitingBytes, bodyBytes, idempotencyKeys, sessions, stubs };
  const message =
    processes === 1
      ? "memory: what there is, and the limits that go by it"
      : "memory: what there is for each process, and the limits that go by it";
  logger.info({ processes, heapLimit, total, ...chosen }, message);
}
