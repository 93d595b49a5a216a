/**
 * Queries of records, in the syntax of Feathers: which records, in which order, and which members. Decides as
 * `@feathersjs/memory` does, by the same two libraries. Loaded only where services are called; knows no channels and no callers.
 */

import { FanfareError, isJsonObject, type JsonObject, quote, shown } from "@fanfare/protocol";
import { compare, FILTERS, filterQuery, OPERATORS } from "@feathersjs/adapter-commons";
import type { Pages } from "./service-options.js";
import { testerOf } from "./tester.js";

/** Levels of objects and lists in a query. */
const MAX_DEPTH = 16;
/** Conditions, objects and lists in a query: each may cost a look at every value of every record. */
const MAX_PARTS = 50;
/** Values in lists of `$in` and `$nin`, which cost one look together. */
const MAX_LISTED = 1000;
/** Comparing this many characters with one part costs about as much as a look at a small record. */
const CHARACTERS_PER_LOOK = 1000;
/** Fields that are selected. */
const MAX_FIELDS = 1000;
/** Fields of an order, and what of a text counts for it. */
const MAX_ORDER = 10;
const ORDERED_CHARACTERS = 256;
/** Parameters of pages and their order; only `find` has pages. */
const PAGING = ["$limit", "$skip", "$sort"] as const;
/** Operators that combine conditions. */
const GROUPS = ["$or", "$and"];
const LISTS = ["$in", "$nin"];
const COMPARING = [...new Set([...OPERATORS, ...GROUPS])];
/** Names that lead out of a record, to what every object has. */
const OUTSIDE = new Set(["__proto__", "constructor", "prototype"]);

export interface QueryOf {
  readonly method: string;
  /** Every value came as text, as in an address. */
  readonly texts: boolean;
  /** `null`: all records at once, as far as they have room in an answer. */
  readonly pages: Pages | null;
}

export interface Query {
  /** The most records that are answered; `null` is no limit. */
  readonly limit: number | null;
  readonly skip: number;
  /** Does it depend on what stands in a record? */
  readonly conditional: boolean;
  matches(record: JsonObject): boolean;
  /** As how many looks at a record it counts to look at one of this many characters: a few of a usual size count as one. */
  looksOf(length: number): number;
  /** `null`: as they came. */
  readonly order: Order | null;
  /** Is only a part of each record asked for? */
  readonly selects: boolean;
  /** The members of a record that the answer has: always its `id`. */
  selected(record: JsonObject): JsonObject;
}

export interface Order {
  /** The values that decide where a record stands in the order. */
  keysOf(record: JsonObject): readonly unknown[];
  /** Of two keys: negative where the first comes first. */
  compare(one: readonly unknown[], other: readonly unknown[]): number;
}

/**
 * @param given as a client gave it
 * @throws FanfareError `invalid_request`
 */
export function parseQuery(given: unknown, { method, texts, pages }: QueryOf): Query {
  const query = objectIn(given);
  if (method !== "find" && method !== "create") checkNoPages(query, method);
  const { $limit, $skip, $sort, $select, ...conditions } = query;
  const { copy, parts } = conditionsIn(conditions);
  const checked = {
    ...copy,
    $limit: count("$limit", $limit),
    $skip: count("$skip", $skip),
    $sort: $sort === undefined ? undefined : checkedOrder($sort),
    $select: $select === undefined ? undefined : checkedFields($select),
  };
  const { filters, wanted, matches } = followed(() => {
    const { filters, query: wanted } = filterQuery(checked, { paginate: pages ?? false, operators: GROUPS });
    for (const group of GROUPS) if (group in filters) wanted[group] = filters[group];
    return { filters, wanted, matches: testerOf(wanted, texts) };
  });
  const fields: readonly string[] | undefined = filters.$select;
  return {
    limit: filters.$limit ?? null,
    skip: filters.$skip ?? 0,
    conditional: Object.keys(wanted).length > 0,
    matches,
    looksOf: (length) => 1 + Math.floor((parts * length) / CHARACTERS_PER_LOOK),
    order: filters.$sort ? orderOf(filters.$sort) : null,
    selects: fields !== undefined,
    selected: fields ? (record) => picked(record, fields) : (record) => record,
  };
}

/** The libraries throw errors of their own where operators stand in wrong places. */
function followed<Answer>(work: () => Answer): Answer {
  try {
    return work();
  } catch (error) {
    throw invalid(
      `the query cannot be followed: ${error instanceof Error ? error.message : ""}`,
      'Give operators to a field, such as {"amount": {"$gt": 5}}, and conditions to $or and $and.',
    );
  }
}

function objectIn(query: unknown): JsonObject {
  if (query === undefined || query === null) return {};
  if (isJsonObject(query)) return query;
  throw invalid(
    "the query is not an object",
    'Give an object such as {"status": "open", "$limit": 10}, or none.',
  );
}

function checkNoPages(query: JsonObject, method: string): void {
  const name = PAGING.find((each) => Object.hasOwn(query, each));
  if (name === undefined) return;
  throw invalid(
    `${method} with ${name} in its query`,
    `Leave ${name} out; only find has pages and an order.`,
  );
}

