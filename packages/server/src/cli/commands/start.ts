/** `fanfare start`: the server for real use. A client needs a key or a token; the configuration says what others may do. */
import { existsSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import { defineCommand } from "citty";
import { ACCESS_SPACE, hasStoredKeys } from "../../access/store/store.js";
import { type Log, silentLog } from "../../base/log.js";
import { VERSION } from "../../base/package.js";
import type { InForce } from "../../config/config.js";
import { changesOf, reloadable } from "../../config/reloading.js";
import type { Config } from "../../config/schema.js";
import { DiskEngine } from "../../engine/disk/disk-engine.js";
import { SPACES_FILE, SpacesFile } from "../../engine/memory/spaces-file.js";
import { engineLimits } from "../../library/engines.js";
import { createFanfare, type Fanfare } from "../../library/fanfare.js";
import { memoryThere } from "../../library/memory-meter.js";
import { maxOpenFiles, tooFewFiles } from "../serving/file-descriptors.js";
import { codeOf, hostUnknown, listen, nothingHere, portOf } from "../serving/http-server.js";
import { rehearse } from "../serving/rehearsal.js";
import { stopOnSignal } from "../serving/serving.js";
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
  const {
    host,
    port,
    logLevel,
    shutdownSeconds,
    keepAliveSeconds,
    engine: kind,
    socketio,
    ...options
  } = inForce.config;
  if (!(await someMayPublish(inForce.config, () => keysWereMade(inForce.config)))) throw keyMissing();
  const logger = await createLogger(logLevel);
  const engine =
    kind === "disk"
      ? await DiskEngine.open({ dataDir: options.dataDir, logger, ...engineLimits(options.limits) })
      : undefined;
  if (engine && existsSync(join(options.dataDir, SPACES_FILE))) {
    const remedy =
      "Make the keys again, log out the users again, and remove the file; or start with --engine memory.";
    logger.warn(
      { remedy },
      `keys and revocations in ${SPACES_FILE} are of the engine memory, and not in force`,
    );
  }
  const space = (engine ?? new SpacesFile(options.dataDir, silentLog)).space(ACCESS_SPACE);
  tellPlan(inForce.config, logger);
  await rehearse();
  const fanfare = createFanfare({
    ...options,
    logger,
    ...(engine && { engine }),
    ...(socketio.path !== "" && { socketio }),
  });
  const server = await listen(
    port,
    host,
    nothingHere(`Fanfare is at ${fanfare.path}`),
    keepAliveSeconds,
  ).catch((error: unknown) => {
    // `fanfare dev` tries an address that may not be there; here it was asked for.
    if (codeOf(error) === "EADDRNOTAVAIL") throw hostUnknown(host, "is no address of this machine");
    throw error;
  });
  fanfare.attach(server);
  // Node raises the limit as far as it may before this runs.
  const tooFew = tooFewFiles(maxOpenFiles(), options.limits.connections);
  if (tooFew) logger.warn({ remedy: tooFew.remedy }, tooFew.message);
  stopOnSignal({ fanfare, servers: [server], engine, logger, stopWithinMs: shutdownSeconds * 1000 });
  let running = inForce.config;
  // One after the other, or the older file of two might win.
  let reloading = Promise.resolve();
  process.on("SIGHUP", () => {
    reloading = reloading
      .then(() => reload(fanfare, again, () => hasStoredKeys(space)))
      .then((next) => {
        const { taken, needRestart } = changesOf(running, next);
        running = { ...running, ...reloadable(next) };
        // Names only: values may be secrets.
        logger.info(
          { changed: taken },
          `SIGHUP: ${taken.length > 0 ? `changed ${taken.join(", ")}` : "nothing to change"}`,
        );
        if (needRestart.length === 0) return;
        const remedy = "Restart the server to take over what was changed.";
        logger.warn({ remedy }, `SIGHUP: changed, and still as it was: ${needRestart.join(", ")}`);
      })
      .catch((error: unknown) => logger.error({ err: error }, "SIGHUP: nothing was changed"));
  });
  const { path } = fanfare;
  logger.info({ version: VERSION, host, port: portOf(server), path, engine: kind }, "Fanfare has started");
  // Last: a reader of this line may send signals.
  process.stdout.write(banner(siteOf(host, portOf(server)), inForce));
}

/** Logs the available memory, and how it is divided. */
function tellPlan({ limits }: Config, logger: Log): void {
  const { heapLimit, total } = memoryThere();
  const { historyBytes, windowBytes, waitingBytes, bodyBytes, idempotencyKeys, sessions, stubs } = limits;
  const chosen = { historyBytes, windowBytes, waitingBytes, bodyBytes, idempotencyKeys, sessions, stubs };
  logger.info({ heapLimit, total, ...chosen }, "memory: what there is, and the limits that go by it");
}

/** Takes over what can be changed while clients are connected. @returns the configuration as it is written now */
async function reload(
  fanfare: Fanfare,
  again: () => Promise<InForce>,
  hasKeys: () => Promise<boolean>,
): Promise<Config> {
  const { config } = await again();
  if (!(await someMayPublish(config, hasKeys))) throw keyMissing();
  fanfare.reload(reloadable(config));
  return config;
}

function banner(site: string, { config, file }: InForce): string {
  const { path, socketio } = config;
  const other = socketio.path === "" ? "" : `  Socket.IO  ${site}${socketio.path}\n`;
  return `
Fanfare is running. Stop it with SIGTERM or Ctrl-C.

  WebSocket  ${site.replace("http", "ws")}${path}
${other}  Health     ${site}${path}/health
  In force   ${summaryOf(config)}
  From       ${file ?? "no configuration file"}; fanfare config shows every option

Publish with an API key, here in FANFARE_API_KEY:

  curl ${site}${path}/channels/hello/messages -H "Authorization: Bearer $FANFARE_API_KEY" -d '{"data": "Hello, world"}'

`;
}

function summaryOf({ host, engine, dataDir, allowedOrigins, apiKeys, rules, limits }: Config): string {
  return [
    `listens on ${host}`,
    engine === "disk" ? `channels in ${dataDir}` : "channels in memory",
    counted(apiKeys.length, "API key"),
    `pages of ${["the same host", ...allowedOrigins.slice(0, 3)].join(", ")}${allowedOrigins.length > 3 ? " …" : ""}`,
    counted(rules.length, "rule"),
    `up to ${limits.connections} connections`,
  ].join(" · ");
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

/** An address under which this machine reaches itself. */
function siteOf(host: string, port: number): string {
  const all = host === "0.0.0.0" || host === "::";
  const name = all ? "localhost" : isIP(host) === 6 ? `[${host}]` : host;
  return `http://${name}:${port}`;
}
