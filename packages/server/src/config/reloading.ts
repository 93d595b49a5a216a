/** What a server that runs takes over of a configuration that is read anew. The rest needs a restart. */
import type { ReloadOptions } from "../options.js";
import { OPTIONS, type Option } from "./options.js";
import type { Config } from "./schema.js";

export const RELOADED = [
  "apiKeys",
  "access",
  "userGrants",
  "tokens",
  "forwardedSession",
  "rates",
  "trustedProxies",
  "publicUrl",
  "allowedHosts",
  "allowedOrigins",
  "rules",
] as const satisfies readonly (keyof ReloadOptions & keyof Config)[];

type Reloaded = Pick<Config, (typeof RELOADED)[number]>;

/** What is taken over, and nothing else. */
export function reloadable(config: Config): Reloaded {
  // These are the names of its members, all of them.
  return Object.fromEntries(RELOADED.map((name) => [name, config[name]])) as unknown as Reloaded;
}

export function isReloaded({ path: [first] }: Pick<Option, "path">): boolean {
  return RELOADED.some((name) => name === first);
}

/** The keys of what was changed and is not taken over, such as `limits.connections`. */
export function needRestart(running: Config, next: Config): string[] {
  return OPTIONS.filter(
    (option) => !isReloaded(option) && textAt(running, option) !== textAt(next, option),
  ).map(({ key }) => key);
}

function textAt(config: Config, { path }: Option): string {
  return JSON.stringify(path.reduce<unknown>((inner, step) => Object(inner)[step], config));
}
