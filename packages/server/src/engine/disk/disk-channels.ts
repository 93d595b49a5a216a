/**
 * Which channels there are on the disk: an entry for each that has a log, a stub for each that was forgotten lately, and the
 * birth epoch for all others. In memory are only those that are in use. Does not append, read or announce.
 */
import { type ChannelName, type Epoch, FanfareError } from "@fanfare/protocol";
import type { LossReason } from "../engine.js";
import type { Shares } from "../shares.js";
import { decodeLog, encodeLog, type StoredLog } from "./codec.js";
import { bornLog, DiskLog, type OnDisk } from "./disk-log.js";
import type { DiskMessages } from "./disk-messages.js";
import type { DiskStates } from "./disk-states.js";
import { DiskStubs } from "./disk-stubs.js";
import type { Ledger } from "./ledger.js";
import { type Table, unlessDamaged } from "./store/table.js";

export class DiskChannels {
  /** By name. */
  readonly #entries: Table;
  readonly #stubs: DiskStubs;
  readonly #messages: DiskMessages;
  readonly #states: DiskStates;
  readonly #shares: Shares;
  readonly #ledger: Ledger;
  readonly #maxChannels: number;
  readonly #inUse = new Map<ChannelName, DiskLog>();
  readonly #changed = new Set<DiskLog>();
  /** Logs in use that are not in the store. */
  #unstored = 0;

  constructor(
    tables: { channels: Table; stubs: Table; stubOrder: Table; stubOwners: Table },
    messages: DiskMessages,
    states: DiskStates,
    shares: Shares,
    ledger: Ledger,
    limits: { readonly maxChannels: number; readonly maxStubs: number },
  ) {
    this.#entries = tables.channels;
    this.#stubs = new DiskStubs(tables, ledger, limits.maxStubs);
    this.#messages = messages;
    this.#states = states;
    this.#shares = shares;
    this.#ledger = ledger;
    this.#maxChannels = limits.maxChannels;
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

  /** The channel's log, if it has one or is in use. @throws DamagedError */
  find(channel: ChannelName): DiskLog | null {
    const found = this.#inUse.get(channel);
    if (found) return found;
    const entry = this.#entries.get(channel);
    return entry && new DiskLog(channel, this.#logOf(entry), true);
  }

  /** Where a channel without a log stands. @throws DamagedError */
  standing(channel: ChannelName): OnDisk {
    return this.#stubs.find(channel) ?? bornLog(this.#ledger.epochs.current, 0);
  }

  /** Keeps the channel's stub, if it has one, from being the next to go. Does not wait for the disk. */
  touchStub(channel: ChannelName): void {
    this.#stubs.touch(channel);
  }

  /**
   * The channel's log, in use; a new one goes on where the stub stands, or begins at the birth epoch.
   *
   * @param found what `find` said a moment ago
   * @throws FanfareError `too_many_channels`
   */
  open(channel: ChannelName, found = this.find(channel)): DiskLog {
    if (found) return this.use(found);
    if (this.size >= this.#maxChannels) {
      throw new FanfareError(
        "too_many_channels",
        `channel ${channel} would be one more than the ${this.#maxChannels} channels there may be`,
      );
    }
    const { at, epochs } = this.#ledger;
    const stub = this.#stubs.find(channel);
    const log = new DiskLog(channel, stub ? { ...stub, usedAt: at } : bornLog(epochs.current, at), false);
    if (stub) this.#wake(log);
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
    this.#shares.releaseState(
      log,
      unlessDamaged(() => this.#states.latest(log)),
    );
    this.#messages.bury(log);
    this.#states.remove(log.channel);
    const born = bornLog(this.#ledger.epochs.fresh(), this.#ledger.at);
    Object.assign(log, { ...born, time: log.time, startedOver: true, owner: log.owner });
    this.changed(log);
  }

  /** To be called when the last listener has left: a channel that never was more than listened to is of no use. */
  dropIfUnused(log: DiskLog): void {
    // A channel that was removed may have another log by now.
    if (log.isNeeded || this.#inUse.get(log.channel) !== log) return;
    this.#inUse.delete(log.channel);
    if (!log.isStored) this.#unstored--;
  }

  /** Throws away what the log held, and the state, and gives back its place to its owner. */
  remove(log: DiskLog): void {
    const { owner } = log;
    this.startOver(log);
    this.#shares.release(log, null);
    if (log.listeners.length > 0) return;
    this.#changed.delete(log);
    log.isChanged = false;
    if (!log.isStored) this.#unstored--;
    log.isStored = true;
    this.forget(log, owner);
  }

  /** Leaves only a stub of the channel, which must have no state. @param owner whose stub it is */
  forget(log: DiskLog, owner = log.owner): void {
    // What is buried is taken from its owner, who is known until the channel is given back.
    this.#messages.bury(log);
    this.#shares.release(log, null);
    this.#states.remove(log.channel);
    this.#entries.remove(log.channel);
    this.#inUse.delete(log.channel);
    this.#stubs.put(log.channel, { ...bornLog(log.epoch, log.usedAt), ...standOf(log) }, owner);
  }

  /** As {@link DiskStubs.trim}. */
  trimStubs(atMost: number): void {
    // What is born later must not be taken for what is forgotten now; both go to the disk in one step.
    if (this.#stubs.trim(atMost) > 0) this.#ledger.epochs.renew();
  }

  /** Why a position in this epoch does not belong to the log that stands there now. */
  whyLost(epoch: Epoch, log: OnDisk): LossReason {
    if (!this.#ledger.epochs.isOfThisLife(epoch)) return "restarted";
    return log.startedOver ? "epoch_changed" : "forgotten";
  }

  /** The channels on the disk, in order, from a name on, without those that are damaged. */
  *stored(from: string): Generator<DiskLog> {
    for (const [name, entry] of this.#entries.storedFrom(from)) {
      if (entry === null) continue;
      const channel = name as ChannelName;
      const known = this.#inUse.get(channel);
      // One that is about to be removed is there no more.
      if (known || !this.#entries.isPending(channel))
        yield known ?? new DiskLog(channel, this.#logOf(entry), true);
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
    for (const each of before) if (each.listeners.length > 0) this.#readAgain(each);
  }

  #readAgain(before: DiskLog): void {
    const { channel, listeners, onDisk } = before;
    const isStored = this.#entries.lengthOf(channel) !== null;
    const entry = this.#entries.getIntact(channel);
    const stub = isStored ? null : this.#stubs.findIntact(channel);
    const present = entry ? this.#logOf(entry) : stub;
    // Where nothing can be read, what was told of the channel stays true.
    const otherwise = isStored ? { ...before, ...onDisk } : bornLog(onDisk.epoch, this.#ledger.at);
    const log = new DiskLog(channel, present ?? otherwise, isStored);
    log.listeners = listeners;
    if (!isStored) this.#unstored++;
    if (stub) this.#wake(log);
    this.use(log);
  }

  /** A stub becomes a log again. It is stored at once: without its entry its position would be forgotten. */
  #wake(log: DiskLog): void {
    this.#stubs.remove(log.channel);
    this.changed(log);
  }

  #logOf(entry: Buffer): StoredLog {
    return decodeLog(entry, this.#ledger.life);
  }
}

/** The rest of a log. */
function standOf({ head, time, startedOver }: DiskLog): Partial<StoredLog> {
  return { head, first: head + 1, floor: head + 1, time, startedOver };
}
