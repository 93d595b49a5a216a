/**
 * Which channels there are: a record for each that has a log or a listener, a stub for each that was forgotten lately, and
 * the birth epoch for all others. Decides when a channel is forgotten; does not append, read or announce.
 */
import { type ChannelName, type Epoch, FanfareError } from "@fanfare/protocol";
import type { BirthEpoch } from "../birth-epoch.js";
import type { ChannelState, LogListener, LossReason } from "../engine.js";
import { type Linked, PerOwner } from "../per-owner.js";
import type { Owned, Shares } from "../shares.js";
import { type LogStand, MemoryLog } from "./memory-log.js";

/** The stub of a forgotten channel. */
interface Stub extends LogStand, Linked<Stub> {
  readonly channel: ChannelName;
}

export interface ChannelRecord extends Owned {
  log: MemoryLog;
  /** `null` when it was never set. */
  state: ChannelState | null;
  /** Replaced, never changed, so that an announcement that is under way keeps to those it began with. */
  listeners: readonly LogListener[];
  /** When somebody last appended, read, or stopped listening; milliseconds of the monotonic clock. */
  usedAt: number;
}

export class MemoryChannels {
  readonly #epochs: BirthEpoch;
  readonly #shares: Shares;
  readonly #maxChannels: number;
  readonly #maxStubs: number;
  readonly #records = new Map<ChannelName, ChannelRecord>();
  /** The least recently used first. */
  readonly #stubs = new Map<ChannelName, Stub>();
  readonly #stubsPerOwner: PerOwner<Stub>;
  #round: Iterator<ChannelRecord> | null = null;

  constructor(
    epochs: BirthEpoch,
    shares: Shares,
    limits: { readonly maxChannels: number; readonly maxStubs: number },
  ) {
    this.#epochs = epochs;
    this.#shares = shares;
    this.#maxChannels = limits.maxChannels;
    this.#maxStubs = limits.maxStubs;
    this.#stubsPerOwner = new PerOwner(limits.maxStubs);
  }

  get size(): number {
    return this.#records.size;
  }
  get stubs(): number {
    return this.#stubs.size;
  }
  get stubOwners(): number {
    return this.#stubsPerOwner.size;
  }

  /** The channels that have a record. May be walked while channels come and go. */
  names(): Iterable<ChannelName> {
    return this.#records.keys();
  }

  find(channel: ChannelName): ChannelRecord | undefined {
    return this.#records.get(channel);
  }

  /** Where the channel stands, without making a record of it. */
  stand(channel: ChannelName): LogStand {
    return this.#records.get(channel)?.log ?? this.#stubs.get(channel) ?? this.#born();
  }

  /** Keeps the channel's stub, if it has one, from being the next to go. */
  touchStub(channel: ChannelName): void {
    const stub = this.#stubs.get(channel);
    if (!stub) return;
    const owner = stub.list?.owner;
    this.#removeStub(stub);
    this.#putStub(stub, owner);
  }

  /**
   * The channel's record; a new one goes on where the stub stands, or begins at the birth epoch.
   *
   * @throws FanfareError `too_many_channels`
   */
  open(channel: ChannelName, at: number): ChannelRecord {
    const found = this.#records.get(channel);
    if (found) return found;
    if (this.#records.size >= this.#maxChannels) {
      throw new FanfareError(
        "too_many_channels",
        `channel ${channel} would be one more than the ${this.#maxChannels} channels there may be`,
      );
    }
    const log = new MemoryLog(this.stand(channel));
    const stub = this.#stubs.get(channel);
    if (stub) this.#removeStub(stub);
    const record: ChannelRecord = {
      channel,
      log,
      state: null,
      listeners: [],
      usedAt: at,
      owner: undefined,
      stateOwner: null,
    };
    this.#records.set(channel, record);
    return record;
  }

  /** Gives the record a log with an epoch of its own. */
  startOver(record: ChannelRecord): void {
    const { time } = record.log;
    record.log = new MemoryLog({ epoch: this.#epochs.fresh(), head: 0, time, startedOver: true });
  }

  /** To be called when the last listener has left: a record that never was more than listened to is of no use. */
  dropIfUnused(record: ChannelRecord): void {
    // A log that was started over is no longer what the birth epoch stands for, even while it is empty.
    if (record.log.head === 0 && !record.log.startedOver) this.#records.delete(record.channel);
  }

  /**
   * Leaves only a stub of the channel, which must have no state. Throws away the least recently used stub when there are too many, and the
   * owner's own when that owner has too many.
   *
   * @param owner whose stub it is
   */
  forget(record: ChannelRecord, owner = record.owner): void {
    const { channel } = record;
    const { epoch, head, time, startedOver } = record.log;
    this.#shares.release(record, record.state);
    this.#records.delete(channel);
    const stub: Stub = { channel, epoch, head, time, startedOver, list: null, older: null, newer: null };
    const tooOld = this.#putStub(stub, owner ?? undefined);
    if (tooOld) this.#forgetStub(tooOld);
    for (const oldest of this.#stubs.values()) {
      if (this.#stubs.size <= this.#maxStubs) return;
      this.#forgetStub(oldest);
    }
  }

  /** Why a position in this epoch does not belong to the log that stands there now. */
  whyLost(epoch: Epoch, stand: LogStand): LossReason {
    if (!this.#epochs.isOfThisLife(epoch)) return "restarted";
    return stand.startedOver ? "epoch_changed" : "forgotten";
  }

  /** The next records, at most this many, going on where the last call ended and beginning anew after the last one. */
  *next(atMost: number): Generator<ChannelRecord> {
    for (let left = atMost; left > 0; left--) {
      this.#round ??= this.#records.values();
      const { value, done } = this.#round.next();
      if (done) {
        this.#round = null;
        return;
      }
      yield value;
    }
  }

  clear(): void {
    this.#records.clear();
    this.#stubs.clear();
    this.#stubsPerOwner.clear();
    this.#round = null;
  }

  /** @returns the one of the same owner that has to go */
  #putStub(stub: Stub, owner: string | undefined): Stub | null {
    this.#stubs.set(stub.channel, stub);
    return owner === undefined ? null : this.#stubsPerOwner.add(stub, owner);
  }

  #removeStub(stub: Stub): void {
    this.#stubs.delete(stub.channel);
    this.#stubsPerOwner.remove(stub);
  }

  /** The channel's position is known no more, so what is born later gets another epoch. */
  #forgetStub(stub: Stub): void {
    this.#removeStub(stub);
    this.#epochs.renew();
  }

  #born(): LogStand {
    return { epoch: this.#epochs.current, head: 0, time: 0, startedOver: false };
  }
}
