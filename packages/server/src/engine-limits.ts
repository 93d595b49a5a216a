/** What the bounds of a Fanfare are to an engine that lives in its process. */
import type { MemoryEngineLimits } from "./engine/memory-options.js";
import type { Limits } from "./hub/limits.js";

export function engineLimits(limits: Limits): Partial<MemoryEngineLimits> {
  return {
    maxBytes: limits.historyBytes,
    maxChannels: limits.channels,
    maxStubs: limits.stubs,
    maxIdempotencyKeys: limits.idempotencyKeys,
  };
}
