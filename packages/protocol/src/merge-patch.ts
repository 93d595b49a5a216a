/**
 * JSON Merge Patch (RFC 7396): a change of a JSON object, written as the members that are to become otherwise; `null` removes
 * one. Nothing here changes what it is given, and `__proto__` is a key like any other.
 */

export type JsonObject = { readonly [key: string]: unknown };

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * The value after a patch, as in RFC 7396, section 2. It shares the parts that the patch does not touch
 * with the value before.
 *
 * @example applyMergePatch({ done: 3, note: "x" }, { done: 4, note: null }); // { done: 4 }
 */
export function applyMergePatch(target: unknown, patch: JsonObject): JsonObject;
export function applyMergePatch(target: unknown, patch: unknown): unknown;
export function applyMergePatch(target: unknown, patch: unknown): unknown {
  if (!isJsonObject(patch)) return patch;
  // A map keeps the order of the members, and `__proto__` among them.
  const members = new Map(isJsonObject(target) ? Object.entries(target) : []);
  for (const [key, change] of Object.entries(patch)) {
    if (change === null) members.delete(key);
    else members.set(key, applyMergePatch(members.get(key), change));
  }
  return Object.fromEntries(members);
}

/**
 * One patch that does what two do, one after the other, to whatever value. There is none where the later has an object and the
 * earlier has something else than an object: first removed, then set again, say, which no patch can tell from changed.
 *
 * @returns `null` when there is no such patch
 */
export function mergePatches(first: JsonObject, second: JsonObject): JsonObject | null {
  const members = new Map(Object.entries(first));
  for (const [key, change] of Object.entries(second)) {
    const earlier = members.get(key);
    if (!isJsonObject(change) || !members.has(key)) members.set(key, change);
    else if (isJsonObject(earlier)) {
      const both = mergePatches(earlier, change);
      if (both === null) return null;
      members.set(key, both);
    } else return null;
  }
  return Object.fromEntries(members);
}

/** The way to the first member that is `null`, such as `a.b`: no patch can set one. `null` when there is none. */
export function findNullMember(value: JsonObject): string | null {
  for (const [key, member] of Object.entries(value)) {
    if (member === null) return key;
    const below = isJsonObject(member) ? findNullMember(member) : null;
    if (below !== null) return `${key}.${below}`;
  }
  return null;
}
