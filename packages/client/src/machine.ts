/**
 * How the client's connection behaves, as one state machine: from a state and an event to the next state and what is to be done.
 * Touches nothing by itself, so every path can be tested. The drawing is in this package's README.
 */
import { CLOSE, type CloseCode } from "@fanfare/protocol";
import type { Connection, Transport } from "./types.js";

/** How long a socket may take to open, and the server to answer `connect`. */
export const OPEN_WITHIN_MS = 10_000;
/** A ping is sent this often, and the server is dead when it has said nothing between two of them. */
export const PING_EVERY_MS = 15_000;
/** The same after the page woke up, when the connection is likely to be gone. */
export const WAKE_ANSWER_WITHIN_MS = 3000;
/** Waits double from the first to the second, and a random part of each is waited. */
export const RETRY_MIN_MS = 500;
export const RETRY_MAX_MS = 30_000;
/** In addition to that part: no wait is shorter, and pages come back as far apart as without it. */
const RETRY_FLOOR_MS = 250;
/** A connection that held for this long counts as a success: the waits begin anew. */
export const STABLE_AFTER_MS = 5000;
/** A timer that is later than this says that the page slept or was busy, and had no chance to hear an answer. */
export const LATE_MS = 2000;

export type Machine =
  | { readonly phase: "idle" }
  /** A socket is being opened. */
  | { readonly phase: "opening"; readonly attempt: number }
  /** `connect` was sent. */
  | { readonly phase: "greeting"; readonly attempt: number }
  | {
      readonly phase: "connected";
      readonly attempt: number;
      readonly since: number;
      readonly connection: string;
      readonly resumed: boolean;
      readonly transport: Transport;
      /** Pings since the last frame came. */
      readonly unanswered: number;
      /** When the timer is to fire. */
      readonly dueAt: number;
      /** What the server said in `goodbye`, in milliseconds. */
      readonly retryAfterMs: number | null;
      /** What it said in the last `error`, in milliseconds; holds if it then closes because we are too fast. */
      readonly slowDownMs: number | null;
    }
  | {
      readonly phase: "waiting";
      readonly attempt: number;
      readonly reason: string;
      readonly retryAt: number;
      /** The server asked for this wait, so only the page may cut it short. */
      readonly asked: boolean;
    }
  /** The page is put away, maybe to come back. */
  | { readonly phase: "away" }
  | {
      readonly phase: "closed";
      readonly reason: string;
      readonly remedy: string;
      readonly code: number | null;
      /** How often in a row the server has closed for good. */
      readonly attempt: number;
    };

export type MachineEvent =
  /** The page wants a connection. */
  | { readonly kind: "start" }
  /** The page wants none. */
  | { readonly kind: "stop" }
  | { readonly kind: "opened" }
  | {
      readonly kind: "connected";
      readonly connection: string;
      readonly resumed: boolean;
      readonly transport: Transport;
    }
  /** There is a better way now than the one that the connection goes. */
  | { readonly kind: "switch" }
  /** Any frame came. */
  | { readonly kind: "heard" }
  | { readonly kind: "goodbye"; readonly retryAfterMs: number }
  /** An `error` came that asks to wait. */
  | { readonly kind: "slowDown"; readonly retryAfterMs: number }
  /** The socket is closed, or could not be opened. */
  | {
      readonly kind: "lost";
      readonly code: number;
      readonly reason: string;
      /** Before the next connect the page is asked for a new token. */
      readonly renewable?: boolean;
      /** It was not the server's doing, or the network's. */
      readonly ours?: boolean;
    }
  /** The timer fired. While `connect` waits for something, `reason` says for what. */
  | { readonly kind: "timer"; readonly reason?: string }
  /** The page was woken or came back, or the network came or went. */
  | { readonly kind: "wake" }
  | { readonly kind: "pagehide" };

