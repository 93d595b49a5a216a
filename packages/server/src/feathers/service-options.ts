/** Which Feathers services there are, and what each of them keeps. */
import { type ChannelName, isChannelName, quote, shown } from "@fanfare/protocol";
import { checkKinds, checkOptions, membersOf } from "../base/known-names.js";
import { checkPath, overlap, type ReservedPaths } from "../base/path.js";
import { AUTHENTICATION } from "./authentication.js";

/** The clients that hear the events of a service. */
export const JOINS = ["all", "named"] as const;
type Join = (typeof JOINS)[number];

export const DEFAULT_RECORDS = 1000;
export const MAX_RECORDS = 100_000;

/** Methods that can be called for many records at once. */
export const MANY = ["create", "patch", "remove"] as const;
export type Many = (typeof MANY)[number];

/** Records of a page where nothing else is said, and at most. */
export const DEFAULT_PAGE = 100;
export const MAX_PAGE = 1000;

/** Pages of what `find` finds. */
export interface Pages {
  /** Records of a page for which no `$limit` is given. @default 100 */
  readonly default: number;
  /** The most records of a page. @default 1000 */
  readonly max: number;
}

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
  /** Lets clients create, patch or remove many records with one call: all of these methods, or those that are named. @default false */
  readonly multi?: boolean | readonly Many[];
  /** The pages of `find`. `false`: `find` answers with a list instead. @default { default: 100, max: 1000 } */
  readonly paginate?: Partial<Pages> | false;
}

const OPTIONS = membersOf<ServiceOptions>({
  name: true,
  path: true,
  records: true,
  join: true,
  multi: true,
  paginate: true,
});
const PAGES = membersOf<Pages>({ default: true, max: true });

export interface ServiceSettings {
  readonly name: ChannelName;
  /** `null` where there is no REST interface. */
  readonly path: string | null;
  readonly records: number;
  readonly join: Join;
  readonly multi: readonly Many[];
  /** `null`: `find` answers with a list. */
  readonly paginate: Pages | null;
}

/**
 * The settings of services that were given as names or with options.
 *
 * @param taken paths where something else is served
 * @throws TypeError, FanfareError `reserved_path`
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
      if ([...paths].some((other) => overlap(other, path))) {
        throw new TypeError(`services: the path ${quote(path)} of ${name} is taken. Give it another path.`);
      }
      paths.add(path);
    }
    return settings;
  });
}

function settingsOf(options: ServiceOptions, reserved: ReservedPaths): ServiceSettings {
  checkOptions("services", options, OPTIONS);
  checkKinds("services: ", options, { path: "a text" });
  const { name, records = DEFAULT_RECORDS, join = "all" } = options;
  if (name === AUTHENTICATION) {
    throw new TypeError(`services: ${quote(name)} is where clients log in. Give the service another name.`);
  }
  if (!isChannelName(name) || name.includes(":")) {
    throw new TypeError(
      `services: ${shown(name)} is no name of a service. Give 1 to 200 characters of A-Z a-z 0-9 _ - . = @ , ; ~`,
    );
  }
  if (!(Number.isInteger(records) && records >= 0 && records <= MAX_RECORDS)) {
    throw new TypeError(
      `services: records of ${name} is ${shown(records)}. Give a whole number from 0 to ${MAX_RECORDS}.`,
    );
  }
  if (!JOINS.includes(join)) {
    throw new TypeError(`services: join of ${name} is ${shown(join)}. Give ${JOINS.join(" or ")}.`);
  }
  const { path = `/${name}` } = options;
  return {
    name,
    path: path === "" ? null : checkPath(path, reserved),
    records,
    join,
    multi: manyOf(name, options.multi ?? false),
    paginate: pagesOf(name, options.paginate ?? {}),
  };
}

function manyOf(name: string, multi: unknown): readonly Many[] {
  if (typeof multi === "boolean") return multi ? MANY : [];
  const named = Array.isArray(multi) ? MANY.filter((method) => multi.includes(method)) : [];
  if (Array.isArray(multi) && named.length === multi.length) return named;
  throw new TypeError(
    `services: multi of ${name} is ${shown(multi)}. Give true, false, or a list of ${MANY.join(", ")}.`,
  );
}

function pagesOf(name: string, paginate: Partial<Pages> | false): Pages | null {
  if (paginate === false) return null;
  const where = `services: paginate of ${name}`;
  checkOptions(where, paginate, PAGES);
  const { default: byDefault = DEFAULT_PAGE, max = MAX_PAGE } = paginate;
  for (const [option, value] of Object.entries({ default: byDefault, max })) {
    if (Number.isInteger(value) && value >= 1 && value <= MAX_PAGE) continue;
    throw new TypeError(`${where} has ${option} ${shown(value)}. Give a whole number from 1 to ${MAX_PAGE}.`);
  }
  return { default: byDefault, max };
}
