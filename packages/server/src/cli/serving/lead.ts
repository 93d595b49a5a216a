/** `fanfare start` with several workers: this process has the channels, and looks after the workers. */
import cluster from "node:cluster";
import { availableParallelism } from "node:os";
import { systemClock, systemRandom } from "../../base/clock.js";
import { Failures } from "../../base/failures.js";
import type { Log } from "../../base/log.js";
import { VERSION } from "../../base/package.js";
import type { InForce } from "../../config/config.js";
import { processesOf, workersOf } from "../../config/schema.js";
import { Rules } from "../../hub/terms/rules.js";
import { enginesOf } from "../../library/engines.js";
import { memoryThere } from "../../library/memory-meter.js";
import { partOf, planMemory } from "../../library/memory-plan.js";
import { banner } from "./banner.js";
import { durableEngineOf, tellPlan } from "./engine.js";
import { onHangUp } from "./hang-up.js";
import { closeServer, listenAt } from "./http-server.js";
import { Primary } from "./primary.js";
import { endOnSignal } from "./serving.js";
import { hasStarted } from "./starting.js";

const MiB = 1024 * 1024;
/** Beyond the time that clients have, workers have this to close. */
const CLOSE_WITHIN_MS = 7000;

/** @param again reads the configuration anew */
export async function lead(inForce: InForce, again: () => Promise<InForce>, logger: Log): Promise<void> {
  const { config } = inForce;
  const { host, port, path, engine: kind, dataDir, limits, shutdownSeconds } = config;
  const cores = availableParallelism();
  const [workers, part] = [workersOf(config, cores), partOf(memoryThere(), processesOf(config, cores))];
  const plan = planMemory(part);
  // Workers would find out, and each would say so.
  if (port !== 0) await closeServer(await listenAt(config, () => {}));
  const durable = await durableEngineOf(config, logger);
  tellPlan(config, logger);
  const rules = new Rules(config.rules);
  const { engine, ownEngine } = enginesOf(
    { engine: durable, allowIsolated: true, dataDir, logger },
    rules,
    limits,
    plan,
    systemClock,
    systemRandom,
    new Failures(logger),
    logger,
  );
  cluster.setupPrimary({
    execArgv: [...process.execArgv, `--max-old-space-size=${Math.ceil(part.heapLimit / MiB)}`],
  });
  const primary = await Primary.open({
    engine,
    folder: dataDir,
    workers,
    room: plan,
    clock: systemClock,
    log: logger,
    stopWithinMs: shutdownSeconds * 1000 + CLOSE_WITHIN_MS,
  });
  const stop = async (): Promise<void> => {
    await primary.stop();
    await ownEngine?.close();
    await durable?.close();
  };
  endOnSignal(logger, shutdownSeconds * 1000 + CLOSE_WITHIN_MS, stop);
  onHangUp(logger, config, again, async (next) => {
    const takeOver = rules.prepareOthers(next.rules);
    takeOver();
    primary.signal("SIGHUP");
  });
  hasStarted();
  primary.failed.catch((error: unknown) => {
    logger.error({ err: error }, "the workers do not start: see what they have logged");
    void stop().finally(() => process.exit(1));
  });
  const found = await primary.listening();
  const { pids } = primary;
  logger.info(
    { version: VERSION, host, port: found, path, engine: kind, workers: pids },
    "Fanfare has started",
  );
  // Last: a reader of this line may send signals.
  process.stdout.write(banner(found, inForce));
}
