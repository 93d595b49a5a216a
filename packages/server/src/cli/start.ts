/** `fanfare start`: the server for real use. Whoever publishes needs a key or a token; who may listen is configured. */
import { isIP } from "node:net";
import { defineCommand } from "citty";
import type { InForce } from "../config/config.js";
import { needRestart, RELOADED, reloadable } from "../config/reloading.js";
import type { Config } from "../config/schema.js";
import { DiskEngine } from "../engine/disk/disk-engine.js";
import { engineLimits } from "../engines.js";
import { createFanfare, type Fanfare } from "../fanfare.js";
import { checkArguments } from "./arguments.js";
import { configuration, configurationArguments } from "./configuration.js";
import { tellErrors } from "./errors.js";
import { maxOpenFiles, tooFewFiles } from "./file-descriptors.js";
import { isGuarded, keyMissing } from "./guarded.js";
import { codeOf, hostUnknown, listen, nothingHere, portOf } from "./http-server.js";
import { createLogger } from "./logger.js";
import { rehearse } from "./rehearsal.js";
import { stopOnSignal } from "./serving.js";

export const start = defineCommand({
  meta: {
    name: "start",
    description:
      "Runs the server: publishing needs an API key, and listening a token where tokens are accepted.",
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
  const { host, port, logLevel, shutdownSeconds, engine: kind, socketio, ...options } = inForce.config;
  if (!isGuarded(inForce.config)) throw keyMissing();
  const logger = await createLogger(logLevel);
  const engine =
    kind === "disk"
      ? await DiskEngine.open({ dataDir: options.dataDir, ...engineLimits(options.limits) })
      : undefined;
  await rehearse();
  const fanfare = createFanfare({
    ...options,
    logger,
    ...(engine && { engine }),
    ...(socketio.path !== "" && { socketio }),
  });
  const server = await listen(port, host, nothingHere(`Fanfare is at ${fanfare.path}`)).catch(
    (error: unknown) => {
      // `fanfare dev` tries an address that may not be there; here it was asked for.
      if (codeOf(error) === "EADDRNOTAVAIL") throw hostUnknown(host, "is no address of this machine");
      throw error;
    },
  );
  fanfare.attach(server);
  // Node raises the limit as far as it may before this runs.
  const tooFew = tooFewFiles(maxOpenFiles(), options.limits.connections);
  if (tooFew) logger.warn({ remedy: tooFew.remedy }, tooFew.message);
  stopOnSignal({ fanfare, servers: [server], engine, logger, stopWithinMs: shutdownSeconds * 1000 });
  process.on("SIGHUP", () => {
    reload(fanfare, again).then(
      (next) => {
        logger.info({}, `SIGHUP: these are as the configuration says now: ${RELOADED.join(", ")}`);
        const others = needRestart(inForce.config, next);
        if (others.length === 0) return;
        const remedy = "Restart the server to take over what was changed.";
        logger.warn({ remedy }, `SIGHUP: changed, and still as it was: ${others.join(", ")}`);
      },
      (error: unknown) => logger.error({ err: error }, "SIGHUP: nothing was changed"),
    );
  });
  // Last: whoever reads this may send signals.
  process.stdout.write(banner(siteOf(host, portOf(server)), inForce));
}

/** Takes over what can be changed while clients are connected. @returns the configuration as it is written now */
async function reload(fanfare: Fanfare, again: () => Promise<InForce>): Promise<Config> {
  const { config } = await again();
  if (!isGuarded(config)) throw keyMissing();
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
