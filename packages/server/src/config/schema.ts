/** Every option of `fanfare start`: its type, its default, and what it is for. Everything else is made from this. */
import { isIP } from "node:net";
import { z } from "zod";
import { Addresses } from "../access/addresses.js";
import { sameOrigin } from "../access/origins.js";
import { DEFAULT_RATES, RATE_WINDOW_SECONDS, type RateOptions } from "../access/rate-options.js";
import { DEFAULT_DATA_DIR } from "../engine/disk/disk-options.js";
import { checkPath } from "../http/path.js";
import { DEFAULT_LIMITS, type Limits } from "../hub/limits.js";
import { DEFAULT_PRESENCE, DEFAULT_RULE, Rules } from "../hub/rules.js";
import { silentLog } from "../log.js";
import { accessOptions } from "./access-schema.js";
import { described } from "./description.js";
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
    text: "At most so many writes a second reach each subscriber. Default: no limit.",
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
          intervalMs: z.number().exactOptional(),
        }),
      ])
      .exactOptional(),
    {
      text: `Follows who is subscribed, and tells those who have the action \`presence\`. \`maxListed\`: with more members, only their count is told (default ${DEFAULT_PRESENCE.maxListed}). \`intervalMs\`: what changes within so many milliseconds travels as one frame (default ${DEFAULT_PRESENCE.intervalMs}). Default \`false\`.`,
      allowed: "true, false, or an object with maxListed (0 to 100000) and intervalMs (100 to 60000)",
    },
  ),
});

/** Every bound that there is has to be here, or this does not compile. */
const limits = {
  connections: limit("connections", 1, "Connections of all clients together; further ones are refused."),
  channels: limit("channels", 1, "Channels that have a log, a listener or both."),
  subscriptionsPerConnection: limit("subscriptionsPerConnection", 1, "Subscriptions of one connection."),
  locksPerConnection: limit(
    "locksPerConnection",
    0,
    "Locks that one connection holds, those of the session that it goes on with included.",
  ),
  messageBytes: limit("messageBytes", 1, "Size of the data of one message, as JSON.", "bytes"),
  stateBytes: limit(
    "stateBytes",
    1,
    "The largest state of a channel, and the largest patch: its size as JSON in UTF-8.",
    "bytes",
  ),
  historyBytes: limit("historyBytes", 0, "Room for all logs together, in memory or on the disk.", "bytes"),
  windowBytes: limit(
    "windowBytes",
    0,
    "Memory for what is kept ready of the logs and states that are listened to. States stay as long as they are; logs make room.",
    "bytes",
  ),
  waitingBytes: limit(
    "waitingBytes",
    0,
    "Memory for what waits in all connections together; beyond that the slowest are closed.",
    "bytes",
  ),
  idempotencyKeys: limit("idempotencyKeys", 0, "Idempotency keys that are remembered."),
  stubs: limit("stubs", 0, "Forgotten channels whose position is remembered."),
  sessionSeconds: limit(
    "sessionSeconds",
    0,
    "For how long a client that was cut off can resume its session.",
    "seconds",
  ),
  presenceMembers: limit(
    "presenceMembers",
    0,
    "Members that are present on all channels together, of all nodes; who comes when there are so many is not shown.",
  ),
} satisfies Record<keyof Limits, z.ZodType<number>>;

/** The same holds here. */
const rates = {
  connectsPerAddress: rate("connectsPerAddress", "Connections that one address opens."),
  connectsPerUser: rate("connectsPerUser", "Connections that one user opens."),
  framesPerConnection: rate("framesPerConnection", "Frames that one connection sends."),
  framesPerUser: rate("framesPerUser", "Frames and HTTP requests of one user."),
  framesPerAddress: rate("framesPerAddress", "Frames and HTTP requests from one address."),
  subscriptionsPerConnection: rate("subscriptionsPerConnection", "Subscriptions that one connection makes."),
  subscriptionsPerUser: rate("subscriptionsPerUser", "Subscriptions that one user makes."),
  subscriptionsPerAddress: rate("subscriptionsPerAddress", "Subscriptions that are made from one address."),
  publishesPerConnection: rate("publishesPerConnection", "Messages that one connection publishes."),
  publishesPerUser: rate("publishesPerUser", "Messages that one user publishes."),
  publishesPerAddress: rate("publishesPerAddress", "Messages that are published from one address."),
  logInsPerAddress: rate(
    "logInsPerAddress",
    "Log-ins from one address that are refused, and its questions why something is allowed.",
  ),
} satisfies Record<keyof RateOptions, z.ZodType<number>>;

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
      text: "What holds for which channels.",
      allowed: "a list of rules",
      fromText: (text) => JSON.parse(text) as unknown,
      asText: "the list as JSON",
    },
  ),
  limits: z.strictObject(limits).prefault({}),
  rates: z.strictObject(rates).prefault({}),
  logLevel: described(z.enum(LOG_LEVELS).default("info"), {
    text: "What is logged, to standard error: JSON lines, or readable ones on a terminal.",
    allowed: `one of ${LOG_LEVELS.join(", ")}`,
  }),
  shutdownSeconds: described(z.number().min(0).max(600).default(10), {
    text: "How long clients are given to leave when the server is told to stop; then it cuts them off.",
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

function limit(name: keyof Limits, least: number, text: string, unit?: string) {
  return described(z.int().min(least).default(DEFAULT_LIMITS[name]), {
    text,
    allowed: `a whole number from ${least} up`,
    ...(unit !== undefined && { unit }),
  });
}

function rate(name: keyof RateOptions, text: string) {
  return described(z.int().min(0).default(DEFAULT_RATES[name]), {
    text,
    allowed: "a whole number from 0 up; 0 is no limit",
    unit: `in ${RATE_WINDOW_SECONDS} seconds`,
  });
}

function isOrigin(origin: string): boolean {
  try {
    sameOrigin({ allowedOrigins: [origin] });
    return true;
  } catch {
    return false;
  }
}
