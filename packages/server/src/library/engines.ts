/** The engine of a Fanfare: the one that it is given, one in memory, or both, as the rules say. */
import type { Clock, Random } from "../base/clock.js";
import type { Failures } from "../base/failures.js";
import type { Log } from "../base/log.js";
import { DividedEngine } from "../engine/divided-engine.js";
import type { Engine } from "../engine/engine.js";
import { GuardedEngine } from "../engine/guarded-engine.js";
import { MemoryEngine } from "../engine/memory/memory-engine.js";
import type { MemoryEngineLimits } from "../engine/memory/memory-options.js";
import type { Limits } from "../hub/terms/limits.js";
import type { Rules } from "../hub/terms/rules.js";
import type { MemoryPlan } from "./memory-plan.js";
import type { FanfareSettings } from "./options.js";

/** The engine to use, and the part of it that ends with this Fanfare. */
export function enginesOf(
  {
    engine: given,
    allowIsolated = false,
    dataDir,
    logger,
  }: Pick<FanfareSettings, "engine" | "allowIsolated" | "dataDir" | "logger">,
  rules: Rules,
  limits: Limits,
  plan: MemoryPlan,
  clock: Clock,
  random: Random,
  failures: Failures,
  log: Log,
): { engine: Engine; ownEngine: Engine | null } {
  const engine = given && new GuardedEngine(given, failures, clock, log);
  if (engine && (engine.isOneServer || !engine.durable || !rules.someInMemory))
    return { engine, ownEngine: null };
  const memory = new MemoryEngine({
    clock,
    random,
    ...(logger && { logger }),
    ...(!engine && dataDir !== undefined && { dataDir }),
    // Beside another engine, it is that engine that says how many processes there may be.
    allowIsolated: allowIsolated || engine !== undefined,
    ...engineLimits(engine ? leastOf(limits, plan) : limits),
  });
  const isInMemory = (channel: string) => rules.of(channel).durability === "memory";
  return { engine: engine ? new DividedEngine(engine, memory, isInMemory) : memory, ownEngine: memory };
}

/** Beside another engine, whose bounds these are, the one in memory has no more than the memory has room for. */
function leastOf(limits: Limits, plan: MemoryPlan): Limits {
  const { historyBytes, stubs, idempotencyKeys, sessions } = plan.limits;
  return {
    ...limits,
    historyBytes: Math.min(limits.historyBytes, historyBytes),
    stubs: Math.min(limits.stubs, stubs),
    idempotencyKeys: Math.min(limits.idempotencyKeys, idempotencyKeys),
    sessions: Math.min(limits.sessions, sessions),
  };
}

/** The bounds of a Fanfare, for an engine that lives in its process. */
export function engineLimits(limits: Limits): Partial<MemoryEngineLimits> {
  return {
    maxBytes: limits.historyBytes,
    maxChannels: limits.channels,
    maxSessions: limits.sessions,
    share: {
      channels: limits.channelsPerOwner,
      states: limits.statesPerOwner,
      stateBytes: limits.stateBytesPerOwner,
      sequences: limits.sequencesPerOwner,
      locks: limits.locksPerOwner,
    },
    maxStubs: limits.stubs,
    maxIdempotencyKeys: limits.idempotencyKeys,
  };
}
