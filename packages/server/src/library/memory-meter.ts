/** Asks this process, the container and the machine for their memory. The only file that does. */
import { totalmem } from "node:os";
import { constants, PerformanceObserver } from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";
import type { MemoryMeter } from "../hub/terms/memory-guard.js";
import type { MemoryThere } from "./memory-plan.js";

/** The memory that there is. Without a container, or with one that is not bounded, it is the machine's. */
export function memoryThere(): MemoryThere {
  const machine = totalmem();
  const container = process.constrainedMemory?.() ?? 0;
  const total = container > 0 && container < machine ? container : machine;
  return { heapLimit: getHeapStatistics().heap_size_limit, total };
}

const listeners = new Set<(heapBytes: number) => void>();
let observer: PerformanceObserver | null = null;

/** One observer for the process, while anybody listens. */
function observe(): PerformanceObserver {
  const observing = new PerformanceObserver((list) => {
    const isFull = list.getEntries().some((entry) => "detail" in entry && isFullCollection(entry.detail));
    if (!isFull) return;
    const { used_heap_size } = getHeapStatistics();
    for (const listener of listeners) listener(used_heap_size);
  });
  observing.observe({ entryTypes: ["gc"] });
  return observing;
}

function isFullCollection(detail: unknown): boolean {
  if (typeof detail !== "object" || detail === null || !("kind" in detail)) return false;
  return detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR;
}

export const processMeter: MemoryMeter = {
  read() {
    const { heapUsed, external } = process.memoryUsage();
    return { heapBytes: heapUsed, outsideBytes: external };
  },
  onCollected(listener) {
    listeners.add(listener);
    observer ??= observe();
    return () => {
      listeners.delete(listener);
      if (listeners.size > 0) return;
      observer?.disconnect();
      observer = null;
    };
  },
};
