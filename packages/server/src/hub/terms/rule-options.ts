/** Rules as they are written in code or in a file: each option is declared here once. */
import { z } from "zod";
import { described, type Given } from "../../base/option.js";

/** With presence: more members than this are counted only, and changes within this time travel together. */
export const DEFAULT_PRESENCE = { maxListed: 10_000, intervalSeconds: 1 } as const;
/** How long a log keeps messages, and how many. */
export const DEFAULT_HISTORY = { messages: 100, seconds: 300 } as const;

const presence = {
  /** With more members than this, only their count is told. @default 10,000 */
  maxListed: described(z.int().min(0).max(100_000).default(DEFAULT_PRESENCE.maxListed), {
    text: "With more members than this, only their count is told.",
    allowed: "a whole number from 0 to 100000",
  }),
  /** The server sends the changes of this many seconds as one frame. @default 1 */
  intervalSeconds: described(z.number().min(0.1).max(60).default(DEFAULT_PRESENCE.intervalSeconds), {
    text: "The server sends the changes of this many seconds as one frame.",
    allowed: "a number from 0.1 to 60",
    unit: "seconds",
  }),
};

/** The comments are what editors show: `config/options.test.ts` holds them to the texts. */
const options = {
  /** The channels that it is for. `*` stands for one segment, `**` for one or more at the end. The most specific pattern wins, whole. */
  channels: described(z.string(), {
    text: "The channels that it is for. `*` stands for one segment, `**` for one or more at the end. The most specific pattern wins, whole.",
    allowed: "a pattern such as order:*, ticker:** or broadcast",
  }),
  /** How many messages the log keeps. Default 100. */
  history: described(z.int().min(0).max(100_000).optional(), {
    text: `How many messages the log keeps. Default ${DEFAULT_HISTORY.messages}.`,
    allowed: "a whole number from 0 to 100000",
  }),
  /** How long the log keeps a message. Default 300. */
  historySeconds: described(z.number().positive().optional(), {
    text: `How long the log keeps a message. Default ${DEFAULT_HISTORY.seconds}.`,
    allowed: "a number above 0",
    unit: "seconds",
  }),
  /** The most writes per second to each subscriber. Default: no limit. */
  maxRate: described(z.number().positive().max(1000).optional(), {
    text: "The most writes per second to each subscriber. Default: no limit.",
    allowed: "a number above 0 and up to 1000",
    unit: "writes per second",
  }),
  /** `latest` delivers only the newest message per event name of what waits. Default `all`. */
  events: described(z.enum(["all", "latest"]).optional(), {
    text: "`latest` delivers only the newest message per event name of what waits. Default `all`.",
    allowed: "all or latest",
  }),
  /** `memory` takes the channels out of a durable engine. Default `engine`. */
  durability: described(z.enum(["engine", "memory"]).optional(), {
    text: "`memory` takes the channels out of a durable engine. Default `engine`.",
    allowed: "engine or memory",
  }),
  /** Subscribes every connection without being asked; only for a pattern that names one channel. Default `false`. */
  auto: described(z.boolean().optional(), {
    text: "Subscribes every connection without being asked; only for a pattern that names one channel. Default `false`.",
    allowed: "true or false",
  }),
  /** Follows who is subscribed, and tells subscribers with the action `presence`. `maxListed`: with more members, only their count is told (default 10000). `intervalSeconds`: the server sends the changes of this many seconds as one frame (default 1). Default `false`. */
  presence: described(z.union([z.boolean(), z.strictObject(presence)]).optional(), {
    text: `Follows who is subscribed, and tells subscribers with the action \`presence\`. \`maxListed\`: with more members, only their count is told (default ${DEFAULT_PRESENCE.maxListed}). \`intervalSeconds\`: the server sends the changes of this many seconds as one frame (default ${DEFAULT_PRESENCE.intervalSeconds}). Default \`false\`.`,
    allowed: "true, false, or an object with maxListed (0 to 100000) and intervalSeconds (0.1 to 60)",
  }),
};

export const RULE = described(z.strictObject(options), {
  text: "A rule.",
  allowed: "an object",
  code: "invalid_rule",
});

/** A rule as it is written. Members that are left out take the default. */
export type RuleOptions = Given<typeof options>;
export type PresenceOptions = Given<typeof presence>;
