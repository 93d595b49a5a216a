/** An engine for tests that passes every call on to another, but for the calls that it answers differently. */
import type { Engine, Logs, Sessions, Signals } from "../engine/engine.js";

type Parts = "logs" | "signals" | "sessions";

export interface Changes {
  readonly logs?: Partial<Logs>;
  readonly signals?: Partial<Signals>;
  readonly sessions?: Partial<Sessions>;
}

export function changedEngine<Inner extends Engine>(
  inner: Inner,
  { logs, signals, sessions, ...rest }: Changes & Partial<Omit<Inner, Parts>>,
): Inner {
  return over(inner, {
    ...rest,
    logs: over(inner.logs, logs),
    signals: over(inner.signals, signals),
    sessions: over(inner.sessions, sessions),
  });
}

/** The members that are given, and those of the whole where they are not. */
function over<Whole extends object>(whole: Whole, given: object = {}): Whole {
  const members = new Map<string | symbol, unknown>(Object.entries(given));
  return new Proxy(whole, {
    get(target, name) {
      if (members.has(name)) return members.get(name);
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