/** A copy of the conditions, in which every name is known not to harm. */
function conditionsIn(query: JsonObject): { readonly copy: JsonObject; readonly parts: number } {
  let parts = 0;
  let listed = 0;
  const copied = (value: unknown, path: string, depth: number, isListed: boolean): unknown => {
    if (depth > MAX_DEPTH) throw invalid(`the query has more than ${MAX_DEPTH} levels`, "Nest it less.");
    const isContainer = typeof value === "object" && value !== null;
    if (isListed && !isContainer) listed++;
    else parts++;
    if (parts > MAX_PARTS || listed > MAX_LISTED) {
      throw invalid(
        `the query has more than ${parts > MAX_PARTS ? `${MAX_PARTS} parts` : `${MAX_LISTED} values in lists`}`,
        "Ask in several calls, or give many values to $in.",
      );
    }
    if (Array.isArray(value))
      return value.map((each, at) => copied(each, `${path}[${at}]`, depth + 1, isListed));
    return isJsonObject(value) ? members(value, path, depth + 1, isListed) : value;
  };
  const members = (object: JsonObject, path: string, depth: number, isListed: boolean): JsonObject =>
    Object.fromEntries(
      Object.entries(object).map(([name, value]) => {
        const below = path === "" ? name : `${path}.${name}`;
        if (name.startsWith("$")) checkOperator(name, value, below, isListed);
        else if (name.split(".").some((part) => OUTSIDE.has(part))) {
          throw invalid(`the query asks for ${quote(below)}`, "Ask for fields of records by other names.");
        }
        return [name, copied(value, below, depth, isListed || LISTS.includes(name))];
      }),
    );
  const copy = members(query, "", 0, false);
  return { copy, parts };
}

function checkOperator(name: string, value: unknown, path: string, isListed: boolean): void {
  if (!COMPARING.includes(name)) {
    const known = [...COMPARING, ...Object.keys(FILTERS).filter((each) => !COMPARING.includes(each))];
    throw invalid(`the operator ${quote(path)} of the query is not known`, `Use ${known.join(", ")}.`);
  }
  if (isListed)
    throw invalid(`${path} of the query stands in a list of values`, "Give values to $in and $nin.");
  if (!GROUPS.includes(name) || (Array.isArray(value) && value.length > 0 && value.every(isJsonObject)))
    return;
  throw invalid(
    `${path} of the query is not a list of conditions`,
    `Give ${name} one or more, such as [{"status": "open"}, {"amount": {"$gt": 5}}].`,
  );
}

function count(name: string, value: unknown): number | undefined {
  if (value === undefined) return undefined;
  const number = typeof value === "string" && /^[0-9]{1,15}$/.test(value) ? Number(value) : value;
  if (typeof number === "number" && Number.isSafeInteger(number) && number >= 0) return number;
  throw invalid(`${name} is ${shown(value)}`, `Give ${name} a whole number from 0 up, or leave it out.`);
}

function checkedOrder(order: unknown): JsonObject {
  const isDirection = (value: unknown) => value === 1 || value === -1 || value === "1" || value === "-1";
  const directions = isJsonObject(order) ? Object.values(order) : [];
  if (isJsonObject(order) && directions.length <= MAX_ORDER && directions.every(isDirection)) return order;
  throw invalid(
    `$sort is ${shown(order)}`,
    `Give up to ${MAX_ORDER} fields with 1 or -1, such as {"time": -1}.`,
  );
}

function checkedFields(fields: unknown): readonly string[] {
  const list: readonly unknown[] = Array.isArray(fields) ? fields : [fields];
  const texts = list.filter((each) => typeof each === "string");
  if (texts.length === list.length && texts.length <= MAX_FIELDS) return texts;
  throw invalid(`$select is ${shown(fields)}`, `Give up to ${MAX_FIELDS} fields, such as ["text", "time"].`);
}

function orderOf(sort: Readonly<Record<string, 1 | -1>>): Order {
  const paths = Object.keys(sort).map((name) => name.split("."));
  const directions = Object.values(sort);
  return {
    keysOf: (record) => paths.map((path) => orderedBy(path.reduce<unknown>(memberOf, record))),
    compare(one, other) {
      for (const [index, direction] of directions.entries()) {
        const compared = compare(one[index], other[index]);
        if (compared !== 0) return direction * compared;
      }
      return 0;
    },
  };
}

/** Lists and objects have no order, and come first: comparing them could take as long as they are. */
function orderedBy(value: unknown): unknown {
  if (typeof value === "string") return value.slice(0, ORDERED_CHARACTERS);
  return typeof value === "object" ? null : value;
}

function memberOf(value: unknown, name: string): unknown {
  const isContainer = isJsonObject(value) || Array.isArray(value);
  return isContainer && Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined;
}

function picked(record: JsonObject, fields: readonly string[]): JsonObject {
  const names = ["id", ...fields].filter((name) => Object.hasOwn(record, name));
  return Object.fromEntries(names.map((name) => [name, record[name]]));
}

function invalid(message: string, remedy: string): FanfareError {
  return new FanfareError("invalid_request", message, { remedy });
}
