/** The problems that the schema finds, in words: the key, the value, where it came from, and what would be right. */
import type { z } from "zod";
import { nearest } from "../base/nearest.js";
import { explainedBy, nearestForm, spelled, valueAt, wrongValue } from "../base/option-checks.js";
import type { Origin } from "./config.js";
import { GROUPS, OPTIONS } from "./options.js";
import { configSchema } from "./schema.js";

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
  const error = explainedBy(issue);
  if (error) return [explained(error, key, originOf)];
  const inside = nearestForm(issue);
  if (inside.length > 0) return inside.flatMap((deeper) => problemOf(deeper, values, originOf));
  const { value, allowed } = wrongValue(issue, configSchema, values, "empty");
  return [`${key} is ${value} (${from}). Give ${allowed}.${hintOf(key, valueAt(values, path))}`];
}

/** Most of what the server itself says begins with the key. */
function explained(error: Error, key: string, originOf: (key: string) => Origin): string {
  const remedy = "remedy" in error ? ` ${String(error.remedy)}` : "";
  const message = `${error.message.replace(/\.?$/, ".")}${remedy}`;
  const named = [...OPTIONS.map((option) => option.key), key].find(
    (candidate) => message.startsWith(`${candidate}:`) || message.startsWith(`${candidate} `),
  );
  const from = `(${originOf(named ?? key).name})`;
  return named === undefined
    ? `${key} ${from}: ${message}`
    : `${named} ${from}${message.slice(named.length)}`;
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

function hintOf(key: string, value: unknown): string {
  return key === "port" && /^tcp:\/\//.test(String(value))
    ? " Kubernetes makes this variable for a service called fanfare: set enableServiceLinks: false for the pod."
    : "";
}
