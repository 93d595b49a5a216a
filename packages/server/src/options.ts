/** What a Fanfare in your own server is made from. */
import type { ChannelDefinitions } from "@fanfare/client";
import type { EntranceOptions } from "./access/entrance.js";
import type { AccessOptions } from "./access/settings.js";
import type { Clock, Random } from "./clock.js";
import type { SocketIoOptions } from "./doors/socketio/options.js";
import type { Engine } from "./engine/engine.js";
import type { ReservedPaths } from "./http/path.js";
import { DEFAULT_LIMITS, type Limits } from "./hub/limits.js";
import type { RuleOptions } from "./hub/rules.js";
import { checkKinds, checkOptions, type Kinds, membersOf } from "./known-names.js";
import type { Log } from "./log.js";

/** What can be changed while clients are connected. */
export interface ReloadOptions extends AccessOptions, EntranceOptions {
  /** What holds for which channels. @default history of 100 messages or 5 minutes */
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
   * Folder for what has to outlive the process: API keys that were made while running, and what was revoked.
   *
   * @default none: no keys can be made, and what is revoked is so until the process ends
   */
  readonly dataDir?: string;
  /**
   * What channels carry, as `defineChannels` says it: messages and states are checked before they are accepted. Channels that are not
   * defined may carry anything.
   *
   * @default nothing is checked
   */
  readonly channels?: ChannelDefinitions;
  /** Bounds; those left out have their defaults. */
  readonly limits?: Partial<Limits>;
  /** Where logs live, such as `await DiskEngine.open()`. Whoever gives it closes it. @default a `MemoryEngine` */
  readonly engine?: Engine;
  /** Runs although there are several processes that do not know of each other's messages. @default false */
  readonly allowIsolated?: boolean;
  /** A pino logger, or anything with its four methods. @default nothing is logged */
  readonly logger?: Log;
  readonly clock?: Clock;
  readonly random?: Random;
}

const RELOAD_OPTIONS = membersOf<ReloadOptions>({
  access: true,
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
});

const KINDS: Kinds<FanfareOptions> = {
  apiKeys: "a list",
  userGrants: "a list",
  authorize: "a function",
  allowedOrigins: "a list",
  allowedHosts: "a list",
  loopbackOnly: "true or false",
  trustedProxies: "a list",
  rules: "a list",
  dataDir: "a text",
  channels: "an object",
  engine: "an object",
  allowIsolated: "true or false",
  logger: "an object",
  clock: "an object",
  random: "an object",
};

/** What is not known, or cannot be it. @throws TypeError */
export function checkFanfareOptions(options: FanfareOptions): void {
  checkOptions("createFanfare", options, [...OTHER_OPTIONS, ...RELOAD_OPTIONS]);
  checkKinds("", options, KINDS);
}

/** @throws TypeError */
export function checkReloadOptions(options: ReloadOptions): void {
  checkOptions("reload", options, RELOAD_OPTIONS);
  checkKinds<FanfareOptions>("", options, KINDS);
}

/** @throws TypeError */
export function checkLimits(given: Partial<Limits> = {}): Limits {
  const limits: Record<string, number> = { ...DEFAULT_LIMITS };
  checkOptions("limits", given, Object.keys(DEFAULT_LIMITS));
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    if (!(typeof value === "number" && value >= 0)) {
      throw new TypeError(`limits: ${name} is ${String(value)}. Give a number of 0 or more.`);
    }
    limits[name] = value;
  }
  return { ...DEFAULT_LIMITS, ...limits };
}
