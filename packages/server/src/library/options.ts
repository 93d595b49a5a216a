/** The options of a Fanfare in your own server. Those that a file can have, too, are declared in the rooms that they are about. */
import type { ChannelDefinitions } from "@fanfare/client";
import { z } from "zod";
import { type EntranceOptions, entranceOptions } from "../access/entrance.js";
import { type AccessOptions, accessOptions } from "../access/settings.js";
import type { Clock, Random } from "../base/clock.js";
import type { Log } from "../base/log.js";
import { described, type Given } from "../base/option.js";
import { checkedOptions, explain } from "../base/option-checks.js";
import { CLOCK_METHODS, inCode, LOGGER_METHODS, objectInCode, RANDOM_METHODS } from "../base/option-kinds.js";
import { checkPath } from "../base/path.js";
import { SOCKET_IO } from "../doors/socketio/options.js";
import type { Engine } from "../engine/engine.js";
import { LIMITS, type Limits } from "../hub/terms/limits.js";
import type { WatchedMemory } from "../hub/terms/memory-guard.js";
import { RULE } from "../hub/terms/rule-options.js";
import { Rules } from "../hub/terms/rules.js";

const ruleOptions = {
  /** Rules: options for the channels that match a pattern. @default none */
  rules: described(
    z
      .array(RULE)
      .superRefine((rules, context) => explain(context, () => new Rules(rules)))
      .default([]),
    {
      text: "Rules: options for the channels that match a pattern.",
      allowed: "a list of rules",
      code: "invalid_rule",
      fromText: (text) => JSON.parse(text) as unknown,
      asText: "the list as JSON",
    },
  ),
};

/** Options that can change while clients are connected: also those that a running `fanfare start` takes over of its configuration. */
export const reloadOptions = { ...accessOptions, ...entranceOptions, ...ruleOptions };

/** Options of the place and the size, which code and a file have alike. */
export const placeOptions = {
  /** Path under which everything is served. @default "/push" */
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
  /** First segments that the application behind the same host name keeps for itself, so that `path` may not begin with them. @default those of every Mendix app */
  reservedPaths: described(z.union([z.literal("mendix"), z.array(z.string().min(1))]).default([]), {
    text: "First segments that the application behind the same host name keeps for itself, so that `path` may not begin with them.",
    allowed: 'a list of names, or "mendix" for those of Mendix',
    fromText: (text) =>
      text === "mendix"
        ? text
        : text
            .split(",")
            .map((name) => name.trim())
            .filter((name) => name !== ""),
    asText: "names separated by commas, or mendix",
  }),
  /** Bounds; those that are left out have their defaults. */
  limits: LIMITS.prefault({}),
};

/** Options that only code can give, with the methods that are called of objects. */
const codeOptions = {
  /** Opens the door for Socket.IO and Feathers; it is served where the Fanfare is attached to a server. @default closed */
  socketio: SOCKET_IO.optional(),
  /**
   * Folder for what has to outlive the process: API keys that were made while running, and what was revoked. With an `engine` of your own,
   * that engine keeps them. A socket in this folder lets `fanfare key` and `fanfare token` ask this Fanfare.
   *
   * @default none: without an engine that keeps them, no keys can be made, and what is revoked is so until the process ends
   */
  dataDir: described(z.string().optional(), {
    text: "Folder for what has to outlive the process.",
    allowed: "a text",
  }),
  /**
   * The payloads of channels, as `defineChannels` says them. The server checks messages and states before it accepts them. Channels that are not
   * defined may carry anything.
   *
   * @default nothing is checked
   */
  channels: objectInCode<ChannelDefinitions>("The payloads of channels, as defineChannels says them."),
  /** Where logs live, such as `await DiskEngine.open()`. The application that gives it closes it. @default a `MemoryEngine` */
  engine: objectInCode<Engine>("Where logs live.", {
    engine: ["space", "now", "close"],
    "engine.logs": [
      "append",
      "state",
      "listen",
      "unlisten",
      "read",
      "heads",
      "list",
      "remove",
      "owners",
      "holdings",
    ],
    "engine.signals": ["send", "on"],
    "engine.sessions": ["put", "renew", "take"],
  }),
  /** Runs although there are several processes that do not know of each other's messages. @default false */
  allowIsolated: inCode<boolean>({
    text: "Runs although there are several processes that do not know of each other's messages.",
    allowed: "true or false",
    isRight: (given) => typeof given === "boolean",
  }),
  /** A pino logger, or anything with its four methods. @default nothing is logged */
  logger: objectInCode<Log>("A logger.", { logger: LOGGER_METHODS }),
  /** Time, for tests. @default the machine's */
  clock: objectInCode<Clock>("Time.", { clock: CLOCK_METHODS }),
  /** Randomness, for tests. @default the system's */
  random: objectInCode<Random>("Randomness.", { random: RANDOM_METHODS }),
  /** Asks for the memory of this process, and what there is of it. @default the process, its heap's limit and its container */
  memory: objectInCode<WatchedMemory>("Asks for the memory of this process."),
};

const RELOAD = z.strictObject(reloadOptions);
const FANFARE = z.strictObject({ ...reloadOptions, ...placeOptions, ...codeOptions });

// Joined as types: editors show no comments of members that are spread.
export type ReloadOptions = AccessOptions & EntranceOptions & Given<typeof ruleOptions>;
export type FanfareOptions = ReloadOptions & Given<typeof placeOptions> & Given<typeof codeOptions>;

export type FanfareSettings = z.output<typeof FANFARE>;

/** The names of the options that a running server can take over. */
export const RELOAD_OPTIONS: readonly string[] = Object.keys(reloadOptions);

/** @throws TypeError, FanfareError `invalid_rule`, `invalid_grants`, `invalid_pattern`, `reserved_path` */
export function fanfareSettings(given: FanfareOptions): FanfareSettings {
  return checkedOptions("createFanfare", FANFARE, given, "");
}

/** @throws TypeError, FanfareError `invalid_rule`, `invalid_grants`, `invalid_pattern` */
export function reloadSettings(given: ReloadOptions): z.output<typeof RELOAD> {
  return checkedOptions("reload", RELOAD, given, "");
}

/** @param checked all limits @param given those that somebody set @param planned defaults from the memory that is there */
export function limitsOf(checked: Limits, given: object = {}, planned: Partial<Limits> = {}): Limits {
  const unsaid = Object.entries(planned).filter(([name]) => Reflect.get(given, name) === undefined);
  return { ...checked, ...Object.fromEntries(unsaid) };
}
