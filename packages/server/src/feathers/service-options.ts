/** Which Feathers services there are, and what each of them keeps. */
import { type ChannelName, isChannelName, quote } from "@fanfare/protocol";
import { z } from "zod";
import { described, type Given } from "../base/option.js";
import { explain } from "../base/option-checks.js";
import { checkPath, overlap, type ReservedPaths } from "../base/path.js";
import { AUTHENTICATION } from "./authentication.js";

/** The clients that hear the events of a service. */
const JOINS = ["all", "named"] as const;
type Join = (typeof JOINS)[number];

const DEFAULT_RECORDS = 1000;
const MAX_RECORDS = 100_000;

/** Methods that can be called for many records at once. */
const MANY = ["create", "patch", "remove"] as const;
export type Many = (typeof MANY)[number];

/** Records of a page where nothing else is said, and at most. */
const DEFAULT_PAGE = 100;
const MAX_PAGE = 1000;

/** Pages of what `find` finds: records of a page for which no `$limit` is given, and the most records of a page. */
export interface Pages {
  readonly default: number;
  readonly max: number;
}

const pageSize = described(z.int().min(1).max(MAX_PAGE).optional(), {
  text: "Records of a page.",
  allowed: `a whole number from 1 to ${MAX_PAGE}`,
});

/** The comments are what editors show: `config/options.test.ts` holds them to the texts. */
const options = {
  /** The channel that carries all events of the service; a record is the channel `name:id`. */
  name: described(
    z.string().refine((name): boolean => isServiceName(name)),
    {
      text: "The channel that carries all events of the service; a record is the channel `name:id`.",
      allowed:
        "one segment of a channel name, such as orders: 1 to 200 characters of A-Z a-z 0-9 _ - . = @ , ; ~",
    },
  ),
  /** Where its REST interface is; empty is nowhere. Default: `/` and the name. */
  path: described(z.string().optional(), {
    text: "Where its REST interface is; empty is nowhere. Default: `/` and the name.",
    allowed: "a path such as /orders",
  }),
  /** How many records are kept; the oldest goes when there is one more. Their ids have to fit into one state (`limits.stateBytes`). 0: events only. Default 1000. */
  records: described(z.int().min(0).max(MAX_RECORDS).optional(), {
    text: `How many records are kept; the oldest goes when there is one more. Their ids have to fit into one state (\`limits.stateBytes\`). 0: events only. Default ${DEFAULT_RECORDS}.`,
    allowed: `a whole number from 0 to ${MAX_RECORDS}`,
  }),
  /** `all`: every client hears all events, unless it names the records that it wants. `named`: a client hears only what it names. Default `all`. */
  join: described(z.enum(JOINS).optional(), {
    text: "`all`: every client hears all events, unless it names the records that it wants. `named`: a client hears only what it names. Default `all`.",
    allowed: JOINS.join(" or "),
  }),
  /** Lets clients create, patch or remove many records with one call. Default false. */
  multi: described(z.union([z.boolean(), z.array(z.enum(MANY))]).optional(), {
    text: "Lets clients create, patch or remove many records with one call. Default false.",
    allowed: `true, false, or a list of ${MANY.join(", ")}`,
  }),
  /** Records of a page of `find`: `default` where no `$limit` is given, 100, and `max`, 1000. false: `find` answers with a list. */
  paginate: described(
    z.union([z.literal(false), z.strictObject({ default: pageSize, max: pageSize })]).optional(),
    {
      text: `Records of a page of \`find\`: \`default\` where no \`$limit\` is given, ${DEFAULT_PAGE}, and \`max\`, ${MAX_PAGE}. false: \`find\` answers with a list.`,
      allowed: "false, or an object with default and max",
    },
  ),
};

export type ServiceOptions = Given<typeof options>;

const SERVICE = described(z.union([z.string(), z.strictObject(options)]), {
  text: "A service.",
  allowed:
    "a name such as orders, or an object with name and, if wanted, path, records, join, multi and paginate",
});

/** Services, by their names or with options. */
export const SERVICES = z
  .array(SERVICE)
  .superRefine((services, context) => explain(context, () => serviceSettings(services)));

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
 * The settings of services that were given as names or with options, as {@link SERVICES} has them.
 *
 * @param taken paths where something else is served
 * @throws TypeError, FanfareError `reserved_path`
 */
export function serviceSettings(
  given: z.output<typeof SERVICES>,
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

function settingsOf(
  { name, path = `/${name}`, records = DEFAULT_RECORDS, join = "all", multi = false, paginate = {} }: Service,
  reserved: ReservedPaths,
): ServiceSettings {
  if (name === AUTHENTICATION) {
    throw new TypeError(`services: ${quote(name)} is where clients log in. Give the service another name.`);
  }
  // One that is given as a name alone.
  if (!isServiceName(name)) {
    throw new TypeError(
      `services: ${quote(name)} is no name of a service. Give 1 to 200 characters of A-Z a-z 0-9 _ - . = @ , ; ~`,
    );
  }
  return {
    name,
    path: path === "" ? null : checkPath(path, reserved),
    records,
    join,
    multi: typeof multi === "boolean" ? (multi ? MANY : []) : multi,
    paginate:
      paginate === false
        ? null
        : { default: paginate.default ?? DEFAULT_PAGE, max: paginate.max ?? MAX_PAGE },
  };
}

type Service = Exclude<z.output<typeof SERVICE>, string>;

function isServiceName(name: string): name is ChannelName {
  return isChannelName(name) && !name.includes(":");
}
