/** `fanfare dev`: a server to try things out. Everybody may do everything, so it listens on this machine only. */
import { defineCommand } from "citty";
import { createFanfare } from "../fanfare.js";
import { checkNoOthers, parsePort } from "./arguments.js";
import { tellErrors } from "./errors.js";
import { createLogger, levelOfEnvironment } from "./logger.js";
import { listenOnLoopback } from "./loopback.js";
import { barePage, folder } from "./pages.js";
import { rehearse } from "./rehearsal.js";
import { stopOnSignal } from "./serving.js";

/** How long clients are given to leave when the server is told to stop. */
const STOP_WITHIN_MS = 10_000;
/** Whoever tries things out may look at who is there, on whatever channel. */
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
} as const;

export const dev = defineCommand({
  meta: {
    name: "dev",
    description: "Runs a server to try things out, on this machine only, open to everybody.",
  },
  args,
  run: (context) =>
    tellErrors("dev", async () => {
      const { port, path, serve: pages } = context.args;
      checkNoOthers(context.rawArgs, context.args._, Object.keys(args));
      await serve(parsePort(port), path, pages);
    }),
});

async function serve(port: number, path: string, pages: string | undefined): Promise<void> {
  const logger = createLogger(levelOfEnvironment());
  await rehearse();
  const fanfare = createFanfare({ path, access: "open", loopbackOnly: true, rules: RULES, logger });
  const servers = await listenOnLoopback(port, pages === undefined ? barePage(fanfare.path) : folder(pages));
  for (const server of servers.all) fanfare.attach(server);
  process.stdout.write(banner(servers.port, fanfare.path));
  stopOnSignal({ fanfare, servers: servers.all, logger, stopWithinMs: STOP_WITHIN_MS });
}

function banner(port: number, path: string): string {
  const site = `http://localhost:${port}`;
  return `
Fanfare is running, on this machine only. Stop it with Ctrl-C.

  Page       ${site}/
  WebSocket  ws://localhost:${port}${path}
  Health     ${site}${path}/health

Open the page, then publish from another terminal:

  curl ${site}${path}/channels/hello/messages -d '{"data": "Hello, world"}'

`;
}
