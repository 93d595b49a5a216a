import { expect, test } from "vitest";
import { Failures } from "../base/failures.js";
import { silentLog } from "../base/log.js";
import { FakeClock } from "../testing/fake-clock.js";
import { GuardedEngine } from "./guarded-engine.js";
import { MemoryEngine } from "./memory/memory-engine.js";

test("an engine whose figures throw is counted as a failure, and has none", async () => {
  class Broken extends MemoryEngine {
    override get trouble(): never {
      throw new Error("no figures");
    }
    override heapBytes(): never {
      throw new Error("no figures");
    }
  }
  const inner = new Broken({ allowIsolated: true });
  const failures = new Failures();
  const engine = new GuardedEngine(inner, failures, new FakeClock(), silentLog);
  expect(engine.trouble).toBeNull();
  expect(engine.heapBytes?.()).toBe(0);
  expect(failures.counts.background).toBe(2);
  await inner.close();
});
