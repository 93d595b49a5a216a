/**
 * How the memory that is there is divided: takes the defaults of the bounds from what the heap may hold, and from what the container or
 * the machine has. Pure: what is there is asked in `memory-meter.ts`, and `hub/terms/memory-guard.ts` watches what becomes of it.
 */
import { COSTS } from "../base/costs.js";
import type { Log } from "../base/log.js";
import { DEFAULT_LIMITS, type Limits } from "../hub/terms/limits.js";
import { type MemoryReading, type MemoryRoom, SHRINK_ABOVE } from "../hub/terms/memory-guard.js";

const MiB = 1024 * 1024;

/** The memory that there is, in bytes. */
export interface MemoryThere {
  /** The bytes that V8 lets the heap grow to (`heap_size_limit`). */
  readonly heapLimit: number;
  /** The bytes that the container may take, or else those of the machine. */
  readonly total: number;
}

export interface MemoryPlan extends MemoryRoom {
  /** The bounds of what can be let go of. Everything else is refused when there is no room for it. */
  readonly limits: Readonly<Record<PlannedLimit, number>>;
}

/** V8 counts its young generation, three halves of 16 MiB, to what the heap may be; what lives long has to do without. */
const YOUNG_BYTES = 48 * MiB;
/** The heap gets this part of a container at most: buffers, code and stacks lie beside it. */
const HEAP_PART = 0.7;
/** Code, stacks, and what the system's libraries take. */
const BESIDE_BYTES = 64 * MiB;
/** The program itself, and what one turn of the event loop needs. */
const PROGRAM_BYTES = 48 * MiB;

/** The part of the room in the heap, and what one of them costs. */
const SHARES = {
  historyBytes: { part: 0.3, cost: 1 },
  windowBytes: { part: 0.1, cost: 1 },
  idempotencyKeys: { part: 0.06, cost: COSTS.idempotencyKey },
  // Most users have one.
  sessions: { part: 0.06, cost: COSTS.session + COSTS.owner },
  stubs: { part: 0.04, cost: COSTS.stub },
} as const satisfies Partial<Record<keyof Limits, { readonly part: number; readonly cost: number }>>;

/**
 * The part of the room that one owner may take, by what is kept as long as that owner wants it. These are no bounds of all together: they keep one
 * owner from being the reason why others are refused.
 */
const OWNER_SHARES = {
  // Each is to a channel without other listeners, with the member who is present there.
  subscriptionsPerOwner: { part: 0.2, cost: COSTS.subscription + COSTS.listenedChannel + COSTS.member },
} as const satisfies Partial<Record<keyof Limits, { readonly part: number; readonly cost: number }>>;
/** The part of what logs and states may take that the states of one owner may have. */
const OWNER_STATES_PART = DEFAULT_LIMITS.stateBytesPerOwner / DEFAULT_LIMITS.historyBytes;
/** An owner who may take more of the room than this part is worth a warning. */
const OWNER_WARNING_PART = 0.5;

/** The parts of the room outside of the heap; what is left is for frames, and what waits for the disk. */
const OUTSIDE_SHARES = { waitingBytes: 0.5, bodyBytes: 0.25 } as const satisfies Partial<
  Record<keyof Limits, number>
>;
/** Where the container leaves next to nothing beside the heap. */
const LEAST_OUTSIDE_BYTES = 16 * MiB;

export const MEMORY_REMEDY =
  "Give Node a larger heap (--max-old-space-size), the container more memory, or set lower limits.";

type PlannedLimit =
  | keyof typeof SHARES
  | keyof typeof OUTSIDE_SHARES
  | keyof typeof OWNER_SHARES
  | "stateBytesPerOwner";

/** The part of one of several processes, where all are alike. */
export function partOf({ heapLimit, total }: MemoryThere, processes: number): MemoryThere {
  return { heapLimit: Math.min(heapLimit, (total * HEAP_PART) / processes), total: total / processes };
}

