/** `fanfare dev`: a server to try things out. Everybody may do everything, so it listens on this machine only. */
import { defineCommand } from "citty";
import { VERSION } from "../../base/package.js";
import { createFanfare } from "../../library/fanfare.js";
import type { FanfareOptions } from "../../library/options.js";
import { listenOnLoopback } from "../serving/loopback.js";
import { barePage, folder } from "../serving/pages.js";
import { rehearse } from "../serving/rehearsal.js";
import { stopOnSignal } from "../serving/serving.js";
import { hasStarted } from "../serving/starting.js";
import { checkArguments, parsePort } from "../shared/arguments.js";
import { configuration } from "../shared/configuration.js";
import { tellErrors } from "../shared/errors.js";
import { createLogger, levelOfEnvironment } from "../shared/logger.js";

/** How long clients are given to leave when the server is told to stop. */
const STOP_WITHIN_MS = 10_000;
/** A client that tries things out may see the members of every channel. */
const RULES = [{ channels: "**", presence: true }];

const args = {
  port: {
    type: "string",
    default: "3030",
    description: "Port to listen on; 0 takes any free one",
    valueHint: "number",
  },
  path: {
    type: "string",
    default: "/push",
    description: "Path under which Fanfare is served",
    valueHint: "path",
  },
  serve: {
    type: "string",
    description: "Folder with pages of your own, served at / (default: one bare page)",
    valueHint: "folder",
  },
  config: {
    type: "string",
    description: "Configuration file of which rules, limits and socketio are taken (default: none)",
    valueHint: "file",
  },
} as const;

export const dev = defineCommand({
  meta: {
    name: "dev",
    description: "Runs a server to try things out, on this machine only, open to everybody.",
  },
  args,
  run: (context) =>
    tellErrors("dev", async () => {
      const { port, path, serve: pages, config } = context.args;
      checkArguments(context, args);
      await serve(parsePort(port), path, pages, await tried(config));
    }),
});

/** Of a configuration, what there is to try out: the rest is about keys, users and other machines. */
async function tried(file: string | undefined): Promise<FanfareOptions> {
  if (file === undefined) return {};
  const { rules, limits, socketio } = (await configuration({ config: file })).config;
  return { limits, ...(rules.length > 0 && { rules }), ...(socketio.path !== "" && { socketio }) };
}

async function serve(
  port: number,
  path: string,
  pages: string | undefined,
  options: FanfareOptions,
): Promise<void> {
  const logger = await createLogger(levelOfEnvironment());
  await rehearse();
  const fanfare = createFanfare({
    rules: RULES,
    ...options,
    path,
    access: "open",
    loopbackOnly: true,
    logger,
  });
  const servers = await listenOnLoopback(port, pages === undefined ? barePage(fanfare.path) : folder(pages));
  for (const server of servers.all) fanfare.attach(server);
  stopOnSignal({ fanfare, servers: servers.all, logger, stopWithinMs: STOP_WITHIN_MS });
  hasStarted();
  logger.info({ version: VERSION, port: servers.port, path: fanfare.path }, "Fanfare has started");
  process.stdout.write(banner(servers.port, fanfare.path, options.socketio?.path));
}

function banner(port: number, path: string, socketIo: string | undefined): string {
  const site = `http://localhost:${port}`;
  const door = socketIo === undefined ? "" : `\n  Socket.IO  ${site}${socketIo}`;
  return `
Fanfare is running, on this machine only. Stop it with Ctrl-C.

  Page       ${site}/
  WebSocket  ws://localhost:${port}${path}${door}
  Health     ${site}${path}/health

Open the page, then publish from another terminal:

  curl ${site}${path}/channels/hello/messages -d '{"data": "Hello, world"}'

`;
}