/** What is to be done. */
interface Effects {
  /** Open a socket, after dropping the one there is. */
  readonly open?: true;
  /** Close the socket cleanly, so that the session ends. */
  readonly leave?: true;
  /** Drop the socket without waiting for anything. */
  readonly drop?: true;
  /** Send `connect`. */
  readonly greet?: true;
  /** Send the subscriptions. */
  readonly subscribe?: true;
  readonly ping?: true;
  /** Milliseconds until the `timer` event, in place of the one before; `null` is none, absent leaves it. */
  readonly timerMs?: number | null;
}

export interface Step {
  readonly next: Machine;
  readonly effects: Effects;
}

/** Time and chance at the moment of an event. */
export interface Moment {
  readonly now: number;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
}

export function step(state: Machine, event: MachineEvent, moment: Moment): Step {
  const { now } = moment;
  switch (event.kind) {
    case "start":
      if (state.phase === "idle" || state.phase === "away") return open(0);
      if (state.phase === "waiting") return open(state.attempt);
      if (state.phase !== "closed") return stay(state);
      // A page may connect by itself whenever it is closed: at once the first time, then as after other failures.
      return state.attempt < 2
        ? open(state.attempt)
        : retry(state.attempt - 1, state.reason, RETRY_MIN_MS, moment);
    case "stop":
      if (state.phase === "closed") return stay(state);
      return {
        next: {
          phase: "closed",
          reason: "The page closed the connection.",
          remedy: "Call connect().",
          code: null,
          attempt: 0,
        },
        effects: { leave: true, timerMs: null },
      };
    case "opened":
      return state.phase === "opening"
        ? {
            next: { phase: "greeting", attempt: state.attempt },
            effects: { greet: true, timerMs: OPEN_WITHIN_MS },
          }
        : stay(state);
    case "connected":
      if (state.phase !== "greeting") return stay(state);
      return {
        next: {
          phase: "connected",
          attempt: state.attempt,
          since: now,
          connection: event.connection,
          resumed: event.resumed,
          transport: event.transport,
          unanswered: 0,
          dueAt: now + PING_EVERY_MS,
          retryAfterMs: null,
          slowDownMs: null,
        },
        effects: { subscribe: true, timerMs: PING_EVERY_MS },
      };
    case "switch":
      return state.phase === "connected" ? open(0) : stay(state);
    case "heard":
      return stay(state.phase === "connected" && state.unanswered > 0 ? { ...state, unanswered: 0 } : state);
    case "goodbye":
      return stay(state.phase === "connected" ? { ...state, retryAfterMs: event.retryAfterMs } : state);
    case "slowDown":
      return stay(state.phase === "connected" ? { ...state, slowDownMs: event.retryAfterMs } : state);
    case "lost":
      return lost(state, event, moment);
    case "timer":
      return timer(state, moment, event.reason);
    case "wake":
      if (state.phase === "connected") return ping(state, 1, WAKE_ANSWER_WITHIN_MS, moment);
      if (state.phase === "away") return open(0);
      return state.phase === "waiting" && !(state.asked && now < state.retryAt)
        ? open(state.attempt)
        : stay(state);
    case "pagehide":
      return state.phase === "idle" || state.phase === "closed"
        ? stay(state)
        : { next: { phase: "away" }, effects: { leave: true, timerMs: null } };
  }
}

/** The connection as users see it. */
export function connectionOf(state: Machine): Connection {
  switch (state.phase) {
    case "idle":
    case "away":
      return { status: "idle" };
    case "opening":
    case "greeting":
      return { status: "connecting" };
    case "connected": {
      const { connection, resumed, transport } = state;
      return { status: "connected", id: connection, resumed, transport };
    }
    case "waiting":
      return { status: "reconnecting", reason: state.reason, attempt: state.attempt, retryAt: state.retryAt };
    case "closed":
      return { status: "closed", reason: state.reason, remedy: state.remedy, code: state.code };
  }
}

function open(attempt: number): Step {
  return { next: { phase: "opening", attempt }, effects: { open: true, timerMs: OPEN_WITHIN_MS } };
}

/** The phase stays, and its timer. */
function stay(next: Machine): Step {
  return { next, effects: {} };
}

