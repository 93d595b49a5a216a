/** Which Feathers services there are, and what each of them keeps. */
import { type ChannelName, isChannelName, quote } from "@fanfare/protocol";
import { checkPath, type ReservedPaths } from "../http/path.js";
import { checkOptions, membersOf } from "../known-names.js";

/** Who hears what happens in a service. */
export const JOINS = ["all", "named"] as const;
export type Join = (typeof JOINS)[number];

export const DEFAULT_RECORDS = 1000;
export const MAX_RECORDS = 100_000;

export interface ServiceOptions {
  /** Such as `orders`: one segment of a channel name. It is the channel that carries all events of the service. */
  readonly name: string;
  /** Where the REST interface is; `""` is nowhere. @default "/" and the name */
  readonly path?: string;
  /**
   * How many records are kept, as the states of the channels `<name>:<id>`; when there is one more, the oldest is removed. They
   * are listed in one state, so no more are kept than have room in `limits.stateBytes`. 0: events only. @default 1000
   */
  readonly records?: number;
  /**
   * `all`: every client hears all events, as with Feathers, unless it names the records that it wants. `named`: a client hears
   * only what it names. @default "all"
   */
  readonly join?: Join;
}

const OPTIONS = membersOf<ServiceOptions>({ name: true, path: true, records: true, join: true });

export interface ServiceSettings {
  readonly name: ChannelName;
  /** `null` where there is no REST interface. */
  readonly path: string | null;
  readonly records: number;
  readonly join: Join;
}

/**
 * The settings of services that were given as names or with options.
 *
 * @param taken paths where something else is served
 * @throws TypeError, ReservedPathError
 */
export function serviceSettings(
  given: readonly (string | ServiceOptions)[],
  taken: readonly string[] = [],
  reserved: ReservedPaths = [],
): readonly ServiceSettings[] {
  const names = new Set<string>();
  const paths = new Set(taken);
  return given.map((each) => {
    const settings = settingsOf(typeof each === "string" ? { name: each } : each, reserved);
    const { name, path } = settings;
    if (names.has(name))
      throw new TypeError(`services: ${quote(name)} is there twice. Name each service once.`);
    names.add(name);
    if (path !== null) {
      if (
        [...paths].some((other) => `${other}/`.startsWith(`${path}/`) || `${path}/`.startsWith(`${other}/`))
      ) {
        throw new TypeError(`services: the path ${quote(path)} of ${name} is taken. Give it another path.`);
      }
      paths.add(path);
    }
    return settings;
  });
}

function settingsOf(options: ServiceOptions, reserved: ReservedPaths): ServiceSettings {
  checkOptions("services", options, OPTIONS);
  const { name, records = DEFAULT_RECORDS, join = "all" } = options;
  if (!isChannelName(name) || name.includes(":")) {
    throw new TypeError(
      `services: ${quote(String(name))} is no name of a service. Give 1 to 200 characters of A-Z a-z 0-9 _ - . = @ , ; ~`,
    );
  }
  if (!(Number.isInteger(records) && records >= 0 && records <= MAX_RECORDS)) {
    throw new TypeError(
      `services: records of ${name} is ${records}. Give a whole number from 0 to ${MAX_RECORDS}.`,
    );
  }
  if (!JOINS.includes(join)) {
    throw new TypeError(`services: join of ${name} is ${quote(String(join))}. Give ${JOINS.join(" or ")}.`);
  }
  const { path = `/${name}` } = options;
  return { name, path: path === "" ? null : checkPath(path, reserved), records, join };
}
