/** `fanfare dev`: a server to try things out. Everybody may do everything, so it listens on this machine only. */
import { readFile } from "node:fs/promises";
import { defineCommand } from "citty";
import { createFanfare } from "../fanfare.js";
import { ReservedPathError } from "../http/path.js";
import { checkNoOthers, parsePort, UsageError } from "./arguments.js";
import { createLogger } from "./logger.js";
import { type LoopbackServers, listenOnLoopback } from "./loopback.js";

/** How long clients are given to leave when the server is told to stop. */
const STOP_WITHIN_MS = 10_000;

const PAGE = new URL("../../pages/dev.html", import.meta.url);

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
    description: "Path under which everything is served",
    valueHint: "path",
  },
} as const;

export const dev = defineCommand({
  meta: {
    name: "dev",
    description: "Runs a server to try things out, on this machine only, open to everybody.",
  },
  args,
  async run(context) {
    try {
      checkNoOthers(context.rawArgs, context.args._, Object.keys(args));
      await serve(parsePort(context.args.port), context.args.path);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      const remedy = "remedy" in error ? `\n${String(error.remedy)}` : "";
      process.stderr.write(`fanfare dev: ${error.message}${remedy}\n`);
      const called = [UsageError, ReservedPathError, TypeError].some((type) => error instanceof type);
      process.exitCode = called ? 2 : 1;
    }
  },
});

async function serve(port: number, path: string): Promise<void> {
  const logger = createLogger();
  const fanfare = createFanfare({ path, access: "open", loopbackOnly: true, logger });
  const page = (await readFile(PAGE, "utf8")).replaceAll("{{path}}", fanfare.path);
  const servers = await listenOnLoopback(port, (request, response) => {
    if (request.url === "/")
      response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" }).end(page);
    else
      response
        .writeHead(404, { "Content-Type": "text/plain" })
        .end("There is nothing here; the page is at /\n");
  });
  for (const server of servers.all) fanfare.attach(server);
  process.stdout.write(banner(servers.port, fanfare.path));
  stopOnSignal(async () => {
    logger.info({}, "stopping");
    await fanfare.close({ withinMs: STOP_WITHIN_MS });
    await stop(servers);
  });
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

/** Stops once, in good order; at a second signal at once. */
function stopOnSignal(stopAll: () => Promise<void>): void {
  let stopping = false;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (stopping) process.exit(1);
      stopping = true;
      void stopAll().then(() => process.exit(0));
    });
  }
}

async function stop(servers: LoopbackServers): Promise<void> {
  await Promise.all(
    servers.all.map((server) => {
      const closed = new Promise<void>((done) => server.close(() => done()));
      server.closeAllConnections();
      return closed;
    }),
  );
}