function timer(state: Machine, moment: Moment, reason = "No answer came in time."): Step {
  switch (state.phase) {
    case "opening":
      return retry(state.attempt, "The server did not open the connection in time.", null, moment);
    case "greeting":
      return retry(state.attempt, reason, null, moment);
    case "waiting":
      return open(state.attempt);
    case "connected": {
      const { unanswered, dueAt } = state;
      const late = moment.now - dueAt > LATE_MS;
      // After a sleep: ask before judging. But only once, since in a hidden tab every timer may come late.
      if (unanswered === 0 || (late && unanswered === 1)) {
        return ping(state, unanswered + 1, PING_EVERY_MS, moment);
      }
      return retry(attemptAfter(state, moment), "The server has fallen silent.", state.retryAfterMs, moment);
    }
    default:
      return stay(state);
  }
}

type Connected = Extract<Machine, { phase: "connected" }>;

function ping(state: Connected, unanswered: number, withinMs: number, { now }: Moment): Step {
  return {
    next: { ...state, unanswered, dueAt: now + withinMs },
    effects: { ping: true, timerMs: withinMs },
  };
}

type Lost = Extract<MachineEvent, { kind: "lost" }>;

function lost(state: Machine, { code, reason: said, renewable = false }: Lost, moment: Moment): Step {
  if (state.phase !== "opening" && state.phase !== "greeting" && state.phase !== "connected")
    return stay(state);
  const known = Object.values<CloseCode>(CLOSE).find((each) => each.code === code);
  const reason = said || known?.meaning;
  // A clean close that we did not ask for comes from something in between.
  const refused = code >= 4400 && code < 4500 ? !known?.reconnect : known && !known.reconnect && code > 1001;
  // A token that was good has expired, as while the machine slept. One that was refused at once is not tried again.
  const expired = code === CLOSE.notLoggedIn.code && renewable && state.phase === "connected";
  const final = refused && !expired;
  if (final) {
    return {
      next: {
        phase: "closed",
        reason: reason ?? `The server closed with code ${code}.`,
        remedy: known?.remedy ?? "Look up the code in the documentation.",
        code,
        attempt: (state.phase === "connected" ? attemptAfter(state, moment) : state.attempt) + 1,
      },
      effects: { drop: true, timerMs: null },
    };
  }
  if (state.phase === "opening") {
    return retry(state.attempt, said || "The server cannot be reached.", null, moment);
  }
  const why = reason ?? "The connection was lost.";
  if (state.phase === "greeting") return retry(state.attempt, why, null, moment);
  const askedMs = code === CLOSE.tooFast.code ? state.slowDownMs : state.retryAfterMs;
  return retry(attemptAfter(state, moment), why, askedMs, moment);
}

function attemptAfter({ attempt, since }: Connected, { now }: Moment): number {
  return now - since >= STABLE_AFTER_MS ? 0 : attempt;
}

/**
 * Waits, and tries again: at least as long as the server asked, and with full jitter above a floor, a random part of a time that
 * doubles (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
 */
function retry(attempt: number, reason: string, askedMs: number | null, { now, random }: Moment): Step {
  const ms = Math.max(askedMs ?? 0, jitterMs(attempt, random));
  return {
    next: { phase: "waiting", attempt: attempt + 1, reason, retryAt: now + ms, asked: askedMs !== null },
    effects: { drop: true, timerMs: ms },
  };
}

/** How long to wait after this many failures in a row. */
export function jitterMs(failures: number, random: () => number): number {
  const partMs = random() * Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** Math.min(failures, 16));
  return Math.round(RETRY_FLOOR_MS + partMs);
}

/** A server that asks for a longer wait is not obeyed: it was asked for a mistake, or for ever. */
const MAX_ASKED_MS = 300_000;

/** The wait that a server asks for, in milliseconds, whatever it has sent: at least `leastMs`, at most 5 minutes. */
export function waitMs(seconds: unknown, leastMs = 0): number {
  const ms = Number(seconds) * 1000;
  return Number.isNaN(ms) ? RETRY_MIN_MS : Math.min(MAX_ASKED_MS, Math.max(leastMs, ms));
}
