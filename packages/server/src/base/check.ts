/** Checks what came from outside against a schema, and says in one sentence what is wrong with it. */
import { FanfareError, shown } from "@fanfare/protocol";
import { z } from "zod";
import { remedyFor, unknownMember } from "./known-names.js";

/** The most that a page of any list holds, and what it holds unless the caller says otherwise. */
export const MAX_PAGE = 1000;
export const DEFAULT_PAGE = 100;

/** How many, in a query: plain digits only, so that no other spelling of a number gets through. */
export const limitSchema = z
  .string()
  .regex(/^[0-9]{1,9}$/, `give a whole number from 1 to ${MAX_PAGE}`)
  .transform(Number)
  .pipe(z.number().int().min(1).max(MAX_PAGE))
  .default(DEFAULT_PAGE)
  .meta({ description: `How many at most, 1 to ${MAX_PAGE}.` });

/**
 * Members that the schema does not know are refused where it is strict; see PROTOCOL.md, section 10.
 *
 * @throws FanfareError `invalid_request`, naming the first field that is wrong
 */
export function check<T>(schema: z.ZodType<T>, value: unknown, where: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  // A second time, since asking for the names costs 2 µs that what is right need not pay.
  const { error } = schema.safeParse(value, NAMING);
  const issue = firstOf(error?.issues ?? []);
  const path = issue?.path ?? [];
  const field = path.reduce<string>(
    (inner, key) => (typeof key === "number" ? `${inner}[${key}]` : `${inner}.${String(key)}`),
    where,
  );
  if (issue?.code === "unrecognized_keys") throw unknownMember(field, issue.keys[0] ?? "", issue.message);
  const given = path.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown>)?.[key], value);
  const wanted = issue && wantedBy(issue);
  throw new FanfareError(
    "invalid_request",
    `${field} is ${given === undefined ? "missing" : shown(given)}${wanted ? `: ${wanted}` : ""}`,
  );
}

/** Only here it is known which members there are: the issue about one that is not known has the remedy as its message. */
const NAMING: z.core.ParseContext<z.core.$ZodIssue> = {
  error(issue) {
    if (issue.code !== "unrecognized_keys" || !(issue.inst instanceof z.ZodObject)) return undefined;
    return remedyFor(issue.keys[0] ?? "", Object.keys(issue.inst.shape));
  },
};

/** A misspelt member comes before the one that is missing because of it. */
function firstOf(issues: readonly z.core.$ZodIssue[]): z.core.$ZodIssue | undefined {
  const issue = issues.find(({ code }) => code === "unrecognized_keys") ?? issues[0];
  if (issue?.code !== "invalid_union") return issue;
  // Of several forms, that one was meant in which something is wrong further inside.
  const meant = issue.errors.map(firstOf).find((each) => each && isInside(each));
  return meant ? { ...meant, path: [...issue.path, ...meant.path] } : issue;
}

function isInside({ code, path }: z.core.$ZodIssue): boolean {
  return code === "unrecognized_keys" || path.length > 0;
}

/** The wanted value, in words. Schemas of ours may bring their own words. */
function wantedBy(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return issue.expected === "nonoptional" ? "" : `give ${TYPES[issue.expected] ?? issue.expected}`;
    case "too_small":
      return `give ${issue.inclusive ? "at least" : "more than"} ${issue.minimum}${unitOf(issue.origin)}`;
    case "too_big":
      return `give ${issue.inclusive ? "at most" : "less than"} ${issue.maximum}${unitOf(issue.origin)}`;
    case "invalid_value":
      return `give ${issue.values.map(String).join(", ")}`;
    default:
      return issue.message;
  }
}

const TYPES: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "an array",
  object: "an object",
  record: "an object",
};

function unitOf(origin: string): string {
  if (origin === "string") return " characters";
  return origin === "array" ? " items" : "";
}
