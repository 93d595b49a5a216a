/** Which values a message can carry, checked by one bounded walk for every way in. */
import { quote } from "./errors.js";

/** Why a value cannot be carried. */
export interface ValueProblem {
  readonly code: "invalid_value" | "too_large";
  /** The fault and its place, such as `data.items[3] is NaN`. */
  readonly message: string;
  readonly remedy: string;
}

/** The most levels of arrays and objects inside each other. */
export const MAX_DEPTH = 32;

/**
 * Finds the first thing in a value that JSON would lose or change without saying so: numbers that are not finite,
 * integers that a double cannot hold exactly, more than 32 levels (a cycle has endless ones), and what is no JSON at
 * all (functions, dates, bigints, class instances). Members that are `undefined` are left out, as `JSON.stringify` does.
 *
 * @param maxNodes how many values are looked at before the whole is called too large; a value needs at least one byte
 *   as JSON, so a byte limit serves
 * @param name what the value is called in the message
 */
export function findValueProblem(
  value: unknown,
  maxNodes = Number.POSITIVE_INFINITY,
  name = "data",
): ValueProblem | null {
  return walk(value, { nodesLeft: maxNodes }, 0)?.at(name) ?? null;
}

/** The way to a part of a value, such as `data.items[3].price`; printable whatever the keys are. */
export function formatPath(name: string, keys: readonly PropertyKey[]): string {
  let path = name;
  for (const key of keys) path += typeof key === "number" ? `[${key}]` : step(String(key));
  return path.slice(0, MAX_PATH);
}

/** Characters of a path that are shown. */
const MAX_PATH = 300;
/** A key that needs no quotes in a path. */
const PLAIN_KEY = /^[A-Za-z0-9_$-]{1,60}$/;

/** A problem whose path is put together only while the walk goes back up. */
interface Found {
  at(path: string): ValueProblem;
}

function walk(value: unknown, budget: { nodesLeft: number }, depth: number): Found | null {
  if (--budget.nodesLeft < 0) {
    return {
      at: (path) => ({
        code: "too_large",
        message: `${path.split(/[.[]/, 1)[0]} has too many members`,
        remedy: "Send less at once.",
      }),
    };
  }
  switch (typeof value) {
    case "string":
    case "boolean":
      return null;
    case "number":
      if (!Number.isFinite(value)) return refuse(`is ${value}`, "Send a finite number, a string or null.");
      if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
        return refuse(
          `is the integer ${value}, beyond ±(2^53 − 1), where digits get lost`,
          "Send 64-bit ids and numbers as strings.",
        );
      }
      return null;
    case "object":
      break;
    default:
      return refuse(
        `is ${value === undefined ? "undefined" : `a ${typeof value}`}, which JSON does not have`,
        "Send JSON values only.",
      );
  }
  if (value === null) return null;
  if (depth >= MAX_DEPTH) {
    return refuse(`lies deeper than ${MAX_DEPTH} levels, or in a cycle`, "Send a flatter value.");
  }
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      const found = walk(value[index], budget, depth + 1);
      if (found) return { at: (path) => found.at(`${path}[${index}]`) };
    }
    return null;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    const kind = value.constructor?.name || "class instance";
    return refuse(
      `is a ${kind}, not a plain object`,
      "Turn it into plain JSON first, such as date.toISOString().",
    );
  }
  for (const [key, member] of Object.entries(value)) {
    if (member === undefined) continue;
    const found = walk(member, budget, depth + 1);
    if (found) return { at: (path) => found.at(path + step(key)) };
  }
  return null;
}

/** The way to a member: `.name`, or `["any other key"]`, printable whatever the key is. */
function step(key: string): string {
  return PLAIN_KEY.test(key) ? `.${key}` : `[${quote(key)}]`;
}

function refuse(what: string, remedy: string): Found {
  return { at: (path) => ({ code: "invalid_value", message: `${path.slice(0, MAX_PATH)} ${what}`, remedy }) };
}
