/** What the schema found wrong, in words: the key, the value, where it came from, and what would be right. */
import { quote } from "@fanfare/protocol";
import type { z } from "zod";
import { nearest } from "../base/nearest.js";
import type { Origin } from "./config.js";
import { descriptionAt, GROUPS, OPTIONS } from "./options.js";

/** @param originOf where the option with this key came from */
export function problemOf(
  issue: z.core.$ZodIssue,
  values: unknown,
  originOf: (key: string) => Origin,
): string[] {
  const { path } = issue;
  const option = OPTIONS.find((candidate) => isIn(path, candidate.path));
  const from = originOf(option?.key ?? spelled(path)).name;
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => unknownKey([...path, key], from));
  }
  const key = spelled(path);
  if (issue.code === "custom" && issue.params?.explained === true)
    return [explained(issue.message, key, originOf)];
  const inside = issue.code === "invalid_union" ? nearestForm(issue) : [];
  if (inside.length > 0) return inside.flatMap((deeper) => problemOf(deeper, values, originOf));
  const description = descriptionAt(path);
  const allowed = allowedFor(issue, description?.allowed);
  const value = shown(valueAt(values, path), description?.secret === true || option?.secret === true);
  return [`${key} is ${value} (${from}). Give ${allowed}.${hintOf(key, valueAt(values, path))}`];
}

/** Most of what the server itself says begins with the key. */
function explained(message: string, key: string, originOf: (key: string) => Origin): string {
  const named = [...OPTIONS.map((option) => option.key), key].find(
    (candidate) => message.startsWith(`${candidate}:`) || message.startsWith(`${candidate} `),
  );
  const from = `(${originOf(named ?? key).name})`;
  return named === undefined
    ? `${key} ${from}: ${message}`
    : `${named} ${from}${message.slice(named.length)}`;
}

/** Of several forms, a value is most likely meant to have the one in which something can be wrong inside of it. */
function nearestForm({ path, errors }: z.core.$ZodIssueInvalidUnion): z.core.$ZodIssue[] {
  const isInside = (issue: z.core.$ZodIssue) => issue.path.length > 0 || issue.code === "unrecognized_keys";
  const issues = errors.find((form) => form.some(isInside)) ?? [];
  return issues.map((issue) => ({ ...issue, path: [...path, ...issue.path] }));
}

function unknownKey(path: readonly PropertyKey[], from: string): string {
  const key = spelled(path);
  const name = String(path.at(-1));
  const list = OPTIONS.find((option) => option.members.length > 0 && isIn(path, option.path));
  const close = list
    ? nearest(
        name,
        list.members.map((member) => member.name),
      )
    : nearest(key, [...OPTIONS.map((option) => option.key), ...GROUPS]);
  return `${key} is not known (${from}). ${close ? `Did you mean ${close}?` : "Remove it."}`;
}

function isIn(path: readonly PropertyKey[], above: readonly PropertyKey[]): boolean {
  return above.every((step, index) => path[index] === step);
}

/** Most lists say of their items what is allowed. */
function allowedFor(issue: z.core.$ZodIssue, allowed = "an object"): string {
  const noList = issue.code === "invalid_type" && issue.expected === "array";
  return noList && !allowed.startsWith("a list") ? `a list, each item ${allowed}` : allowed;
}

function hintOf(key: string, value: unknown): string {
  return key === "port" && /^tcp:\/\//.test(String(value))
    ? " Kubernetes makes this variable for a service called fanfare: set enableServiceLinks: false for the pod."
    : "";
}

/** `rules[0].history` */
function spelled(path: readonly PropertyKey[]): string {
  return path
    .map((step) => (typeof step === "number" ? `[${step}]` : `.${printable(String(step))}`))
    .join("")
    .replace(/^\./, "");
}

/** A key of a file may be anything. */
function printable(key: string): string {
  return /^[\w$-]{1,60}$/.test(key) ? key : quote(key);
}

function valueAt(values: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, step) => (inner as Record<PropertyKey, unknown> | undefined)?.[step],
    values,
  );
}

/** Never the whole of a value, and nothing of a secret. */
function shown(value: unknown, secret: boolean): string {
  if (value === undefined) return "missing";
  if (value === null) return "empty";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  if (secret)
    return `a ${typeof value === "string" ? "text" : typeof value} of ${String(value).length} characters`;
  return typeof value === "string" ? quote(value) : String(value);
}
