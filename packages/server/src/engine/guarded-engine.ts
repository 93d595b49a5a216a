/**
 * An engine that somebody else has written, as the hub expects one: what it is asked is answered by a promise, also where it throws at
 * once or answers with something else, and nothing but a promise fails. Whether the answers are right, this does not know.
 */
import type { Failures } from "../base/failures.js";
import type { Engine, EngineStats, EngineTrouble } from "./engine.js";
import { GuardedLogs } from "./guarded-logs.js";
import type { Logs } from "./logs.js";
import { promised } from "./promised.js";
import type { Sessions } from "./sessions.js";
import type { Signals } from "./signals.js";
import type { Space, SpaceOptions } from "./space.js";

export class GuardedEngine implements Engine {
  readonly durable: boolean;
  readonly lossy: boolean;
  readonly sharesEntries: boolean;
  readonly logs: Logs;
  readonly signals: Signals;
  readonly sessions: Sessions;
  readonly heapBytes?: () => number;
  readonly looseBytes?: () => number;
  readonly keepLoose?: (bytes: number) => void;
  readonly stats?: () => Promise<EngineStats>;
  readonly #engine: Engine;
  readonly #failures: Failures;

  constructor(engine: Engine, failures: Failures) {
    this.durable = engine.durable;
    this.lossy = engine.lossy;
    this.sharesEntries = engine.sharesEntries ?? false;
    this.#engine = engine;
    this.#failures = failures;
    this.logs = new GuardedLogs(engine.logs, failures);
    const { signals, sessions } = engine;
    this.signals = {
      send: (topic, json) => promised(() => signals.send(topic, json)),
      on: (topic, listener) => this.#stopping(signals.on(topic, listener)),
    };
    this.sessions = {
      put: (hash, json, ttlMs, owner) => promised(() => sessions.put(hash, json, ttlMs, owner)),
      renew: (hash, ttlMs) => promised(() => sessions.renew(hash, ttlMs)),
      take: (hash) => promised(() => sessions.take(hash)),
    };
    // Parts that it does not have are left out here, too.
    if (engine.heapBytes) this.heapBytes = () => this.#bytes(() => engine.heapBytes?.());
    if (engine.looseBytes) this.looseBytes = () => this.#bytes(() => engine.looseBytes?.());
    if (engine.keepLoose) this.keepLoose = (bytes) => void this.#bytes(() => engine.keepLoose?.(bytes));
    if (engine.stats) this.stats = async () => (await engine.stats?.()) ?? {};
  }

  get trouble(): EngineTrouble | null {
    try {
      return this.#engine.trouble ?? null;
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
    return {
      durable: this.#isDurable(space),
      get: (key) => promised(() => space().get(key)),
      compareAndSet: (key, expected, value) => promised(() => space().compareAndSet(key, expected, value)),
      list: (after, limit) => promised(() => space().list(after, limit)),
      version: () => promised(() => space().version()),
    };
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
    return promised(() => this.#engine.now());
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
