/** `fanfare start`: the server for real use. A client needs a key or a token; the configuration says what others may do. */
import cluster from "node:cluster";
import { availableParallelism } from "node:os";
import { defineCommand } from "citty";
import { ACCESS_SPACE, hasStoredKeys } from "../../access/store/store.js";
import { silentLog } from "../../base/log.js";
import { VERSION } from "../../base/package.js";
import type { InForce } from "../../config/config.js";
import { reloadable } from "../../config/reloading.js";
import { processesOf, workersOf } from "../../config/schema.js";
import { SpacesFile } from "../../engine/memory/spaces-file.js";
import { RemoteEngine } from "../../engine/remote/remote-engine.js";
import { createFanfare } from "../../library/fanfare.js";
import { memoryThere, processMeter } from "../../library/memory-meter.js";
import { partOf, planMemory } from "../../library/memory-plan.js";
import { banner } from "../serving/banner.js";
import { durableEngineOf, tellPlan } from "../serving/engine.js";
import { maxOpenFiles, tooFewFiles } from "../serving/file-descriptors.js";
import { onHangUp } from "../serving/hang-up.js";
import { listenAt, nothingHere, portOf } from "../serving/http-server.js";
import { lead } from "../serving/lead.js";
import { rehearse } from "../serving/rehearsal.js";
import { stopOnSignal } from "../serving/serving.js";
import { hasStarted } from "../serving/starting.js";
import { checkArguments } from "../shared/arguments.js";
import { configuration, configurationArguments } from "../shared/configuration.js";
import { tellErrors } from "../shared/errors.js";
import { createLogger } from "../shared/logger.js";
import { keyMissing, keysWereMade, someMayPublish } from "../shared/publishers.js";

export const start = defineCommand({
  meta: {
    name: "start",
    description: "Runs the server: clients need an API key or a token, or what the option anonymous allows.",
  },
  args: configurationArguments,
  run: (context) =>
    tellErrors("start", async () => {
      checkArguments(context, configurationArguments);
      const read = () => configuration(context.args);
      await serve(await read(), read);
    }),
});

/** @param again reads the configuration anew */
async function serve(inForce: InForce, again: () => Promise<InForce>): Promise<void> {
  const { config } = inForce;
  // The process that has the channels has looked already.
  const isWorker = cluster.isWorker;
  if (!isWorker && !(await someMayPublish(config, () => keysWereMade(config)))) throw keyMissing();
  const logger = await createLogger(config.logLevel, isWorker ? { worker: cluster.worker?.id } : {});
  if (!isWorker && workersOf(config, availableParallelism()) > 1) return await lead(inForce, again, logger);

  const { host, port, logLevel, shutdownSeconds, keepAliveSeconds, socketio, workers, ...options } = config;
  const { engine: kind, ...given } = options;
  const engine = isWorker
    ? await RemoteEngine.open({ folder: config.dataDir, logger })
    : await durableEngineOf(config, logger);
  const space = (engine ?? new SpacesFile(config.dataDir, silentLog)).space(ACCESS_SPACE);
  const processes = processesOf(config, availableParallelism());
  if (!isWorker) tellPlan(config, logger);
  await rehearse();
  const fanfare = createFanfare({
    ...given,
    logger,
    ...(engine && { engine }),
    ...(socketio.path !== "" && { socketio }),
    memory: { meter: processMeter, room: planMemory(partOf(memoryThere(), processes)) },
  });
  const server = await listenAt(config, nothingHere(`Fanfare is at ${fanfare.path}`));
  fanfare.attach(server);
  // Node raises the limit as far as it may before this runs.
  const tooFew = tooFewFiles(maxOpenFiles(), options.limits.connections);
  if (tooFew) logger.warn({ remedy: tooFew.remedy }, tooFew.message);
  stopOnSignal({ fanfare, servers: [server], engine, logger, stopWithinMs: shutdownSeconds * 1000 });
  onHangUp(logger, config, again, async (next) => {
    if (!(await someMayPublish(next, () => hasStoredKeys(space)))) throw keyMissing();
    fanfare.reload(reloadable(next));
  });
  hasStarted();
  if (isWorker) return;
  const { path } = fanfare;
  logger.info({ version: VERSION, host, port: portOf(server), path, engine: kind }, "Fanfare has started");
  // Last: a reader of this line may send signals.
  process.stdout.write(banner(portOf(server), inForce));
}
