import { CLOSE, type CloseCode } from "@fanfare/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  connectionOf,
  jitterMs,
  LATE_MS,
  type Machine,
  type MachineEvent,
  OPEN_WITHIN_MS,
  PING_EVERY_MS,
  RETRY_MAX_MS,
  RETRY_MIN_MS,
  STABLE_AFTER_MS,
  type Step,
  step,
  WAKE_ANSWER_WITHIN_MS,
} from "./machine.js";

const NOW = 1_000_000;
const moment = { now: NOW, random: () => 0.5 };
const at = (now: number) => ({ ...moment, now });

type Phase = Machine["phase"];
type Connected = Extract<Machine, { phase: "connected" }>;
const connected: Connected = {
  phase: "connected",
  attempt: 2,
  since: NOW - 60_000,
  connection: "c1",
  resumed: false,
  transport: "websocket",
  unanswered: 0,
  dueAt: NOW,
  retryAfterMs: null,
  slowDownMs: null,
};
const states: { [Name in Phase]: Extract<Machine, { phase: Name }> } = {
  idle: { phase: "idle" },
  opening: { phase: "opening", attempt: 2 },
  greeting: { phase: "greeting", attempt: 2 },
  connected,
  waiting: { phase: "waiting", attempt: 2, reason: "Lost.", retryAt: NOW + 500, asked: false },
  away: { phase: "away" },
  closed: { phase: "closed", reason: "The page closed the connection.", remedy: "", code: null, attempt: 0 },
};
const events: { [Kind in MachineEvent["kind"]]: Extract<MachineEvent, { kind: Kind }> } = {
  start: { kind: "start" },
  stop: { kind: "stop" },
  opened: { kind: "opened" },
  connected: { kind: "connected", connection: "c2", resumed: true, transport: "websocket" },
  switch: { kind: "switch" },
  heard: { kind: "heard" },
  goodbye: { kind: "goodbye", retryAfterMs: 1700 },
  slowDown: { kind: "slowDown", retryAfterMs: 9000 },
  lost: { kind: "lost", code: 1006, reason: "" },
  timer: { kind: "timer" },
  wake: { kind: "wake" },
  pagehide: { kind: "pagehide" },
};

/** The phase after each event, and what is done; what is not named leaves the phase as it is, and does nothing. */
const table: { [Name in Phase]: { [Kind in MachineEvent["kind"]]?: string } } = {
  idle: { start: "opening: open timer", stop: "closed: leave timer", wake: "idle", pagehide: "idle" },
  opening: {
    opened: "greeting: greet timer",
    lost: "waiting: drop timer",
    timer: "waiting: drop timer",
    stop: "closed: leave timer",
    pagehide: "away: leave timer",
  },
  greeting: {
    connected: "connected: subscribe timer",
    lost: "waiting: drop timer",
    timer: "waiting: drop timer",
    stop: "closed: leave timer",
    pagehide: "away: leave timer",
  },
  connected: {
    lost: "waiting: drop timer",
    timer: "connected: ping timer",
    wake: "connected: ping timer",
    switch: "opening: open timer",
    stop: "closed: leave timer",
    pagehide: "away: leave timer",
  },
  waiting: {
    start: "opening: open timer",
    timer: "opening: open timer",
    wake: "opening: open timer",
    stop: "closed: leave timer",
    pagehide: "away: leave timer",
  },
  away: {
    start: "opening: open timer",
    wake: "opening: open timer",
    stop: "closed: leave timer",
    pagehide: "away: leave timer",
  },
  closed: { start: "opening: open timer" },
};

const summary = ({ next, effects }: Step) => {
  const done = Object.keys(effects).map((effect) => (effect === "timerMs" ? "timer" : effect));
  return [`${next.phase}${done.length > 0 ? ":" : ""}`, ...done].join(" ");
};

describe.each(Object.values(states))("in the phase $phase", (state) => {
  test.each(Object.values(events))("the event $kind leads where the table says", (event) => {
    expect(summary(step(state, event, moment))).toBe(table[state.phase][event.kind] ?? state.phase);
  });
});

test("no event leaves a timer that nobody waits for, and none takes away one that somebody does", () => {
  for (const state of Object.values(states)) {
    for (const event of Object.values(events)) {
      const { next, effects } = step(state, event, moment);
      if (next.phase === state.phase) continue;
      const waits = next.phase !== "idle" && next.phase !== "away" && next.phase !== "closed";
      expect(typeof effects.timerMs, `${state.phase} × ${event.kind}`).toBe(waits ? "number" : "object");
    }
  }
});

