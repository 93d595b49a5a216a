/** The options of a Fanfare in your own server. */

import type { ChannelDefinitions } from "@fanfare/client";
import type { EntranceOptions } from "../access/entrance.js";
import type { AccessOptions } from "../access/settings.js";
import type { Clock, Random } from "../base/clock.js";
import {
  checkKinds,
  checkMethods,
  checkOptions,
  checkTexts,
  type Kinds,
  membersOf,
} from "../base/known-names.js";
import type { Log } from "../base/log.js";
import { checkedGroup } from "../base/option-groups.js";
import type { ReservedPaths } from "../base/path.js";
import type { SocketIoOptions } from "../doors/socketio/options.js";
import type { Engine } from "../engine/engine.js";
import { LIMITS, type Limits } from "../hub/terms/limits.js";
import type { WatchedMemory } from "../hub/terms/memory-guard.js";
import type { RuleOptions } from "../hub/terms/rules.js";

/** Options that you can change while clients are connected. */
export interface ReloadOptions extends AccessOptions, EntranceOptions {
  /** Rules for the channels that match a pattern. @default history of 100 messages or 5 minutes */
  readonly rules?: readonly RuleOptions[];
}

export interface FanfareOptions extends ReloadOptions {
  /** Everything of this Fanfare lives under this path. @default "/push" */
  readonly path?: string;
  /** First path segments that the host application keeps for itself. @default those of every Mendix app */
  readonly reservedPaths?: ReservedPaths;
  /** Opens the door for Socket.IO and Feathers; it is served where the Fanfare is attached to a server. @default closed */
  readonly socketio?: SocketIoOptions;
  /**
   * Folder for what has to outlive the process: API keys that were made while running, and what was revoked. With an `engine` of your own,
   * that engine keeps them. A socket in this folder lets `fanfare key` and `fanfare token` ask this Fanfare.
   *
   * @default none: without an engine that keeps them, no keys can be made, and what is revoked is so until the process ends
   */
  readonly dataDir?: string;
  /**
   * The payloads of channels, as `defineChannels` says them. The server checks messages and states before it accepts them. Channels that are not
   * defined may carry anything.
   *
   * @default nothing is checked
   */
  readonly channels?: ChannelDefinitions;
  /** Bounds; those left out have their defaults. */
  readonly limits?: Partial<Limits>;
  /** Where logs live, such as `await DiskEngine.open()`. The application that gives it closes it. @default a `MemoryEngine` */
  readonly engine?: Engine;
  /** Runs although there are several processes that do not know of each other's messages. @default false */
  readonly allowIsolated?: boolean;
  /** A pino logger, or anything with its four methods. @default nothing is logged */
  readonly logger?: Log;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Asks for the memory of this process, and what there is of it. @default the process, its heap's limit and its container */
  readonly memory?: WatchedMemory;
}

/** Also what a running `fanfare start` takes over of its configuration. */
export const RELOAD_OPTIONS = membersOf<ReloadOptions>({
  access: true,
  anonymous: true,
  apiKeys: true,
  userGrants: true,
  tokens: true,
  authorize: true,
  forwardedSession: true,
  allowedOrigins: true,
  publicUrl: true,
  allowedHosts: true,
  loopbackOnly: true,
  trustedProxies: true,
  rates: true,
  rules: true,
});

const OTHER_OPTIONS = membersOf<Omit<FanfareOptions, keyof ReloadOptions>>({
  path: true,
  reservedPaths: true,
  socketio: true,
  dataDir: true,
  channels: true,
  limits: true,
  engine: true,
  allowIsolated: true,
  logger: true,
  clock: true,
  random: true,
  memory: true,
});

const KINDS: Kinds<FanfareOptions> = {
  apiKeys: "a list",
  anonymous: "a list",
  userGrants: "a list",
  authorize: "a function",
  allowedOrigins: "a list",
  allowedHosts: "a list",
  loopbackOnly: "true or false",
  trustedProxies: "a list",
  rules: "a list",
  dataDir: "a text",
  publicUrl: "a text",
  channels: "an object",
  engine: "an object",
  allowIsolated: "true or false",
  logger: "an object",
  clock: "an object",
  random: "an object",
  memory: "an object",
};

/** The methods that are called of objects that the application gives. */
const METHODS = {
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
  logger: ["debug", "info", "warn", "error"],
  clock: ["now", "monotonic", "after", "every", "endOfTurn"],
  random: ["bytes", "fraction"],
} as const;

/** What is not known, or cannot be it. @throws TypeError */
export function checkFanfareOptions(options: FanfareOptions): void {
  checkOptions("createFanfare", options, [...OTHER_OPTIONS, ...RELOAD_OPTIONS]);
  checkKinds("", options, KINDS);
  for (const [name, methods] of Object.entries(METHODS)) {
    const [option = "", part] = name.split(".");
    const given: unknown = options[option as keyof FanfareOptions];
    if (given !== undefined) checkMethods(name, part === undefined ? given : Object(given)[part], methods);
  }
  checkLists(options);
}

function checkLists({ allowedOrigins = [], allowedHosts = [], trustedProxies = [] }: EntranceOptions): void {
  for (const [name, list] of Object.entries({ allowedOrigins, allowedHosts, trustedProxies })) {
    checkTexts(name, list);
  }
}

/** @throws TypeError */
export function checkReloadOptions(options: ReloadOptions): void {
  checkOptions("reload", options, RELOAD_OPTIONS);
  checkKinds<FanfareOptions>("", options, KINDS);
  checkLists(options);
}

/** @param planned defaults from the memory that is there @throws TypeError */
export function checkLimits(given: Partial<Limits> = {}, planned: Partial<Limits> = {}): Limits {
  const limits = checkedGroup("limits", LIMITS, given);
  const unsaid = Object.entries(planned).filter(([name]) => Reflect.get(given, name) === undefined);
  return { ...limits, ...Object.fromEntries(unsaid) };
}
