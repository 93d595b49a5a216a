/**
 * The process that has the channels, where several processes serve clients: it holds the engine and starts the workers, and a worker that
 * ends is replaced. It has no connection of any client. When it ends, all end.
 */
import cluster, { type Worker } from "node:cluster";
import { existsSync } from "node:fs";
import type { Clock } from "../../base/clock.js";
import { Failures, guardedClock } from "../../base/failures.js";
import type { Log } from "../../base/log.js";
import { makePrivateFolder } from "../../base/private-folder.js";
import type { Engine } from "../../engine/engine.js";
import { EngineServer } from "../../engine/remote/engine-server.js";
import { MemoryGuard, type MemoryRoom } from "../../hub/terms/memory-guard.js";
import { processMeter } from "../../library/memory-meter.js";
import { tellMemory } from "../../library/memory-plan.js";

/** A worker that lives for a shorter time is replaced after a pause that grows. */
const SHORT_LIFE_MS = 5000;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 10_000;
/** Workers that cannot even start: then something is wrong that another try does not mend. */
const MAX_FAILED_STARTS = 5;
const MEMORY_EVERY_MS = 1000;

export interface PrimaryParts {
  readonly engine: Engine;
  /** The folder of the socket by which workers reach the engine. */
  readonly folder: string;
  readonly workers: number;
  readonly room: MemoryRoom;
  readonly clock: Clock;
  readonly log: Log;
  /** The workers have this time to leave when they are told to, and then they are killed. */
  readonly stopWithinMs: number;
}

export class Primary {
  readonly #parts: PrimaryParts;
  readonly #failures: Failures;
  readonly #clock: Clock;
  readonly #server: EngineServer;
  readonly #workers = new Map<Worker, number>();
  readonly #stopWatching: () => void;
  #pauseMs = FIRST_PAUSE_MS;
  #failedStarts = 0;
  #stopping = false;
  #gaveUp: (error: Error) => void = () => {};
  /** Rejects when workers end again and again before they serve anybody. */
  readonly failed: Promise<never>;

  private constructor(
    parts: PrimaryParts,
    failures: Failures,
    server: EngineServer,
    stopWatching: () => void,
  ) {
    this.#parts = parts;
    this.#failures = failures;
    this.#clock = guardedClock(parts.clock, failures);
    this.#server = server;
    this.#stopWatching = stopWatching;
    this.failed = new Promise((_, reject) => {
      this.#gaveUp = reject;
    });
    this.failed.catch(() => {});
  }

  /**
   * Serves the engine, and starts the workers.
   *
   * @throws FanfareError `unavailable` when another process serves an engine in this folder
   */
  static async open(parts: PrimaryParts): Promise<Primary> {
    const { engine, folder, clock, log } = parts;
    const failures = new Failures(log);
    if (!existsSync(folder)) makePrivateFolder(folder);
    const guard = watchMemory(parts, failures);
    const server = await EngineServer.open({
      engine,
      folder,
      clock,
      logger: log,
      assertRoom: () => guard.assertRoomToPublish(),
    });
    const primary = new Primary(parts, failures, server, () => guard.close());
    for (let started = 0; started < parts.workers; started++) primary.#start();
    return primary;
  }

  /** Process ids of the workers. */
  get pids(): readonly number[] {
    return [...this.#workers.keys()].flatMap(({ process: { pid } }) => pid ?? []);
  }

  /** Resolves when all workers serve clients, with the port. */
  async listening(): Promise<number> {
    const ports = [...this.#workers.keys()].map(
      (worker) => new Promise<number>((done) => worker.once("listening", ({ port }) => done(port))),
    );
    const [port = 0] = await Promise.race([Promise.all(ports), this.failed]);
    return port;
  }

  signal(signal: NodeJS.Signals): void {
    for (const worker of this.#workers.keys()) worker.process.kill(signal);
  }

  /** Lets the workers leave, kills those that do not in time, and stops serving the engine, which stays open. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#stopWatching();
    const gone = [...this.#workers.keys()].map((worker) => new Promise((done) => worker.once("exit", done)));
    this.signal("SIGTERM");
    const late = this.#clock.after(this.#parts.stopWithinMs, () => this.signal("SIGKILL"));
    await Promise.all(gone);
    late.cancel();
    await this.#server.close();
  }

  #start(): void {
    const worker = cluster.fork();
    const born = this.#clock.monotonic();
    this.#workers.set(worker, born);
    let served = false;
    worker.once("listening", () => {
      served = true;
      this.#failedStarts = 0;
    });
    worker.once(
      "exit",
      this.#failures.guarded("background", (code: number | null, signal: string | null) => {
        this.#workers.delete(worker);
        if (this.#stopping) return;
        const ageMs = this.#clock.monotonic() - born;
        const fields = { worker: worker.id, workerPid: worker.process.pid, code, signal };
        this.#parts.log.error(
          fields,
          "a worker has ended: another one takes its place, and its clients come back",
        );
        if (!served && ++this.#failedStarts >= MAX_FAILED_STARTS) {
          this.#gaveUp(new Error(`${MAX_FAILED_STARTS} workers in a row ended before they served anybody`));
          return;
        }
        this.#pauseMs =
          ageMs < SHORT_LIFE_MS ? Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS) : FIRST_PAUSE_MS;
        this.#clock.after(this.#pauseMs, () => {
          if (!this.#stopping) this.#start();
        });
      }),
    );
  }
}

/** Keeps this process within its memory: it has no hub that would. */
function watchMemory({ engine, room, clock, log }: PrimaryParts, failures: Failures): MemoryGuard {
  const guard = new MemoryGuard({ meter: processMeter, room }, clock, {
    failures,
    countedBytes: () => engine.heapBytes?.() ?? 0,
    looseBytes: () => engine.looseBytes?.() ?? 0,
    keepLoose: (bytes) => engine.keepLoose?.(bytes),
    fullChanged: tellMemory(log),
  });
  guardedClock(clock, failures).every(MEMORY_EVERY_MS, () => guard.check());
  return guard;
}
