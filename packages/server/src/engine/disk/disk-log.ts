/** One channel's log that is in use: where it stands, and where it stood at the last commit, which is all that others may know. */
import type { ChannelName, Epoch } from "@fanfare/protocol";
import type { AnyDraft, LogEntry, LogListener, Retention } from "../engine.js";
import { entryOf } from "../entries.js";
import type { Owned } from "../shares.js";
import type { StoredLog } from "./codec.js";

/** Where a log stands on the disk. */
export interface OnDisk {
  readonly id: number;
  readonly epoch: Epoch;
  readonly head: number;
  readonly first: number;
  readonly retention: Retention;
  readonly startedOver: boolean;
}

export class DiskLog implements StoredLog, Owned {
  readonly channel: ChannelName;
  id: number;
  epoch: Epoch;
  head: number;
  first: number;
  floor: number;
  bytes: number;
  time: number;
  usedAt: number;
  retention: Retention;
  startedOver: boolean;
  owner: string | null | undefined;
  stateOwner: string | null;
  /** The record that the last commit wrote, or would have written. */
  onDisk: OnDisk;
  /** Is it, or will it be, in the store? A channel that is only listened to is not. */
  isStored: boolean;
  /** Has it changed since it was put into a commit? */
  isChanged = false;
  /** Commits that it is part of and that are not over. */
  underWay = 0;
  /** Replaced, never changed, so that an announcement that is under way keeps to those it began with. */
  listeners: readonly LogListener[] = [];

  constructor(channel: ChannelName, log: StoredLog, isStored: boolean) {
    this.channel = channel;
    this.id = log.id;
    this.epoch = log.epoch;
    this.head = log.head;
    this.first = log.first;
    this.floor = log.floor;
    this.bytes = log.bytes;
    this.time = log.time;
    this.usedAt = log.usedAt;
    this.retention = log.retention;
    this.startedOver = log.startedOver;
    this.owner = log.owner;
    this.stateOwner = log.stateOwner;
    this.isStored = isStored;
    this.onDisk = this.snapshot();
  }

  /** Must it stay in memory? */
  get isNeeded(): boolean {
    return this.listeners.length > 0 || this.isChanged || this.underWay > 0;
  }

  snapshot(): OnDisk {
    const { id, epoch, head, first, retention, startedOver } = this;
    return { id, epoch, head, first, retention, startedOver };
  }

  /** Gives a draft its place. @param now milliseconds since 1970 */
  append(draft: AnyDraft, retention: Retention, now: number): LogEntry {
    this.head += 1;
    this.time = Math.max(this.time, now);
    this.retention = retention;
    return entryOf(this.channel, this.epoch, this.head, this.time, draft);
  }
}

/** A log that nothing was appended to yet. */
export function bornLog(epoch: Epoch, usedAt: number): StoredLog {
  return {
    id: 0,
    epoch,
    head: 0,
    first: 1,
    floor: 1,
    bytes: 0,
    time: 0,
    usedAt,
    retention: { messages: 0, ageMs: 0 },
    startedOver: false,
    owner: undefined,
    stateOwner: null,
  };
}
