/**
 * Catches unexpected exceptions in callbacks that a library calls: of a socket, a timer, a parser. Beyond the callback they would
 * end the process. So each is logged and counted, its client is closed, and all others go on.
 */
import { FanfareError } from "@fanfare/protocol";
import type { Clock } from "./clock.js";
import { type Log, silentLog } from "./log.js";

/** The caller: a door, the HTTP server, a timer or the hub's scheduler; `background` where there is none. */
const CALLERS = { websocket: 0, sse: 0, socketio: 0, http: 0, timer: 0, hub: 0, background: 0 } as const;

export type CallbackCaller = keyof typeof CALLERS;

export interface Failure {
  readonly caller: CallbackCaller;
  readonly error: unknown;
  /** The address of the client that is concerned. */
  readonly remote?: string;
}

/** A client, or what looks after it. */
export interface Failing {
  /** An unexpected exception concerns this client: it is ended. Throws none. */
  failedInside(error: unknown): void;
}

/** A way to end the client that is concerned. */
export type Ending = () => void;

export class Failures {
  readonly counts: Record<CallbackCaller, number> = { ...CALLERS };
  readonly #log: Log;
  /** The last logged failure of each kind of background work. */
  readonly #told = new Map<string, string>();

  constructor(log: Log = silentLog) {
    this.#log = log;
  }

  /**
   * To be called by every callback of a library, with what it caught.
   *
   * @param endings end the client that is concerned; the next is tried where one throws, so the last is the one that cannot fail
   */
  caught({ caller, error, remote }: Failure, ...endings: readonly Ending[]): void {
    this.counts[caller]++;
    const fields = { err: error, caller, ...(remote !== undefined && { remote }) };
    this.#log.error(fields, "a callback failed: its client is closed, and everybody else goes on");
    for (const end of endings) {
      try {
        end();
        return;
      } catch (another) {
        this.#log.error({ err: another, caller }, "a client could not be closed");
      }
    }
  }

  /**
   * To be called by what goes on in the background whatever happens, with what it caught; it tries again after a pause. An error that
   * stays the same is logged once, and counted each time. A FanfareError, such as that of an engine that cannot be reached, is not a
   * failure.
   *
   * @param doing what it was doing, for the log
   */
  goesOn(doing: string, error: unknown): void {
    if (error instanceof FanfareError) return;
    this.counts.background++;
    const what = error instanceof Error ? `${error.name}: ${error.message}` : typeof error;
    if (this.#told.get(doing) === what) return;
    this.#told.set(doing, what);
    this.#log.error({ err: error, doing }, `${doing} failed; it is tried again`);
  }

  /** Begins work in the background: what it throws, or is rejected with, goes to {@link goesOn}. */
  inBackground(doing: string, work: () => unknown): void {
    (async () => await work())().catch((error: unknown) => this.goesOn(doing, error));
  }

  /** The same callback, which lets no exception out. For those that are made anew for each call, use {@link caught}. */
  guarded<Args extends readonly unknown[]>(
    caller: CallbackCaller,
    callback: (...args: Args) => void,
    ...endings: readonly Ending[]
  ): (...args: Args) => void {
    return (...args) => {
      try {
        callback(...args);
      } catch (error) {
        this.caught({ caller, error }, ...endings);
      }
    };
  }
}

/** The same clock, whose timers let no exception out. */
export function guardedClock(clock: Clock, failures: Failures): Clock {
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    after: (ms, call) => clock.after(ms, failures.guarded("timer", call)),
    every: (ms, call) => clock.every(ms, failures.guarded("timer", call)),
    endOfTurn: (call) => clock.endOfTurn(failures.guarded("timer", call)),
  };
}
