import { applyMergePatch, type JsonObject } from "@fanfare/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { aMessage, EPOCH, NEWS } from "../../testing/scripted-engine.js";
import { Entry } from "../log/entry.js";
import { conflateStates } from "./conflate.js";

type Change = { readonly patch: JsonObject } | { readonly value: JsonObject | null };

/** Entries at offsets 1, 2, 3 …; `null` is a message. */
function entriesOf(changes: readonly (Change | null)[]): Entry[] {
  let from = 0;
  return changes.map((change, index) => {
    const offset = index + 1;
    if (!change) return Entry.of(aMessage(offset));
    const [kind, value] = "patch" in change ? ["patch", change.patch] : ["value", change.value];
    const place = { channel: NEWS, epoch: EPOCH, offset, time: 0, from };
    from = value === null ? 0 : offset;
    return Entry.of({ ...place, change: kind as "patch" | "value", json: JSON.stringify(value) });
  });
}

/** In few words: `1` a message, `from-to patch`. */
function storyOf(entries: readonly Entry[]): string[] {
  return entries.map(({ offset, state }) =>
    state ? `${state.from}-${offset} ${state.change === "value" ? "= " : ""}${state.json}` : `${offset}`,
  );
}

function stateAfter(entries: readonly Entry[], before: JsonObject | null = null): JsonObject | null {
  let now = before;
  for (const { state } of entries) {
    if (!state) continue;
    const json = JSON.parse(state.json);
    now = state.change === "patch" ? applyMergePatch(now, json as JsonObject) : json;
  }
  return now;
}

const member = fc.constantFrom<unknown>(null, 1, 2, { x: 1 }, { x: null, y: 2 }, { x: { z: 1 } });
const change = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ patch: fc.dictionary(fc.constantFrom("a", "b"), member, { maxKeys: 2 }) }),
  },
  { weight: 1, arbitrary: fc.constantFrom({ value: { a: { x: 0 } } }, { value: null }) },
  { weight: 1, arbitrary: fc.constant(null) },
);

describe("conflation", () => {
  test("joins the changes between two messages into one", () => {
    const entries = entriesOf([
      { patch: { a: 1 } },
      { patch: { b: 2 } },
      null,
      { patch: { a: null } },
      { patch: {} },
    ]);
    expect(storyOf(conflateStates(entries, null))).toEqual(['0-2 {"a":1,"b":2}', "3", '2-5 {"a":null}']);
  });

  test("leaves alone what stands alone, with the frame it has", () => {
    const entries = entriesOf([{ patch: { a: 1 } }, null, { patch: { b: 2 } }]);
    const conflated = conflateStates(entries, null);
    expect(conflated).toStrictEqual(entries);
    expect(conflated[0]).toBe(entries[0]);
  });

  test("says the value where no patch does", () => {
    const entries = entriesOf([
      { patch: { a: { x: 1 } } },
      { patch: { a: null } },
      { patch: { a: { y: 2 } } },
    ]);
    const known = { offset: 3, json: '{"kept":0,"a":{"y":2}}' };
    expect(storyOf(conflateStates(entries, known))).toEqual([`0-3 = ${known.json}`]);
  });

  test("says as few patches as possible where the value at that place is not known", () => {
    const entries = entriesOf([
      { patch: { a: 1 } },
      { patch: { a: null } },
      { patch: { a: { y: 2 } } },
      { patch: { b: 1 } },
      null,
    ]);
    for (const known of [null, { offset: 9, json: "{}" }]) {
      expect(storyOf(conflateStates(entries, known))).toEqual([
        '0-2 {"a":null}',
        '2-4 {"a":{"y":2},"b":1}',
        "5",
      ]);
    }
  });

  test("says the value where the patch would be longer", () => {
    const removed = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`member${index}`, null]));
    const entries = entriesOf([{ patch: removed }, { patch: { a: 1 } }]);
    expect(storyOf(conflateStates(entries, { offset: 2, json: '{"a":1}' }))).toEqual(['0-2 = {"a":1}']);
  });

  test("goes on from a value, and from a removed state", () => {
    const entries = entriesOf([{ patch: { a: 1 } }, { value: { b: 1 } }, { patch: { c: 1 } }]);
    expect(storyOf(conflateStates(entries, null))).toEqual(['0-3 = {"b":1,"c":1}']);
    const removed = entriesOf([{ value: { b: 1 } }, { value: null }, { patch: { c: 1 } }]);
    expect(storyOf(conflateStates(removed, null))).toEqual(['0-3 = {"c":1}']);
    expect(storyOf(conflateStates(removed.slice(0, 2), null))).toEqual(["0-2 = null"]);
  });

  test("ends with the same state as all changes in turn, wherever it is cut, and never moves a message", () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 30 }), fc.boolean(), fc.nat(29), (changes, isKnown, cut) => {
        const entries = entriesOf(changes);
        const before = stateAfter(entries.slice(0, cut));
        const rest = entries.slice(cut);
        const state = stateAfter(rest, before);
        const newest = rest.findLast((entry) => entry.state)?.offset ?? 0;
        const known = isKnown ? { offset: newest, json: state && JSON.stringify(state) } : null;
        const conflated = conflateStates(rest, known);
        expect(stateAfter(conflated, before)).toStrictEqual(state);
        const messages = (all: readonly Entry[]) => all.flatMap(({ message }) => message?.offset ?? []);
        expect(messages(conflated)).toEqual(messages(rest));
        const offsets = conflated.map(({ offset }) => offset);
        expect(offsets).toEqual([...new Set(offsets)].sort((a, b) => a - b));
        expect(offsets.at(-1)).toBe(rest.at(-1)?.offset);
        if (!isKnown || messages(rest).length > 0) return;
        expect(conflated.length, "one frame at most").toBeLessThanOrEqual(1);
      }),
      { numRuns: 2000 },
    );
  });
});
