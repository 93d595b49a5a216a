/**
 * The seam behind the hub: all that the nodes of a deployment share. All of it is asynchronous, since an engine may be far away. It has
 * parts, so that an engine around another passes on what it does not change. `engine.contract.ts` says in tests what each has to do.
 */
import type { Durations } from "../base/durations.js";
import type { Holdings, Logs } from "./logs.js";
import type { Sessions } from "./sessions.js";
import type { Signals } from "./signals.js";
import type { Space, SpaceOptions } from "./space.js";

// The seam as a whole, to be imported from one place.
export type * from "./logs.js";
export type { Sessions, Signals, Space, SpaceOptions };

/** How much an engine holds, for metrics. It leaves out figures that it cannot tell cheaply. */
export interface EngineStats {
  readonly channels?: number;
  readonly messages?: number;
  /** Bytes of all logs and states together, roughly. */
  readonly bytes?: number;
  readonly stubs?: number;
  /** Holdings of all owners together. */
  readonly owned?: Holdings;
  /** The most of each that one owner has had since this process began. */
  readonly mostOwned?: Holdings;
  /** How often somebody was refused more of each than one owner may have, since this process began. */
  readonly refusedShares?: Holdings;
  readonly idempotencyKeys?: number;
  readonly sessions?: number;
  /** Bytes of all files. */
  readonly diskBytes?: number;
  /** Bytes that are free on the disk of these files. */
  readonly diskFreeBytes?: number;
  /** How long it took to bring changes to the disk. */
  readonly commits?: Durations;
}

/**
 * `full`: there is no room for messages. `gone`: the place where they are kept was removed or replaced. `silent`: it did not answer in
 * time.
 */
export type EngineTrouble = "full" | "gone" | "silent";

export interface Engine {
  /** Does what was acknowledged outlive the process? */
  readonly durable: boolean;
  /**
   * Can announcements be late, double, out of order or missing? Where they cannot, the hub need not compare heads.
   */
  readonly lossy: boolean;
  /** Are the entries that it announces the same objects that its logs keep on this heap? @default false */
  readonly sharesEntries?: boolean;

  /**
   * Are its nodes processes of one server, at one address? Then the process that has the channels keeps those in memory whose rules say so,
   * and figures are asked of all nodes. @default false
   */
  readonly isOneServer?: boolean;

  /** The reason that keeps it from taking messages, though reading works; `null` when there is none. Left out where that cannot be. */
  readonly trouble?: EngineTrouble | null;

  readonly logs: Logs;
  readonly signals: Signals;
  readonly sessions: Sessions;

  /**
   * A place for what is neither a message nor a session; the same for each call with this name, which has to have the same options.
   *
   * @param name ASCII, without a NUL
   */
  space(name: string, options?: SpaceOptions): Space;

  /**
   * The time by which leases end, in milliseconds since 1970. All nodes are told the same time, whatever their own clocks say. It may be
   * set back.
   *
   * @throws FanfareError `unavailable`
   */
  now(): Promise<number>;

  /** Its bytes on the heap of this process, counted. @default nothing that is worth counting */
  heapBytes?(): number;
  /**
   * Bytes of messages on the heap that it could let go of, and how many it may have: less than its own bound, until it is told
   * otherwise. Messages that are let go of are gone.
   */
  looseBytes?(): number;
  keepLoose?(bytes: number): void;

  /** Counted, not walked: cheap enough for every scrape. */
  stats?(): EngineStats | Promise<EngineStats>;

  close(): Promise<void>;
}
