/**
 * Conflation of states: changes that wait to be written, with no message between them, become one. So a subscriber that
 * lags, or is held back by a rate, gets the last value and no more than that.
 */
import { applyMergePatch, type JsonObject, mergePatches } from "@fanfare/protocol";
import type { StateChange } from "../../engine/engine.js";
import { Entry } from "../log/entry.js";
import type { KnownState } from "./state-follower.js";

/** Changes that have become one: a patch where there is one that does the same, else the value after them. */
interface Run {
  readonly first: StateChange;
  last: StateChange;
  merged: { readonly patch: JsonObject } | { readonly value: JsonObject | null };
}

/**
 * The same entries, with each run of changes joined into one as far as possible.
 *
 * @param state the newest that is known: its value serves where patches cannot be merged, or are longer
 */
export function conflateStates(entries: readonly Entry[], state: KnownState | null): Entry[] {
  const conflated: Entry[] = [];
  for (let index = 0; index < entries.length; ) {
    let end = index;
    while (entries[end]?.state) end++;
    if (end - index < 2) {
      conflated.push(...entries.slice(index, index + 1));
      index++;
    } else {
      conflated.push(...join(entries.slice(index, end), state));
      index = end;
    }
  }
  return conflated;
}

function join(entries: readonly Entry[], state: KnownState | null): Entry[] {
  const changes = entries.flatMap(({ state: change }) => change ?? []);
  const value = changes.at(-1)?.offset === state?.offset ? state : null;
  const runs: Run[] = [];
  for (const change of changes) {
    const run = runs.at(-1);
    if (run && add(run, change)) continue;
    // The value says all of it at once.
    if (run && value) return [whole(changes, value)];
    runs.push({ first: change, last: change, merged: parse(change) });
  }
  const joined = runs.map(toEntry);
  const [only] = joined;
  if (only?.state && value && only.state.json.length > (value.json ?? "null").length) {
    return [whole(changes, value)];
  }
  return joined;
}

/** @returns whether the change could be joined to the run */
function add(run: Run, change: StateChange): boolean {
  const next = parse(change);
  if ("value" in next) run.merged = next;
  else if ("value" in run.merged) run.merged = { value: applyMergePatch(run.merged.value, next.patch) };
  else {
    const patch = mergePatches(run.merged.patch, next.patch);
    if (patch === null) return false;
    run.merged = { patch };
  }
  run.last = change;
  return true;
}

function parse({ change, json }: StateChange): Run["merged"] {
  const parsed = JSON.parse(json) as JsonObject;
  return change === "patch" ? { patch: parsed } : { value: parsed };
}

function toEntry({ first, last, merged }: Run): Entry {
  const { from } = first;
  const { channel, epoch, offset, time } = last;
  const place = { channel, epoch, offset, time, from };
  return "patch" in merged
    ? Entry.ofState({ ...place, change: "patch", json: JSON.stringify(merged.patch) })
    : Entry.ofState({ ...place, change: "value", json: JSON.stringify(merged.value) });
}

function whole(changes: readonly StateChange[], { json }: KnownState): Entry {
  const [first, last] = [changes[0], changes.at(-1)];
  if (!first || !last) throw new RangeError("no changes to join");
  const { channel, epoch, offset, time } = last;
  const { from } = first;
  return Entry.ofState({ channel, epoch, offset, time, from, change: "value", json: json ?? "null" });
}
