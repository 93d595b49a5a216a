/**
 * Parameters with brackets, as clients of Feathers write queries in an address: `a[$gt]=5&$or[0][name]=Ann&$select[]=name`. A
 * parameter that is given several times is a list.
 */
import { FanfareError, type JsonObject, quote } from "@fanfare/protocol";

/** Brackets in a row. */
const MAX_DEPTH = 16;

/** A text, or members by their names; those of lists are numbers. */
type Node = string | Map<string, Node>;

/** @throws FanfareError `invalid_request` when a parameter is a text here and has members there */
export function nestedQuery(pairs: Iterable<readonly [name: string, value: string]>): JsonObject {
  const query = new Map<string, Node>();
  for (const [name, value] of pairs) {
    const [first = name, ...path] = segmentsOf(name);
    let container = query;
    let segment = first;
    for (const next of path) {
      container = below(container, segment, name);
      segment = next === "" ? String(container.size) : next;
    }
    const before = container.get(segment);
    if (before === undefined) container.set(segment, value);
    else if (typeof before === "string") {
      container.set(
        segment,
        new Map([
          ["0", before],
          ["1", value],
        ]),
      );
    } else before.set(String(before.size), value);
  }
  return Object.fromEntries([...query].map(([name, node]) => [name, valueIn(node)]));
}

/** `a[b][]` is a, b and nothing. Other forms are names as they are. */
function segmentsOf(name: string): string[] {
  const [, first, brackets] = /^([^[\]]+)((?:\[[^[\]]*\])+)$/.exec(name) ?? [];
  if (first === undefined || brackets === undefined) return [name];
  const path = brackets.slice(1, -1).split("][");
  if (path.length <= MAX_DEPTH) return [first, ...path];
  throw new FanfareError("invalid_request", `the parameter ${quote(name)} has ${path.length} brackets`, {
    remedy: `Give at most ${MAX_DEPTH}.`,
  });
}

function below(container: Map<string, Node>, segment: string, name: string): Map<string, Node> {
  const found = container.get(segment) ?? new Map<string, Node>();
  if (typeof found === "string") {
    throw new FanfareError(
      "invalid_request",
      `the parameter ${quote(name)} has a value without brackets, too`,
      {
        remedy: "Give it one or the other way.",
      },
    );
  }
  container.set(segment, found);
  return found;
}

function valueIn(node: Node): unknown {
  if (typeof node === "string") return node;
  const members = [...node].map(([name, value]) => [name, valueIn(value)] as const);
  if (!members.every(([name]) => /^[0-9]{1,9}$/.test(name))) return Object.fromEntries(members);
  return members.sort(([one], [other]) => Number(one) - Number(other)).map(([, value]) => value);
}
