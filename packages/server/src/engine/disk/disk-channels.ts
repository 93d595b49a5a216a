/**
 * Which channels there are on the disk: an entry for each that has a log, a stub for each that was forgotten lately, and the
 * birth epoch for all others. In memory are only those that are in use. Does not append, read or announce.
 */
import { type ChannelName, type Epoch, FanfareError } from "@fanfare/protocol";
import type { LossReason } from "../engine.js";
import { decodeLog, encodeLog, numberKey, type StoredLog } from "./codec.js";
import { bornLog, DiskLog, type OnDisk } from "./disk-log.js";
import type { DiskMessages } from "./disk-messages.js";
import type { DiskStates } from "./disk-states.js";
import type { Ledger } from "./ledger.js";
import type { Table } from "./table.js";

export class DiskChannels {
  /** By name. */
  readonly #entries: Table;
  /** By name: the key in `#stubOrder`, then the log. */
  readonly #stubs: Table;
  /** Names, the least recently used first. */
  readonly #stubOrder: Table;
  readonly #messages: DiskMessages;
  readonly #states: DiskStates;
  readonly #ledger: Ledger;
  readonly #maxChannels: number;
  readonly #maxStubs: number;
  readonly #inUse = new Map<ChannelName, DiskLog>();
  readonly #changed = new Set<DiskLog>();
  /** Logs in use that are not in the store. */
  #unstored = 0;

  constructor(
    tables: { channels: Table; stubs: Table; stubOrder: Table },
    messages: DiskMessages,
    states: DiskStates,
    ledger: Ledger,
    limits: { readonly maxChannels: number; readonly maxStubs: number },
  ) {
    this.#entries = tables.channels;
    this.#stubs = tables.stubs;
    this.#stubOrder = tables.stubOrder;
    this.#messages = messages;
    this.#states = states;
    this.#ledger = ledger;
    this.#maxChannels = limits.maxChannels;
    this.#maxStubs = limits.maxStubs;
  }

  get size(): number {
    return this.#entries.size + this.#unstored;
  }
  get stubs(): number {
    return this.#stubs.size;
  }

  /** Those in use. May be walked while channels come and go. */
  inUse(): Iterable<DiskLog> {
    return this.#inUse.values();
  }

