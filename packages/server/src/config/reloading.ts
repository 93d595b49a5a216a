/** What a server that runs takes over of a configuration that is read anew. The rest needs a restart. */
import { RELOAD_OPTIONS, type ReloadOptions } from "../library/options.js";
import { OPTIONS, type Option } from "./options.js";
import { type Config, configSchema } from "./schema.js";

type Reloaded = Pick<Config, keyof ReloadOptions & keyof Config>;

/** Those of a configuration that `fanfare.reload()` takes. */
export const RELOADED: readonly string[] = Object.keys(configSchema.shape).filter((name) =>
  RELOAD_OPTIONS.includes(name),
);

/** What is taken over, and nothing else. */
export function reloadable(config: Config): Reloaded {
  // These are the names of its members, all of them.
  return Object.fromEntries(
    Object.entries(config).filter(([name]) => RELOADED.includes(name)),
  ) as unknown as Reloaded;
}

export function isReloaded({ path: [first] }: Pick<Option, "path">): boolean {
  return first !== undefined && RELOADED.includes(first);
}

/** The keys of the options that differ, such as `limits.connections`: those that were taken over, and those that need a restart. */
export function changesOf(running: Config, next: Config): { taken: string[]; needRestart: string[] } {
  const changed = OPTIONS.filter((option) => textAt(running, option) !== textAt(next, option));
  const keysOf = (options: readonly Option[]) => options.map(({ key }) => key);
  return {
    taken: keysOf(changed.filter(isReloaded)),
    needRestart: keysOf(changed.filter((option) => !isReloaded(option))),
  };
}

function textAt(config: Config, { path }: Option): string {
  return JSON.stringify(path.reduce<unknown>((inner, step) => Object(inner)[step], config));
}
