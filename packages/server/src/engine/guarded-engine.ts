/**
 * An engine that somebody else has written, as the hub expects one: what it is asked is answered by a promise, also where it throws at
 * once or answers with something else, and in time, also where it never does. Nothing but a promise fails. Whether the answers are right,
 * this does not know.
 */
import type { Clock } from "../base/clock.js";
import type { Failures } from "../base/failures.js";
import type { Log } from "../base/log.js";
import { AnswerDeadline, promised } from "./answer-deadline.js";
import type { Engine, EngineStats, EngineTrouble } from "./engine.js";
import { GuardedLogs } from "./guarded-logs.js";
import type { Logs } from "./logs.js";
import type { Sessions } from "./sessions.js";
import type { Signals } from "./signals.js";
import type { Space, SpaceOptions } from "./space.js";

export class GuardedEngine implements Engine {
  readonly durable: boolean;
  readonly lossy: boolean;
  readonly sharesEntries: boolean;
  readonly isOneServer: boolean;
  readonly logs: Logs;
  readonly signals: Signals;
  readonly sessions: Sessions;
  readonly heapBytes?: () => number;
  readonly looseBytes?: () => number;
  readonly keepLoose?: (bytes: number) => void;
  readonly stats?: () => Promise<EngineStats>;
  readonly #engine: Engine;
  readonly #failures: Failures;
  readonly #deadline: AnswerDeadline;

  constructor(engine: Engine, failures: Failures, clock: Clock, log: Log) {
    this.durable = engine.durable;
    this.lossy = engine.lossy;
    this.sharesEntries = engine.sharesEntries ?? false;
    this.isOneServer = engine.isOneServer ?? false;
    this.#engine = engine;
    this.#failures = failures;
    const deadline = new AnswerDeadline(clock, log);
    this.#deadline = deadline;
    this.logs = new GuardedLogs(engine.logs, failures, deadline);
    const { signals, sessions } = engine;
    this.signals = {
      send: (topic, json) => deadline.of("signals.send", null, () => signals.send(topic, json)),
      on: (topic, listener) => this.#stopping(signals.on(topic, listener)),
    };
    this.sessions = {
      put: (hash, json, ttlMs, owner) =>
        deadline.of("sessions.put", null, () => sessions.put(hash, json, ttlMs, owner)),
      renew: (hash, ttlMs) => deadline.of("sessions.renew", null, () => sessions.renew(hash, ttlMs)),
      take: (hash) => deadline.of("sessions.take", null, () => sessions.take(hash)),
    };
    // Parts that it does not have are left out here, too.
    if (engine.heapBytes) this.heapBytes = () => this.#bytes(() => engine.heapBytes?.());
    if (engine.looseBytes) this.looseBytes = () => this.#bytes(() => engine.looseBytes?.());
    if (engine.keepLoose) this.keepLoose = (bytes) => void this.#bytes(() => engine.keepLoose?.(bytes));
    if (engine.stats) this.stats = () => this.#figures(async () => (await engine.stats?.()) ?? {});
  }

  get trouble(): EngineTrouble | null {
    if (this.#deadline.isSilent) return "silent";
    try {
      const { trouble } = this.#engine;
      return trouble === "full" || trouble === "gone" || trouble === "silent" ? trouble : null;
    } catch (error) {
      this.#failures.goesOn("asking the engine for its trouble", error);
      return null;
    }
  }

  space(name: string, options?: SpaceOptions): Space {
    const space = () => {
      const found: unknown = this.#engine.space(name, options);
      if (found instanceof Promise) found.catch(() => {});
      return found as Space;
    };
    const asked = <Answer>(call: keyof Space, ask: () => Promise<Answer>) =>
      this.#deadline.of(`space.${call}`, `space ${name}`, ask);
    return {
      durable: this.#isDurable(space),
      get: (key) => asked("get", () => space().get(key)),
      compareAndSet: (key, expected, value) =>
        asked("compareAndSet", () => space().compareAndSet(key, expected, value)),
      list: (after, limit) => asked("list", () => space().list(after, limit)),
      version: () => asked("version", () => space().version()),
    };
  }

  /** Leaves out figures that it does not tell, so that the others can be seen all the same. */
  async #figures(ask: () => Promise<EngineStats>): Promise<EngineStats> {
    try {
      return await this.#deadline.of("stats", null, ask);
    } catch (error) {
      this.#failures.goesOn("asking the engine for its figures", error);
      return {};
    }
  }

  #isDurable(space: () => Space): boolean {
    try {
      return space().durable === true;
    } catch (error) {
      this.#failures.goesOn("asking the engine for a space", error);
      return false;
    }
  }

  now(): Promise<number> {
    return this.#deadline.of("now", null, () => this.#engine.now());
  }

  #stopping(stop: unknown): () => void {
    return () => {
      try {
        if (typeof stop === "function") stop();
      } catch (error) {
        this.#failures.goesOn("no longer hearing signals", error);
      }
    };
  }

  /** Figures that it does not tell are zero. */
  #bytes(ask: () => unknown): number {
    try {
      const bytes = ask();
      return typeof bytes === "number" && bytes > 0 ? bytes : 0;
    } catch (error) {
      this.#failures.goesOn("asking the engine for its memory", error);
      return 0;
    }
  }

  close(): Promise<void> {
    return promised(() => this.#engine.close());
  }
}
