/** The words of `fanfare start` when it runs. */
import { isIP } from "node:net";
import { availableParallelism } from "node:os";
import type { InForce } from "../../config/config.js";
import { type Config, workersOf } from "../../config/schema.js";

/** @param port at which it listens */
export function banner(port: number, { config, file }: InForce): string {
  const site = siteOf(config.host, port);
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

function summaryOf(config: Config): string {
  const { host, engine, dataDir, allowedOrigins, apiKeys, rules, limits } = config;
  const workers = workersOf(config, availableParallelism());
  return [
    `listens on ${host}`,
    engine === "disk" ? `channels in ${dataDir}` : "channels in memory",
    counted(apiKeys.length, "API key"),
    `pages of ${["the same host", ...allowedOrigins.slice(0, 3)].join(", ")}${allowedOrigins.length > 3 ? " …" : ""}`,
    counted(rules.length, "rule"),
    workers === 1
      ? `up to ${limits.connections} connections`
      : `${workers} workers, each up to ${limits.connections} connections`,
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
