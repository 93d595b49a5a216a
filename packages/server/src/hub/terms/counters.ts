/**
 * The hub's counters since it began, as plain numbers that anybody may read. They are added up once per flush or page,
 * never per subscriber, so that counting costs nothing where it matters.
 */
import type { GapReason } from "@fanfare/protocol";
import { Durations } from "../../base/durations.js";

/** The figures of a page that was written. */
interface Written {
  readonly bytes: Uint8Array;
  /** How many messages it delivers. */
  readonly messages: number;
  /** The reason of each gap in it; `null` when there is none. */
  readonly gaps: readonly GapReason[] | null;
}

export class Counters {
  /** Connections that came in. */
  opened = 0;
  /** Subscriptions that there are now, in any state. */
  subscriptions = 0;
  /** Messages that were appended through this node; repeated ones are not. */
  published = 0;
  publishedBytes = 0;
  /** Bytes of the largest message published through this node. */
  largestMessage = 0;
  /** Changes of states that were appended through this node; repeated ones are not. */
  stateChanges = 0;
  /** Bytes of the largest state that was set through this node. */
  largestState = 0;
  /** Numbers of sequences that were given through this node. */
  numbers = 0;
  /** Locks that were taken through this node, and calls that found one held by somebody else. */
  locksTaken = 0;
  locksRefused = 0;
  /** Leases that ended without being renewed or let go, and that this node noticed. */
  leasesEnded = 0;
  /** Messages handed to subscriptions. */
  deliveries = 0;
  /** Pages of messages and gaps handed to connections. */
  writes = 0;
  writtenBytes = 0;
  /** Frames about who is present handed to connections. */
  presenceFrames = 0;
  /** Holes that subscriptions were told of. */
  readonly gaps: Record<GapReason, number> = {
    evicted: 0,
    restarted: 0,
    epoch_changed: 0,
    forgotten: 0,
    conflated: 0,
    too_slow: 0,
    not_allowed_history: 0,
  };
  /** Turns in which something was flushed. */
  readonly flushes = new Durations();

  appended(bytes: number): void {
    this.published++;
    this.publishedBytes += bytes;
    if (bytes > this.largestMessage) this.largestMessage = bytes;
  }

  changed(bytes: number): void {
    this.stateChanges++;
    if (bytes > this.largestState) this.largestState = bytes;
  }

  /** A page was handed to this many connections. */
  wrote(page: Written, connections: number): void {
    if (page.bytes.length === 0) return;
    this.writes += connections;
    this.writtenBytes += connections * page.bytes.length;
    this.deliveries += connections * page.messages;
    if (page.gaps) for (const reason of page.gaps) this.gaps[reason] += connections;
  }
}
