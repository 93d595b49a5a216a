/** What `find` is asked: which records, and which page of them. Equality and pages; anything else is refused by its name. */
import { FanfareError, isJsonObject, type JsonObject, quote } from "@fanfare/protocol";

export const DEFAULT_FOUND = 100;
export const MAX_FOUND = 1000;

export interface Query {
  readonly limit: number;
  readonly skip: number;
  matches(record: JsonObject): boolean;
}

type Plain = string | number | boolean;

/**
 * @param query as a client gave it
 * @param texts every value came as text, as in an address
 * @throws FanfareError `invalid_request`
 */
export function parseQuery(query: unknown, texts: boolean): Query {
  const { $limit, $skip, ...rest } = objectIn(query);
  const wanted = Object.entries(rest).map(([field, value]): [string, Plain | null] => {
    if (field.startsWith("$") || field.includes("[")) throw unknownOperator(field);
    if (value === null || isPlain(value)) return [field, value];
    const [operator] = isJsonObject(value) ? Object.keys(value) : [];
    throw unknownOperator(operator === undefined ? field : `${field}.${operator}`);
  });
  return {
    limit: count("$limit", $limit, DEFAULT_FOUND, MAX_FOUND),
    skip: count("$skip", $skip, 0, Number.MAX_SAFE_INTEGER),
    matches: (record) =>
      wanted.every(([field, value]) => {
        const found = Object.hasOwn(record, field) ? record[field] : undefined;
        // A record has no members that are null.
        if (found === undefined) return value === null;
        return found === value || (texts && isPlain(found) && String(found) === value);
      }),
  };
}

/** @throws FanfareError `invalid_request` when something is asked that only `find` can be asked */
export function checkNoQuery(query: unknown, method: string): void {
  const [field] = Object.keys(objectIn(query));
  if (field === undefined) return;
  throw new FanfareError("invalid_request", `${method} with the query ${quote(field)}`, {
    remedy: "Leave the query out; only find takes one.",
  });
}

function objectIn(query: unknown): JsonObject {
  if (query === undefined || query === null) return {};
  if (isJsonObject(query)) return query;
  throw new FanfareError("invalid_request", "the query is no object", {
    remedy: 'Give an object such as {"status": "open", "$limit": 10}, or leave it out.',
  });
}

function count(name: string, value: unknown, fallback: number, most: number): number {
  if (value === undefined) return fallback;
  const number = typeof value === "string" && /^[0-9]{1,15}$/.test(value) ? Number(value) : value;
  if (typeof number === "number" && Number.isInteger(number) && number >= 0) return Math.min(number, most);
  throw new FanfareError("invalid_request", `${name} is ${quote(JSON.stringify(value))}`, {
    remedy: `Give ${name} a whole number from 0 up, or leave it out.`,
  });
}

function isPlain(value: unknown): value is Plain {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

function unknownOperator(name: string): FanfareError {
  return new FanfareError("invalid_request", `the operator ${quote(name)} of the query is not known`, {
    remedy: 'Use fields with the value that they have to have, such as {"status": "open"}, $limit and $skip.',
  });
}
