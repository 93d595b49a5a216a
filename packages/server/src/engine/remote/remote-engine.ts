/** The engine of another process of this machine: a node of a deployment on several cores. See `engine-server.ts`. */
import { type Clock, systemClock } from "../../base/clock.js";
import { Failures, guardedClock } from "../../base/failures.js";
import { checkKinds, checkOptions, membersOf } from "../../base/known-names.js";
import { guardedLog, type Log } from "../../base/log.js";
import type { Engine, EngineStats, EngineTrouble } from "../engine.js";
import type { Sessions } from "../sessions.js";
import type { Signals } from "../signals.js";
import type { Space, SpaceOptions } from "../space.js";
import { Link } from "./link.js";
import type { EngineMessage, Greeting } from "./messages.js";
import { RemoteLogs } from "./remote-logs.js";
import { RemoteSignals } from "./remote-signals.js";

export interface RemoteEngineOptions {
  /** The folder in which the other process serves its engine. */
  readonly folder: string;
  /** @default the machine's */
  readonly clock?: Clock;
  /** @default none */
  readonly logger?: Log;
}

const OPTIONS = membersOf<RemoteEngineOptions>({ folder: true, clock: true, logger: true });

export class RemoteEngine implements Engine {
  readonly durable: boolean;
  /** The other process may be slow, and the connection may be lost. */
  readonly lossy = true;
  readonly isOneServer = true;
  readonly logs: RemoteLogs;
  readonly signals: Signals;
  readonly sessions: Sessions;
  readonly #link: Link;
  readonly #greeting: Greeting;
  readonly #told: Told;

  private constructor(link: Link, told: Told) {
    this.#link = link;
    this.#greeting = link.greeting;
    this.#told = told;
    this.durable = link.greeting.durable;
    this.logs = new RemoteLogs(link);
    const signals = new RemoteSignals(link);
    this.signals = signals;
    this.sessions = {
      put: (hash, json, ttlMs, owner) => link.call("put", hash, json, ttlMs, owner),
      renew: (hash, ttlMs) => link.call("renew", hash, ttlMs),
      take: (hash) => link.call("take", hash),
    };
    told.trouble = link.greeting.trouble;
    told.hear = (message) => {
      if (message[0] === "signal") signals.told(message[1], message[2]);
      else if (message[0] === "trouble") told.trouble = message[1];
      else this.logs.told(message);
    };
    told.reconnected = (since) => {
      signals.reconnected();
      this.logs.reconnected(since);
    };
  }

  /** @throws FanfareError `unavailable` when no process serves an engine in the folder, or it is of another version */
  static async open(options: RemoteEngineOptions): Promise<RemoteEngine> {
    checkOptions("RemoteEngine", options, OPTIONS);
    checkKinds(
      "RemoteEngine: ",
      { ...options, folder: options.folder ?? null },
      { folder: "a text", logger: "an object" },
    );
    const { folder, clock = systemClock, logger } = options;
    const failures = new Failures(logger && guardedLog(logger));
    const told: Told = { trouble: null, hear() {}, reconnected() {} };
    const link = await Link.open(
      { folder, clock: guardedClock(clock, failures), failures },
      { told: (message) => told.hear(message), reconnected: (since) => told.reconnected(since) },
    );
    return new RemoteEngine(link, told);
  }

  get trouble(): EngineTrouble | null {
    return this.#told.trouble;
  }

  space(name: string, { volatile = false }: SpaceOptions = {}): Space {
    const space = { name, volatile };
    const { durableSpaces, durableVolatileSpaces } = this.#greeting;
    const link = this.#link;
    return {
      durable: volatile ? durableVolatileSpaces : durableSpaces,
      get: (key) => link.call("spaceGet", space, key),
      compareAndSet: (key, expected, value) => link.call("spaceCompareAndSet", space, key, expected, value),
      list: (after, limit) => link.call("spaceList", space, after, Math.min(limit, Number.MAX_SAFE_INTEGER)),
      version: () => link.call("spaceVersion", space),
    };
  }

  now(): Promise<number> {
    return this.#link.call("now");
  }

  stats(): Promise<EngineStats> {
    return this.#link.call("stats");
  }

  /** Leaves the engine to the other nodes. */
  async close(): Promise<void> {
    this.#link.close();
  }
}

/** Messages of the link go on to here, once there is an engine. */
interface Told {
  trouble: EngineTrouble | null;
  hear(message: EngineMessage): void;
  reconnected(since: number): void;
}
