/** How the memory that is there is divided. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { COSTS } from "../base/costs.js";
import { DEFAULT_LIMITS } from "../hub/terms/limits.js";
import { defaultsOf, planMemory, tooMuchOf } from "./memory-plan.js";

const MiB = 1024 * 1024;
const GiB = 1024 * MiB;
/** What Node makes of --max-old-space-size. */
const heapOf = (oldSpaceMiB: number) => (oldSpaceMiB + 48) * MiB;

describe("the memory that is there", () => {
  test("bears all defaults where the heap may have 2 GiB, and the container as much beside it", () => {
    expect(planMemory({ heapLimit: heapOf(2048), total: 4 * GiB }).limits).toEqual({
      historyBytes: DEFAULT_LIMITS.historyBytes,
      windowBytes: DEFAULT_LIMITS.windowBytes,
      waitingBytes: DEFAULT_LIMITS.waitingBytes,
      bodyBytes: DEFAULT_LIMITS.bodyBytes,
      idempotencyKeys: DEFAULT_LIMITS.idempotencyKeys,
      sessions: DEFAULT_LIMITS.sessions,
      stubs: DEFAULT_LIMITS.stubs,
      stateBytesPerOwner: DEFAULT_LIMITS.stateBytesPerOwner,
      subscriptionsPerOwner: DEFAULT_LIMITS.subscriptionsPerOwner,
    });
  });

  test("is divided where Node has a heap of 256 MiB in a container of 512 MiB", () => {
    const { heapBytes, outsideBytes, limits } = planMemory({ heapLimit: heapOf(256), total: 512 * MiB });
    expect(heapBytes).toBe(256 * MiB);
    expect(outsideBytes).toBe(144 * MiB);
    expect(limits.waitingBytes).toBe(72 * MiB);
    expect(limits.historyBytes / MiB).toBeCloseTo(31.7, 1);
    expect(limits.windowBytes / MiB).toBeCloseTo(10.6, 1);
  });

  test("leaves room for others beside one owner who takes all that one may have", () => {
    for (const heap of [64, 256, 512, 1024, 4096]) {
      const { heapBytes, limits } = planMemory({ heapLimit: heapOf(heap), total: 64 * GiB });
      const listening =
        limits.subscriptionsPerOwner * (COSTS.subscription + COSTS.listenedChannel + COSTS.member);
      expect(listening).toBeLessThanOrEqual(heapBytes * 0.6 * 0.2);
      // States may take half of the logs.
      expect(limits.stateBytesPerOwner).toBeLessThanOrEqual(limits.historyBytes / 2 / 8);
    }
  });

  test("is never promised twice, whatever there is", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 32, max: 16_384 }),
        fc.integer({ min: 64, max: 65_536 }),
        (heap, total) => {
          const plan = planMemory({ heapLimit: heapOf(heap), total: total * MiB });
          const { historyBytes, windowBytes, idempotencyKeys, sessions, stubs, waitingBytes, bodyBytes } =
            plan.limits;
          const kept =
            historyBytes +
            windowBytes +
            idempotencyKeys * COSTS.idempotencyKey +
            sessions * (COSTS.session + COSTS.owner) +
            stubs * COSTS.stub;
          expect(kept).toBeLessThan(plan.heapBytes * 0.6);
          expect(waitingBytes + bodyBytes).toBeLessThan(plan.outsideBytes);
          expect(Math.min(...Object.values(plan.limits))).toBeGreaterThan(0);
          expect(tooMuchOf(plan, { ...DEFAULT_LIMITS, ...plan.limits }, true)).toEqual([]);
        },
      ),
    );
  });

  test("leaves most of a container to the heap, though its limit was set higher than the container", () => {
    const { heapBytes, outsideBytes } = planMemory({ heapLimit: heapOf(4096), total: 512 * MiB });
    expect((heapBytes + outsideBytes) / MiB).toBeLessThan(512);
  });

  test("bounds what is kept on the disk only as far as it lies in memory, too", () => {
    const plan = planMemory({ heapLimit: heapOf(256), total: 512 * MiB });
    expect(Object.keys(defaultsOf(plan, false))).toEqual([
      "windowBytes",
      "waitingBytes",
      "bodyBytes",
      "subscriptionsPerOwner",
    ]);
    expect(tooMuchOf(plan, { ...DEFAULT_LIMITS, ...defaultsOf(plan, false) }, false)).toEqual([]);
  });

  test("is less than what somebody has asked for: the warnings say by how much", () => {
    const plan = planMemory({ heapLimit: heapOf(256), total: 512 * MiB });
    expect(tooMuchOf(plan, DEFAULT_LIMITS, true)).toEqual([
      "the limits of what is kept add up to 434 MiB, and the heap has room for 106 MiB",
      "limits.subscriptionsPerOwner lets one user or address take 60 MiB, and the heap has room for 106 MiB",
      "limits.waitingBytes and limits.bodyBytes are 320 MiB, and beside the heap there are 144 MiB",
    ]);
  });
});