describe("reconnecting", () => {
  const lost = (state: Machine, code = 1006, now = NOW) => {
    const { next } = step(state, { kind: "lost", code, reason: "" }, at(now));
    if (next.phase !== "waiting") throw new Error(`the phase is ${next.phase}`);
    return next;
  };

  test("waits a quarter of a second and a random part of a time that doubles up to half a minute", () => {
    fc.assert(
      fc.property(
        fc.nat(2000),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (n, chance) => {
          const most = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** n);
          const waitMs = jitterMs(n, () => chance);
          expect(waitMs).toBeGreaterThanOrEqual(250);
          expect(Math.abs(waitMs - 250 - chance * most)).toBeLessThanOrEqual(0.5);
        },
      ),
    );
  });

  test("waits longer with each try that fails", () => {
    let state: Machine = states.opening;
    const waits: number[] = [];
    for (let attempt = 0; attempt < 8; attempt++) {
      const waiting = lost(state);
      waits.push(waiting.retryAt - NOW);
      state = step(waiting, events.timer, moment).next;
    }
    expect(waits).toEqual([1250, 2250, 4250, 8250, 15_250, 15_250, 15_250, 15_250]);
  });

  test("begins with short waits again after a connection that held", () => {
    const since = NOW - STABLE_AFTER_MS;
    expect(lost({ ...connected, since })).toMatchObject({ attempt: 1, retryAt: NOW + 500 });
    expect(lost({ ...connected, since: since + 1 })).toMatchObject({ attempt: 3, retryAt: NOW + 1250 });
  });

  test("obeys the goodbye to the millisecond, however the connection then ends", () => {
    const told = step(connected, events.goodbye, moment).next;
    for (const code of [1012, 1006, 1001]) {
      expect(lost(told, code)).toMatchObject({ retryAt: NOW + 1700, asked: true });
    }
    const silent = step({ ...(told as Connected), unanswered: 1 }, events.timer, moment).next;
    expect(silent).toMatchObject({ phase: "waiting", retryAt: NOW + 1700 });
  });

  test("comes back after the wait of the last error when it was too fast, and only then", () => {
    const told = step(connected, events.slowDown, moment).next;
    expect(lost(told, CLOSE.tooFast.code)).toMatchObject({ retryAt: NOW + 9000, asked: true });
    expect(lost(told, 1006)).toMatchObject({ retryAt: NOW + 500, asked: false });
  });

  test("a page that wakes does not cut short a wait that the server asked for, but the page's own word does", () => {
    const waiting = lost(step(connected, events.goodbye, moment).next, 1012);
    expect(step(waiting, events.wake, at(NOW + 1699)).next).toBe(waiting);
    expect(step(waiting, events.wake, at(NOW + 1700)).next.phase).toBe("opening");
    expect(step(waiting, events.start, moment).next.phase).toBe("opening");
  });

  test("says why", () => {
    const why = (state: Machine, code: number, reason = "") =>
      connectionOf(step(state, { kind: "lost", code, reason }, moment).next);
    expect(why(states.opening, 1006)).toMatchObject({ reason: "The server cannot be reached." });
    expect(why(states.opening, 1006, "SecurityError")).toMatchObject({ reason: "SecurityError" });
    expect(why(connected, 1006)).toMatchObject({ reason: "The connection was lost." });
    expect(why(connected, 1012)).toMatchObject({ reason: CLOSE.restart.meaning });
    expect(why(connected, 1013, "too slow")).toMatchObject({ reason: "too slow" });
    expect(connectionOf(step(states.greeting, events.timer, moment).next)).toMatchObject({
      status: "reconnecting",
      reason: "No answer came in time.",
    });
  });
});

describe("the close code decides whether to come back", () => {
  /** From the other side these come from something in between; only a client closes with them on purpose. */
  const notOurs = new Set<number>([CLOSE.normal.code, CLOSE.goingAway.code]);

  test.each(Object.values<CloseCode>(CLOSE))("$code", ({ code, meaning, remedy, reconnect }) => {
    const { next } = step(connected, { kind: "lost", code, reason: "" }, moment);
    if (reconnect || notOurs.has(code)) expect(next).toMatchObject({ phase: "waiting", reason: meaning });
    else expect(next).toMatchObject({ phase: "closed", reason: meaning, remedy, code });
  });

  test("an unknown code of the protocol's range is final, any other is not", () => {
    const phase = (code: number) => step(connected, { kind: "lost", code, reason: "" }, moment).next.phase;
    expect([4499, 4400].map(phase)).toEqual(["closed", "closed"]);
    expect([1005, 1006, 1014, 1015, 3000, 4000, 4399, 4500].map(phase)).toEqual(
      Array.from({ length: 8 }, () => "waiting"),
    );
  });

  test("a final state says what to do, even for a code that is not known", () => {
    const { next } = step(connected, { kind: "lost", code: 4498, reason: "" }, moment);
    expect(connectionOf(next)).toMatchObject({
      status: "closed",
      code: 4498,
      reason: expect.stringContaining("4498"),
    });
  });
});