  /** The channel's log, if it has one or is in use. */
  find(channel: ChannelName): DiskLog | null {
    const found = this.#inUse.get(channel);
    if (found) return found;
    const entry = this.#entries.get(channel);
    return entry && new DiskLog(channel, this.#logOf(entry), true);
  }

  /** Where a channel without a log stands. */
  standing(channel: ChannelName): OnDisk {
    const stub = this.#stubs.get(channel);
    return stub ? this.#logOfStub(stub) : bornLog(this.#ledger.epochs.current, 0);
  }

  /** Keeps the channel's stub, if it has one, from being the next to go. Does not wait for the disk. */
  touchStub(channel: ChannelName): void {
    const stub = this.#stubs.get(channel);
    if (!stub) return;
    this.#removeStub(channel, stub);
    this.#putStub(channel, this.#logOfStub(stub));
  }

  /**
   * The channel's log, in use; a new one goes on where the stub stands, or begins at the birth epoch.
   *
   * @throws FanfareError `too_many_channels`
   */
  open(channel: ChannelName): DiskLog {
    const found = this.find(channel);
    if (found) return this.use(found);
    if (this.size >= this.#maxChannels) {
      throw new FanfareError(
        "too_many_channels",
        `channel ${channel} would be one more than the ${this.#maxChannels} channels there may be`,
      );
    }
    const { at, epochs } = this.#ledger;
    const stub = this.#stubs.get(channel);
    const stored = stub ? { ...this.#logOfStub(stub), usedAt: at } : bornLog(epochs.current, at);
    const log = new DiskLog(channel, stored, false);
    if (stub) this.#wake(log, stub);
    this.#unstored++;
    return this.use(log);
  }

  /** Keeps a log in memory as long as it is needed. */
  use(log: DiskLog): DiskLog {
    this.#inUse.set(log.channel, log);
    return log;
  }

  get isChanged(): boolean {
    return this.#changed.size > 0;
  }

  /** To be called after each change of a log that is in use: it will be in the next commit. */
  changed(log: DiskLog): void {
    log.isChanged = true;
    this.#changed.add(log);
  }

  /** Gives the log an epoch of its own, and throws away what it held, and the state. */
  startOver(log: DiskLog): void {
    this.#messages.bury(log);
    this.#states.remove(log.channel);
    const born = bornLog(this.#ledger.epochs.fresh(), this.#ledger.at);
    Object.assign(log, { ...born, time: log.time, startedOver: true });
    this.changed(log);
  }

  /** To be called when the last listener has left: a channel that never was more than listened to is of no use. */
  dropIfUnused(log: DiskLog): void {
    if (log.isNeeded) return;
    this.#inUse.delete(log.channel);
    if (!log.isStored) this.#unstored--;
  }

  /** Leaves only a stub of the channel, which must have no state. */
  forget(log: DiskLog): void {
    this.#messages.bury(log);
    this.#states.remove(log.channel);
    this.#entries.remove(log.channel);
    this.#inUse.delete(log.channel);
    this.#putStub(log.channel, { ...bornLog(log.epoch, log.usedAt), ...standOf(log) });
  }

  /** Throws away the least recently used stubs where there are too many on the disk, so many at most. */
  trimStubs(atMost: number): void {
    let tooMany = Math.min(this.#stubs.size - this.#maxStubs, atMost);
    if (tooMany <= 0) return;
    for (const [key, channel] of this.#stubOrder.entries()) {
      if (tooMany-- <= 0) break;
      this.#stubs.remove(channel.toString("latin1"));
      this.#stubOrder.remove(key);
    }
    // What is born later must not be taken for what is forgotten now; both go to the disk in one step.
    this.#ledger.epochs.renew();
  }

  /** Why a position in this epoch does not belong to the log that stands there now. */
  whyLost(epoch: Epoch, log: OnDisk): LossReason {
    if (!this.#ledger.epochs.isOfThisLife(epoch)) return "restarted";
    return log.startedOver ? "epoch_changed" : "forgotten";
  }

  /** The channels on the disk, in order, from a name on. */
  *stored(from: string): Generator<DiskLog> {
    for (const [name, entry] of this.#entries.storedFrom(from)) {
      const channel = name as ChannelName;
      yield this.#inUse.get(channel) ?? new DiskLog(channel, this.#logOf(entry), true);
    }
  }

  /** A commit begins. @returns what to call when it is on the disk */
  committing(): () => void {
    const written = [...this.#changed].map((log) => ({ log, onDisk: log.snapshot() }));
    this.#changed.clear();
    for (const { log } of written) {
      this.#entries.put(log.channel, encodeLog(log));
      log.isChanged = false;
      log.underWay++;
      if (!log.isStored) this.#unstored--;
      log.isStored = true;
    }
    return () => {
      for (const { log, onDisk } of written) {
        log.onDisk = onDisk;
        log.underWay--;
        this.dropIfUnused(log);
      }
    };
  }

  /** A commit failed: logs are again as they are on the disk; those that are listened to keep their listeners. */
  lost(): void {
    const before = [...this.#inUse.values()];
    this.#changed.clear();
    this.#inUse.clear();
    this.#unstored = 0;
    for (const { channel, listeners, onDisk } of before) {
      if (listeners.length === 0) continue;
      const entry = this.#entries.get(channel);
      const stub = entry ? null : this.#stubs.get(channel);
      // What was told of a channel that has neither stays true.
      const born = bornLog(onDisk.epoch, this.#ledger.at);
      const log = new DiskLog(
        channel,
        entry ? this.#logOf(entry) : stub ? this.#logOfStub(stub) : born,
        entry !== null,
      );
      log.listeners = listeners;
      if (!entry) this.#unstored++;
      if (stub) this.#wake(log, stub);
      this.use(log);
    }
  }

  /** A stub becomes a log again. It is stored at once: without its entry its position would be forgotten. */
  #wake(log: DiskLog, stub: Buffer): void {
    this.#removeStub(log.channel, stub);
    this.changed(log);
  }

  #putStub(channel: ChannelName, log: StoredLog): void {
    const order = numberKey(this.#ledger.at) + numberKey(this.#ledger.nextLog());
    this.#stubOrder.put(order, Buffer.from(channel, "latin1"));
    this.#stubs.put(channel, Buffer.concat([Buffer.from(order, "latin1"), encodeLog(log)]));
  }

  #logOf(entry: Buffer): StoredLog {
    return decodeLog(entry, this.#ledger.life);
  }

  #logOfStub(stub: Buffer): StoredLog {
    return this.#logOf(stub.subarray(STUB_ORDER_BYTES));
  }

  #removeStub(channel: ChannelName, stub: Buffer): void {
    this.#stubOrder.remove(stub.toString("latin1", 0, STUB_ORDER_BYTES));
    this.#stubs.remove(channel);
  }
}

/** The store's time, then a number that keeps apart what happens at once. */
const STUB_ORDER_BYTES = 12;

/** What is left of a log. */
function standOf({ head, time, startedOver }: DiskLog): Partial<StoredLog> {
  return { head, first: head + 1, floor: head + 1, time, startedOver };
}
