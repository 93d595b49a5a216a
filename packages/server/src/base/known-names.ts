/** Names that stand for nothing are mostly mistyped, so none is passed over in silence. */
import { FanfareError, quote, shown } from "@fanfare/protocol";
import { nearest } from "./nearest.js";

/** The names of all members of a type; the compiler sees that none is missing, and none too many. */
export function membersOf<T extends object>(members: Readonly<Record<keyof T, true>>): readonly string[] {
  return Object.keys(members);
}

/** The remedy for an unknown name: the likely name, if there is one, and all known names. */
export function remedyFor(name: string, known: readonly string[]): string {
  const near = nearest(name, known);
  return `${near === undefined ? "" : `Did you mean ${near}? `}Use ${known.join(", ")}.`;
}

/** @param where what the name was given to. @throws TypeError */
export function checkKnown(where: string, name: string, known: readonly string[]): void {
  if (known.includes(name)) return;
  if (typeof name !== "string") {
    throw new TypeError(`${where}: ${shown(name)} is no text. Use ${known.join(", ")}.`);
  }
  throw new TypeError(`${where}: ${quote(name)} is not known. ${remedyFor(name, known)}`);
}

/** Looks at what something is made from. @param where how it is called. @throws TypeError */
export function checkOptions(where: string, options: unknown, known: readonly string[]): void {
  // Not shown: what stands in the place of options may be a secret.
  if (!isObject(options)) throw new TypeError(`${where} is ${kindOf(options)}. Give an object.`);
  for (const name of Object.keys(options)) checkKnown(where, name, known);
}

const KINDS = {
  "a list": (value: unknown) => Array.isArray(value),
  "a text": (value: unknown) => typeof value === "string",
  "true or false": (value: unknown) => typeof value === "boolean",
  "a function": (value: unknown) => typeof value === "function",
  "an object": isObject,
};

/** The types of options that no other code checks before their use. */
export type Kinds<T> = Readonly<Partial<Record<keyof T, keyof typeof KINDS>>>;

/**
 * @param where what stands before the names, such as `tokens.`
 * @param inWords how the message names a value; {@link kindOf} where that may be a secret
 * @throws TypeError
 */
export function checkKinds<T extends object>(
  where: string,
  options: T,
  kinds: Kinds<T>,
  inWords: (value: unknown) => string = shown,
): void {
  for (const name in kinds) {
    const kind = kinds[name];
    const value = options[name];
    if (kind === undefined || value === undefined || KINDS[kind](value)) continue;
    throw new TypeError(`${where}${name} is ${inWords(value)}. Give ${kind}.`);
  }
}

/**
 * Looks at something of the application's own that is called later.
 *
 * @param methods those that it needs
 * @throws TypeError
 */
export function checkMethods(where: string, given: unknown, methods: readonly string[]): void {
  const missing = methods.find((name) => typeof Object(given)[name] !== "function");
  if (missing === undefined) return;
  throw new TypeError(`${where} has no function ${missing}. Give an object with ${methods.join(", ")}.`);
}

/**
 * Looks at what a call was given.
 *
 * @param where how it is called
 * @param inWords how the message names a value in its place; {@link kindOf} where that may be a secret
 * @throws FanfareError `invalid_request`
 */
export function checkMembers(
  where: string,
  given: unknown,
  known: readonly string[],
  inWords: (value: unknown) => string = shown,
): void {
  if (!isObject(given)) {
    throw new FanfareError("invalid_request", `${where} is ${inWords(given)}`, {
      remedy: `Give an object with ${known.join(", ")}.`,
    });
  }
  for (const name of Object.keys(given)) {
    if (!known.includes(name)) throw unknownMember(where, name, remedyFor(name, known));
  }
}

export function unknownMember(where: string, name: string, remedy: string): FanfareError {
  return new FanfareError("invalid_request", `${where} has ${quote(name)}, which is not known`, { remedy });
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The kind of a value, for messages that must not show it. */
export function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (value === null || value === undefined) return String(value);
  return `${typeof value === "object" ? "an" : "a"} ${typeof value}`;
}