describe("a dead server", () => {
  test("is noticed when a ping stays unanswered", () => {
    const asked = step(connected, events.timer, moment);
    expect(asked).toMatchObject({ next: { unanswered: 1 }, effects: { ping: true, timerMs: PING_EVERY_MS } });
    const { next } = step(asked.next, events.timer, at(NOW + PING_EVERY_MS));
    expect(next).toMatchObject({ phase: "waiting", reason: "The server has fallen silent." });
  });

  test("is not assumed when anything was heard since", () => {
    const asked = step(connected, events.timer, moment).next;
    const heard = step(asked, events.heard, moment).next;
    expect(step(heard, events.timer, at(NOW + PING_EVERY_MS)).next.phase).toBe("connected");
  });

  test("is asked once more when the timer comes late, and judged then", () => {
    const asked = step(connected, events.timer, moment).next;
    const late = NOW + PING_EVERY_MS + LATE_MS + 1;
    const again = step(asked, events.timer, at(late));
    expect(again).toMatchObject({ next: { phase: "connected", unanswered: 2 }, effects: { ping: true } });
    expect(step(again.next, events.timer, at(late + 60_000)).next.phase).toBe("waiting");
  });

  test("is noticed soon after the page wakes", () => {
    const woken = step(connected, events.wake, moment);
    expect(woken.effects).toEqual({ ping: true, timerMs: WAKE_ANSWER_WITHIN_MS });
    expect(step(woken.next, events.timer, at(NOW + WAKE_ANSWER_WITHIN_MS)).next.phase).toBe("waiting");
  });

  test("is noticed in a hidden tab, where timers run once a minute", () => {
    let state: Machine = connected;
    let now = NOW;
    for (let minute = 0; minute < 3; minute++) {
      now += 60_000;
      state = step(state, events.timer, at(now)).next;
    }
    expect(state.phase).toBe("waiting");
  });

  test("never is a healthy one whose timers run once a minute for ten minutes", () => {
    let state: Machine = connected;
    for (let minute = 1; minute <= 10; minute++) {
      const asked = step(state, events.timer, at(NOW + minute * 60_000));
      expect(asked.effects.ping).toBe(true);
      state = step(asked.next, events.heard, at(NOW + minute * 60_000 + 50)).next;
      expect(state.phase).toBe("connected");
    }
  });

  test("a socket that never opens, and a greeting that is never answered, are given up", () => {
    const opening = step(states.idle, events.start, moment);
    expect(opening.effects.timerMs).toBe(OPEN_WITHIN_MS);
    expect(step(opening.next, events.timer, moment).effects.drop).toBe(true);
    const greeting = step(opening.next, events.opened, moment);
    expect(greeting.effects.timerMs).toBe(OPEN_WITHIN_MS);
    expect(step(greeting.next, events.timer, moment).effects.drop).toBe(true);
  });
});

describe("a page that is put away", () => {
  test("leaves cleanly, hears nothing more, and comes back at once", () => {
    const away = step(connected, events.pagehide, moment).next;
    expect(connectionOf(away)).toEqual({ status: "idle" });
    for (const event of [events.lost, events.timer, events.opened, events.connected]) {
      expect(step(away, event, moment)).toEqual({ next: away, effects: {} });
    }
    for (const event of [events.wake, events.start]) {
      expect(step(away, event, moment).next).toEqual({ phase: "opening", attempt: 0 });
    }
  });

  test("stays closed when the page had closed it", () => {
    const hidden = step(states.closed, events.pagehide, moment).next;
    expect(step(hidden, events.wake, moment).next.phase).toBe("closed");
  });
});

test("closing what the server has closed keeps its reason", () => {
  const refused = step(connected, { kind: "lost", code: 4401, reason: "expired" }, moment).next;
  expect(step(refused, events.stop, moment).next).toBe(refused);
});

test("the states that users see have no more than what they are told to have", () => {
  expect(connectionOf(states.opening)).toEqual({ status: "connecting" });
  expect(connectionOf(states.greeting)).toEqual({ status: "connecting" });
  expect(connectionOf(connected)).toEqual({
    status: "connected",
    id: "c1",
    resumed: false,
    transport: "websocket",
  });
  expect(connectionOf(states.waiting)).toEqual({
    status: "reconnecting",
    reason: "Lost.",
    attempt: 2,
    retryAt: NOW + 500,
  });
});
