/**
 * Divides the channels between a durable engine and the memory of this process, as their rules say. Everything that is no channel
 * lives in the durable one. Neither engine knows of the other.
 */
import type { ChannelName } from "@fanfare/protocol";
import { DividedLogs } from "./divided-logs.js";
import type { Engine, EngineStats, EngineTrouble } from "./engine.js";
import type { Logs } from "./logs.js";
import type { Sessions } from "./sessions.js";
import { mostOf, NO_HOLDINGS, sumOf } from "./shares.js";
import type { Signals } from "./signals.js";
import type { Space, SpaceOptions } from "./space.js";

/** The figures of both engines together. */
const COUNTED = ["channels", "messages", "bytes", "stubs", "idempotencyKeys"] as const;

export class DividedEngine implements Engine {
  readonly durable: boolean;
  readonly lossy: boolean;
  readonly logs: Logs;
  readonly signals: Signals;
  readonly sessions: Sessions;
  readonly #durable: Engine;
  readonly #memory: Engine;

  /** @param isInMemory may not change its mind while this engine lives */
  constructor(durable: Engine, memory: Engine, isInMemory: (channel: ChannelName) => boolean) {
    this.durable = durable.durable;
    this.lossy = durable.lossy;
    this.logs = new DividedLogs(durable.logs, memory.logs, isInMemory);
    this.signals = durable.signals;
    this.sessions = durable.sessions;
    this.#durable = durable;
    this.#memory = memory;
  }

  get trouble(): EngineTrouble | null {
    return this.#durable.trouble ?? null;
  }

  space(name: string, options?: SpaceOptions): Space {
    return this.#durable.space(name, options);
  }

  now(): Promise<number> {
    return this.#durable.now();
  }

  heapBytes(): number {
    return (this.#durable.heapBytes?.() ?? 0) + (this.#memory.heapBytes?.() ?? 0);
  }

  /** What the durable engine has on the disk is not loose. */
  looseBytes(): number {
    return this.#memory.looseBytes?.() ?? 0;
  }

  keepLoose(bytes: number): void {
    this.#memory.keepLoose?.(bytes);
  }

  async stats(): Promise<EngineStats> {
    const [durable = {}, memory = {}] = await Promise.all([this.#durable.stats?.(), this.#memory.stats?.()]);
    const sums = COUNTED.map((name) => [name, (durable[name] ?? 0) + (memory[name] ?? 0)]);
    const owned = sumOf(durable.owned ?? NO_HOLDINGS, memory.owned ?? NO_HOLDINGS);
    const mostOwned = mostOf(durable.mostOwned ?? NO_HOLDINGS, memory.mostOwned ?? NO_HOLDINGS);
    const refusedShares = sumOf(durable.refusedShares ?? NO_HOLDINGS, memory.refusedShares ?? NO_HOLDINGS);
    return { ...durable, ...Object.fromEntries(sums), owned, mostOwned, refusedShares };
  }

  async close(): Promise<void> {
    await Promise.all([this.#durable.close(), this.#memory.close()]);
  }
}