/** Never more than {@link DEFAULT_LIMITS}, which fit where the heap may have about 1.5 GiB. */
export function planMemory({ heapLimit, total }: MemoryThere): MemoryPlan {
  const heap = Math.min(heapLimit, total * HEAP_PART);
  const heapBytes = Math.floor(Math.max(heap - YOUNG_BYTES, heap / 2));
  const outsideBytes = Math.floor(Math.max(total - heap - BESIDE_BYTES, LEAST_OUTSIDE_BYTES));
  const room = roomIn(heapBytes);
  const parts = { ...SHARES, ...OWNER_SHARES };
  const share = (name: keyof typeof parts) =>
    Math.min(DEFAULT_LIMITS[name], Math.floor((room * parts[name].part) / parts[name].cost));
  const historyBytes = share("historyBytes");
  const outside = (name: keyof typeof OUTSIDE_SHARES) =>
    Math.min(DEFAULT_LIMITS[name], Math.floor(outsideBytes * OUTSIDE_SHARES[name]));
  return {
    heapBytes,
    outsideBytes,
    limits: {
      historyBytes,
      windowBytes: share("windowBytes"),
      waitingBytes: outside("waitingBytes"),
      bodyBytes: outside("bodyBytes"),
      idempotencyKeys: share("idempotencyKeys"),
      sessions: share("sessions"),
      stubs: share("stubs"),
      stateBytesPerOwner: Math.floor(historyBytes * OWNER_STATES_PART),
      subscriptionsPerOwner: share("subscriptionsPerOwner"),
    },
  };
}

/** Defaults of the bounds. @param inMemory false: the engine keeps logs, states, keys, sessions and stubs elsewhere, such as on the disk */
export function defaultsOf({ limits }: MemoryPlan, inMemory: boolean): Partial<Limits> {
  const { windowBytes, waitingBytes, bodyBytes, subscriptionsPerOwner } = limits;
  return inMemory ? limits : { windowBytes, waitingBytes, bodyBytes, subscriptionsPerOwner };
}

/** The problems of bounds that an operator has set, in sentences. @param inMemory as of {@link defaultsOf} */
export function tooMuchOf(plan: MemoryPlan, limits: Limits, inMemory: boolean): string[] {
  const problems: string[] = [];
  const room = roomIn(plan.heapBytes);
  let planned = 0;
  for (const [name, { cost }] of Object.entries(SHARES) as [keyof typeof SHARES, { cost: number }][]) {
    if (name === "windowBytes" || inMemory) planned += limits[name] * cost;
  }
  if (planned > room) {
    problems.push(
      `the limits of what is kept add up to ${inMiB(planned)}, and the heap has room for ${inMiB(room)}`,
    );
  }
  for (const [name, { cost }] of Object.entries(OWNER_SHARES) as [
    keyof typeof OWNER_SHARES,
    { cost: number },
  ][]) {
    const most = limits[name] * cost;
    if (most <= room * OWNER_WARNING_PART) continue;
    problems.push(
      `limits.${name} lets one user or address take ${inMiB(most)}, and the heap has room for ${inMiB(room)}`,
    );
  }
  const beside = limits.waitingBytes + limits.bodyBytes;
  if (beside > plan.outsideBytes) {
    problems.push(
      `limits.waitingBytes and limits.bodyBytes are ${inMiB(beside)}, and beside the heap there are ${inMiB(plan.outsideBytes)}`,
    );
  }
  return problems;
}

/** Says when the memory is full, and when there is room again. */
export function tellMemory(log: Log): (full: boolean, reading: MemoryReading) => void {
  return (full, { heapBytes, outsideBytes }) => {
    const figures = { heapBytes, outsideBytes };
    if (full)
      log.warn(
        { ...figures, remedy: MEMORY_REMEDY },
        "the memory is full: publishers and newcomers are refused",
      );
    else log.info(figures, "there is memory again: publishers and newcomers are let in");
  };
}

function inMiB(bytes: number): string {
  return `${Math.round(bytes / MiB)} MiB`;
}

function roomIn(heapBytes: number): number {
  return Math.max(heapBytes * SHRINK_ABOVE - PROGRAM_BYTES, heapBytes / 10);
}
