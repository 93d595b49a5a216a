/** Every option of `fanfare start`: its type, its default, and what it is for. Everything else is made from this. */
import { isIP } from "node:net";
import { z } from "zod";
import { entranceOptions } from "../access/entrance.js";
import { originOptions } from "../access/origins.js";
import { accessOptions } from "../access/settings.js";
import { described } from "../base/option.js";
import { inFile } from "../base/option-kinds.js";
import { SOCKET_IO } from "../doors/socketio/options.js";
import { DEFAULT_DATA_DIR } from "../engine/disk/disk-options.js";
import { placeOptions, reloadOptions } from "../library/options.js";

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

const MAX_WORKERS = 256;

export const configSchema = z.strictObject({
  host: described(
    z
      .string()
      .refine((host) => isIP(host) > 0 || /^[A-Za-z0-9._-]+$/.test(host))
      .default("127.0.0.1"),
    {
      text: "Address to listen on. The default can be reached from this machine only, such as by a proxy on it; `0.0.0.0` is all IPv4 addresses, `::` all addresses.",
      allowed: "an IP address or host name of this machine, without port",
      flag: "address",
    },
  ),
  port: described(z.int().min(0).max(65_535).default(3030), {
    text: "Port to listen on; 0 takes any free one.",
    allowed: "a whole number from 0 to 65535",
    flag: "number",
  }),
  path: placeOptions.path,
  reservedPaths: placeOptions.reservedPaths,
  ...inFile(originOptions),
  trustedProxies: entranceOptions.trustedProxies,
  ...inFile(accessOptions),
  socketio: SOCKET_IO.prefault({}),
  dataDir: described(z.string().min(1).default(DEFAULT_DATA_DIR), {
    text: "Folder for what has to outlive the process: the channels of the disk engine, keys that are made while it runs, and what was revoked. It is made when it is needed, belongs to one process, and has to be on a local disk.",
    allowed: "a folder that the server may write to",
    flag: "folder",
  }),
  engine: described(z.enum(["disk", "memory"]).default("disk"), {
    text: "Where channels are kept. With `disk`, what was acknowledged outlives the process; with `memory`, nothing does.",
    allowed: "disk or memory",
    flag: "engine",
  }),
  workers: described(z.union([z.literal("auto"), z.int().min(1).max(MAX_WORKERS)]).default(1), {
    text: "Processes that serve clients, each on a core of its own; `auto` is one for each core. With more than one, another process has the channels, and the memory is divided between all.",
    allowed: `a whole number from 1 to ${MAX_WORKERS}, or auto`,
    flag: "number",
    fromText: (text) => (/^\d+$/.test(text) ? Number(text) : text),
    asText: "a number, or auto",
  }),
  rules: reloadOptions.rules,
  limits: placeOptions.limits,
  rates: entranceOptions.rates,
  logLevel: described(z.enum(LOG_LEVELS).default("info"), {
    text: "The lowest level that is logged, to standard error: JSON lines, or readable ones on a terminal.",
    allowed: `one of ${LOG_LEVELS.join(", ")}`,
  }),
  keepAliveSeconds: described(z.number().min(1).max(3600).default(75), {
    text: "How long an HTTP connection without a request is kept. It has to be longer than a proxy or load balancer in front keeps it, mostly 60 seconds. Otherwise requests fail with 502 now and then.",
    allowed: "a number from 1 to 3600",
    unit: "seconds",
  }),
  shutdownSeconds: described(z.number().min(0).max(600).default(10), {
    text: "How long clients have to leave when the server is told to stop. Then it cuts off every connection, its port and its folder are free, and the process ends. A second signal ends it at once, with exit code 1.",
    allowed: "a number from 0 to 600",
    unit: "seconds",
  }),
});

/** How many processes serve clients. @param cores of this machine */
export function workersOf({ workers }: Pick<Config, "workers">, cores: number): number {
  return workers === "auto" ? Math.min(cores, MAX_WORKERS) : workers;
}

/** The processes of a server: its workers and, where there are several, the one that has the channels. */
export function processesOf(config: Pick<Config, "workers">, cores: number): number {
  const workers = workersOf(config, cores);
  return workers === 1 ? 1 : workers + 1;
}

/** Everything that is in force. */
export type Config = z.output<typeof configSchema>;
