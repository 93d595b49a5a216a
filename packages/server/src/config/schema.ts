/** Every option of `fanfare start`: its type, its default, and what it is for. Everything else is made from this. */
import { isIP } from "node:net";
import { z } from "zod";
import { Addresses } from "../access/grants/addresses.js";
import { sameOrigin } from "../access/origins.js";
import { RATES } from "../access/rates/rate-options.js";
import { silentLog } from "../base/log.js";
import { described } from "../base/option.js";
import { checkPath } from "../base/path.js";
import { DEFAULT_DATA_DIR } from "../engine/disk/disk-options.js";
import { LIMITS } from "../hub/terms/limits.js";
import { DEFAULT_PRESENCE, DEFAULT_RULE, Rules } from "../hub/terms/rules.js";
import { accessOptions } from "./access-schema.js";
import { explain } from "./explain.js";
import { socketIoOptions } from "./socketio-schema.js";

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

const rule = z.strictObject({
  channels: described(z.string(), {
    text: "The channels that it is for. `*` stands for one segment, `**` for one or more at the end. The most specific pattern wins, whole.",
    allowed: "a pattern such as order:*, ticker:** or broadcast",
  }),
  history: described(z.int().min(0).max(100_000).exactOptional(), {
    text: `How many messages the log keeps. Default ${DEFAULT_RULE.retention.messages}.`,
    allowed: "a whole number from 0 to 100000",
  }),
  historySeconds: described(z.number().positive().exactOptional(), {
    text: `How long the log keeps a message. Default ${DEFAULT_RULE.retention.ageMs / 1000}.`,
    allowed: "a number above 0",
    unit: "seconds",
  }),
  maxRate: described(z.number().positive().max(1000).exactOptional(), {
    text: "The most writes per second to each subscriber. Default: no limit.",
    allowed: "a number above 0 and up to 1000",
    unit: "writes per second",
  }),
  events: described(z.enum(["all", "latest"]).exactOptional(), {
    text: "`latest` delivers only the newest message per event name of what waits. Default `all`.",
    allowed: "all or latest",
  }),
  durability: described(z.enum(["engine", "memory"]).exactOptional(), {
    text: "`memory` takes the channels out of a durable engine. Default `engine`.",
    allowed: "engine or memory",
  }),
  auto: described(z.boolean().exactOptional(), {
    text: "Subscribes every connection without being asked; only for a pattern that names one channel. Default `false`.",
    allowed: "true or false",
  }),
  presence: described(
    z
      .union([
        z.boolean(),
        z.strictObject({
          maxListed: z.number().exactOptional(),
          intervalSeconds: z.number().exactOptional(),
        }),
      ])
      .exactOptional(),
    {
      text: `Follows who is subscribed, and tells subscribers with the action \`presence\`. \`maxListed\`: with more members, only their count is told (default ${DEFAULT_PRESENCE.maxListed}). \`intervalSeconds\`: the server sends the changes of this many seconds as one frame (default ${DEFAULT_PRESENCE.intervalMs / 1000}). Default \`false\`.`,
      allowed: "true, false, or an object with maxListed (0 to 100000) and intervalSeconds (0.1 to 60)",
    },
  ),
});

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
  path: described(
    z
      .string()
      .superRefine((path, context) => explain(context, () => checkPath(path)))
      .default("/push"),
    {
      text: "Path under which everything is served.",
      allowed: "a path such as /push: segments of letters, digits and -._~",
      flag: "path",
    },
  ),
  reservedPaths: described(z.union([z.literal("mendix"), z.array(z.string().min(1))]).default([]), {
    text: "First segments that the application behind the same host name keeps for itself, so that `path` may not begin with them.",
    allowed: 'a list of names, or "mendix" for those of Mendix',
    fromText: (text) => (text === "mendix" ? text : listed(text)),
    asText: "names separated by commas, or mendix",
  }),
  allowedOrigins: described(z.array(z.string().refine(isOrigin)).default([]), {
    text: "Origins whose pages may connect, besides the host that Fanfare is reached by. `null` and `*` are not possible.",
    allowed: "scheme, host and port only, such as https://app.example.com",
  }),
  publicUrl: described(
    z
      .string()
      .superRefine((publicUrl, context) => explain(context, () => sameOrigin({ publicUrl })))
      .default(""),
    {
      text: "Where browsers reach this server. Then they have to call it so, and their pages have to come from there or from `allowedOrigins`. Empty: the page's host has to be the host that it calls.",
      allowed: "scheme, host and port only, such as https://push.example.com",
    },
  ),
  allowedHosts: described(
    z
      .array(z.string())
      .superRefine((allowedHosts, context) => explain(context, () => sameOrigin({ allowedHosts })))
      .default([]),
    {
      text: "Further host names by which browsers may call this server.",
      allowed: "a host name, with its port where it is not 80 or 443",
    },
  ),
  trustedProxies: described(
    z
      .array(z.string())
      .superRefine((proxies, context) => explain(context, () => new Addresses(proxies, silentLog)))
      .default([]),
    {
      text: "Proxies in front of this server: what they say in `X-Forwarded-For` and `X-Forwarded-Host` is believed. Each of them has to set these headers itself.",
      allowed: "an address or a range, such as 10.0.0.7 or 10.0.0.0/8",
    },
  ),
  ...accessOptions,
  ...socketIoOptions,
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
  rules: described(
    z
      .array(rule)
      .superRefine((rules, context) => explain(context, () => new Rules(rules)))
      .default([]),
    {
      text: "Rules: options for the channels that match a pattern.",
      allowed: "a list of rules",
      fromText: (text) => JSON.parse(text) as unknown,
      asText: "the list as JSON",
    },
  ),
  limits: LIMITS.prefault({}),
  rates: RATES.prefault({}),
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

/** Everything that is in force. */
export type Config = z.output<typeof configSchema>;

/** A list as the text of an environment variable. */
export function listed(text: string): string[] {
  return text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

function isOrigin(origin: string): boolean {
  try {
    sameOrigin({ allowedOrigins: [origin] });
    return true;
  } catch {
    return false;
  }
}
