/** An engine for tests that another has written badly: each of its methods may throw, reject with what is no error, answer anything, or never. */
import type { Engine } from "../engine/engine.js";

export const MOODS = [
  "throws at once",
  "rejects with what is no error",
  "answers anything",
  "never answers",
] as const;
export type Mood = (typeof MOODS)[number] | "is as it should be";

const NO_ERRORS = [null, undefined, "a text", 7, Object.create(null), Symbol("no error")];
const ANYTHING = [undefined, null, 7, "a text", {}, [], [null], { messages: null }];
/** What answers at once, if it answers. */
const AT_ONCE = new Set<string | symbol>(["unlisten", "on", "heapBytes", "looseBytes", "keepLoose"]);
/** Objects whose methods are as wild. */
const PARTS = new Set<string | symbol>(["logs", "signals", "sessions"]);

/** The engine behind, as long as nobody sets `mood`. Its announcements count as lossy, so that the hub compares. */
export function wildEngine(inner: Engine): { readonly engine: Engine; mood: Mood; calls: number } {
  /** Each method goes through the answers by itself, so that what one is asked changes nothing of what another answers. */
  const turns = new Map<string | symbol, number>();
  const next = (name: string | symbol, list: readonly unknown[]) => {
    const turn = turns.get(name) ?? 0;
    turns.set(name, turn + 1);
    return { answer: list[turn % list.length], isAtOnce: turn % 2 === 1 };
  };
  const misbehave = (name: string | symbol): unknown => {
    wild.calls++;
    if (wild.mood === "throws at once") throw new TypeError(`${String(name)} is broken`);
    if (wild.mood === "never answers") return new Promise(() => {});
    if (wild.mood === "answers anything") {
      const { answer, isAtOnce } = next(name, ANYTHING);
      return isAtOnce ? answer : Promise.resolve(answer);
    }
    const { answer } = next(name, NO_ERRORS);
    if (AT_ONCE.has(name)) throw answer;
    return Promise.reject(answer);
  };
  const behind = <Part extends object>(part: Part): Part =>
    new Proxy(part, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (name === "lossy") return true;
        if (PARTS.has(name) && Object(value) === value) return behind(Object(value));
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          const isWild = wild.mood !== "never answers" || !(AT_ONCE.has(name) || name === "space");
          if (wild.mood !== "is as it should be" && isWild) return misbehave(name);
          const answer: unknown = value.apply(target, args);
          return name === "space" ? behind(Object(answer)) : answer;
        };
      },
    });
  const wild: { engine: Engine; mood: Mood; calls: number } = {
    mood: "is as it should be",
    calls: 0,
    engine: behind(inner),
  };
  return wild;
}
