/**
 * Checks options by their schema, in code as in a file: the same values are allowed, and a wrong one is refused with the same words. They
 * name the option, its value and the values that may be given.
 */
import { FanfareError, quote } from "@fanfare/protocol";
import type { z } from "zod";
import { kindOf, remedyFor } from "./known-names.js";
import { type Description, descriptionOf } from "./option.js";
import { descriptionAt, namesAt, schemasAt } from "./schema-parts.js";

/** The part of a custom issue that holds the error of the check. */
interface Explained {
  readonly error?: Error;
}

/** Runs a check that a schema alone cannot make, as part of the schema. */
export function explain(context: z.RefinementCtx, check: () => unknown): void {
  // A part of it is wrong, which has been told.
  if (context.issues.length > 0) return;
  try {
    check();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const params: Explained = { error };
    context.addIssue({ code: "custom", message: error.message, params });
  }
}

/** The error of the check that {@link explain} ran; `null` for any other issue. */
export function explainedBy(issue: z.core.$ZodIssue): Error | null {
  if (issue.code !== "custom") return null;
  const { error } = (issue.params ?? {}) as Explained;
  return error ?? null;
}

/**
 * The values of options: those that are left out, or `undefined`, have their defaults.
 *
 * @param where how the options are called, such as `limits`
 * @param prefix what stands before the name of an option
 * @throws TypeError, FanfareError where the option has a code, or the error of a check that the schema runs
 */
export function checkedOptions<Options extends z.ZodObject>(
  where: string,
  options: Options,
  given: unknown,
  prefix = where,
): z.output<Options> {
  const result = options.safeParse(given);
  if (result.success) return result.data;
  const { issues } = result.error;
  // A name that is not known is mostly the reason for what is missing.
  const issue =
    issues.find(({ code, path }) => code === "unrecognized_keys" && path.length === 0) ?? issues[0];
  throw issue ? errorOf(issue, where, prefix, options, given) : new TypeError(`${where} cannot be read.`);
}

function errorOf(
  issue: z.core.$ZodIssue,
  where: string,
  prefix: string,
  schema: z.ZodObject,
  values: unknown,
): Error {
  const explained = explainedBy(issue);
  if (explained) return explained;
  const [deeper] = nearestForm(issue);
  if (deeper) return errorOf(deeper, where, prefix, schema, values);
  const key = spelled(issue.path, prefix) || where;
  const code = schemasAt(schema, issue.path)
    .map((each) => descriptionOf(each)?.code)
    .findLast((each) => each !== undefined);
  if (issue.code === "unrecognized_keys") {
    const [name = ""] = issue.keys;
    const remedy = remedyFor(name, namesAt(schema, issue.path));
    return refusal(`${key}: ${quote(name)} is not known`, remedy, code);
  }
  const { value, allowed } = wrongValue(issue, schema, values, "null");
  return refusal(`${key} is ${value}`, `Give ${allowed}.`, code);
}

function refusal(message: string, remedy: string, code: Description["code"]): Error {
  return code === undefined
    ? new TypeError(`${message}. ${remedy}`)
    : new FanfareError(code, message, { remedy });
}

/** A wrong value and the values that may be given, in words. @param nothing the word for `null`: a file has an empty value then */
export function wrongValue(
  issue: z.core.$ZodIssue,
  schema: z.core.$ZodType,
  values: unknown,
  nothing: "null" | "empty",
): { readonly value: string; readonly allowed: string } {
  const { path } = issue;
  const description = descriptionAt(schema, path);
  return {
    // The place of a list or of a group may hold a secret.
    value:
      isOfParts(issue) && valueAt(values, path) !== undefined
        ? kindOf(valueAt(values, path))
        : shown(valueAt(values, path), description?.secret === true, nothing),
    allowed: allowedFor(issue, description?.allowed),
  };
}

/** Was something expected that has parts? */
function isOfParts(issue: z.core.$ZodIssue): boolean {
  return issue.code === "invalid_type" && ["array", "object"].includes(issue.expected);
}

/** Most lists say of their items what is allowed. */
function allowedFor(issue: z.core.$ZodIssue, allowed = "an object"): string {
  const noList = issue.code === "invalid_type" && issue.expected === "array";
  return noList && !allowed.startsWith("a list") ? `a list, each item ${allowed}` : allowed;
}

/** Of several forms, a value is most likely meant to have the one in which something can be wrong inside of it. */
export function nearestForm(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== "invalid_union") return [];
  const isInside = (each: z.core.$ZodIssue) => each.path.length > 0 || each.code === "unrecognized_keys";
  const issues = issue.errors.find((form) => form.some(isInside)) ?? [];
  return issues.map((each) => ({ ...each, path: [...issue.path, ...each.path] }));
}

/** Such as `rules[0].history`. @param where what stands before it */
export function spelled(path: readonly PropertyKey[], where = ""): string {
  return path.reduce<string>((above, step) => {
    if (typeof step === "number") return `${above}[${step}]`;
    return above === "" ? printable(String(step)) : `${above}.${printable(String(step))}`;
  }, where);
}

/** A key of a file may be anything. */
function printable(key: string): string {
  return /^[\w$-]{1,60}$/.test(key) ? key : quote(key);
}

export function valueAt(values: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, step) => (inner as Record<PropertyKey, unknown> | undefined)?.[step],
    values,
  );
}

/** Never the whole of a value, and nothing of a secret. */
function shown(value: unknown, secret: boolean, nothing: string): string {
  if (value === undefined) return "missing";
  if (value === null) return nothing;
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  if (typeof value === "function" || typeof value === "symbol") return `a ${typeof value}`;
  if (secret)
    return `a ${typeof value === "string" ? "text" : typeof value} of ${String(value).length} characters`;
  return typeof value === "string" ? quote(value) : String(value);
}
