/** The engine of a Fanfare: the one that it is given, one in memory, or both, as the rules say. */
import type { Clock, Random } from "./clock.js";
import { DividedEngine } from "./engine/divided-engine.js";
import type { Engine } from "./engine/engine.js";
import { MemoryEngine } from "./engine/memory-engine.js";
import type { MemoryEngineLimits } from "./engine/memory-options.js";
import type { Limits } from "./hub/limits.js";
import type { Rules } from "./hub/rules.js";
import type { FanfareOptions } from "./options.js";

/** The engine to use, and the part of it that ends with this Fanfare. */
export function enginesOf(
  { engine, allowIsolated = false }: FanfareOptions,
  rules: Rules,
  limits: Limits,
  clock: Clock,
  random: Random,
): { engine: Engine; ownEngine: Engine | null } {
  if (engine && !(engine.durable && rules.someInMemory)) return { engine, ownEngine: null };
  const memory = new MemoryEngine({
    clock,
    random,
    // Beside another engine, it is that engine that says how many processes there may be.
    allowIsolated: allowIsolated || engine !== undefined,
    ...engineLimits(limits),
  });
  const isInMemory = (channel: string) => rules.of(channel).durability === "memory";
  return { engine: engine ? new DividedEngine(engine, memory, isInMemory) : memory, ownEngine: memory };
}

/** What the bounds of a Fanfare are to an engine that lives in its process. */
export function engineLimits(limits: Limits): Partial<MemoryEngineLimits> {
  return {
    maxBytes: limits.historyBytes,
    maxChannels: limits.channels,
    maxStubs: limits.stubs,
    maxIdempotencyKeys: limits.idempotencyKeys,
  };
}
