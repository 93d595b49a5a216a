/**
 * The upkeep of a disk engine, a little at a time: removes what has grown old, forgets channels, keeps the logs below their
 * bound. Never looks at everything at once, however much there is.
 */
import { FanfareError } from "@fanfare/protocol";
import type { Clock } from "../../base/clock.js";
import type { DiskChannels } from "./disk-channels.js";
import type { DiskLog } from "./disk-log.js";
import type { DiskMessages } from "./disk-messages.js";
import type { DiskEngineLimits } from "./disk-options.js";
import type { DiskStates } from "./disk-states.js";
import type { ExpiringTable } from "./expiring-table.js";
import type { Ledger } from "./ledger.js";
import type { Store } from "./store/store.js";
import { unlessDamaged } from "./store/table.js";

/** In one sweep this many channels are looked at, and this many messages removed from them. */
const CHANNELS_AT_MOST = 2000;
const REMOVED_AT_MOST = 5000;
/** This many channels are looked at, and about this many messages removed, before the event loop turns: a few milliseconds. */
const AT_ONCE = 200;
const REMOVED_AT_ONCE = 500;
/** This many entries of other kinds are removed in one step. */
const OTHERS_AT_ONCE = 2000;
const LEAST_SHARE = 1 / 256;

export interface Parts {
  readonly channels: DiskChannels;
  readonly messages: DiskMessages;
  readonly states: DiskStates;
  readonly keys: ExpiringTable;
  readonly sessions: ExpiringTable;
  readonly ledger: Ledger;
  readonly store: Store;
}

export class Upkeep {
  readonly #parts: Parts;
  readonly #limits: DiskEngineLimits;
  readonly #clock: Clock;
  /** Where the next look at the channels begins. */
  #next = "";
  #sweeping: Promise<void> | null = null;
  /** Has this process written anything yet? Before it has, what it made up may be made up again by the next one. */
  #hasBegun = false;
  /** The part of what is removed at once otherwise: less after a commit that failed, since there may be hardly any room. */
  #share = 1;
  #ended = false;

  constructor(parts: Parts, limits: DiskEngineLimits, clock: Clock) {
    this.#parts = parts;
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Does some of what there is to do, unless it is at it already. */
  sweep(): Promise<void> {
    this.#sweeping ??= this.#sweep().finally(() => {
      this.#sweeping = null;
    });
    return this.#sweeping;
  }

  /** The first commit: what is not on the disk after it cannot be there. @throws FanfareError `unavailable`, `insufficient_storage` */
  async begin(): Promise<void> {
    const { ledger, store } = this.#parts;
    store.commits.clearing(() => ledger.write());
    await store.commits.flushed();
    await store.made();
    this.#hasBegun = true;
  }

  /** Resolves when nothing is touched any more. */
  async end(): Promise<void> {
    this.#ended = true;
    await this.#sweeping;
  }

  /** A commit begins: what it adds must not go over the bounds. */
  committing(): void {
    const { keys, sessions, ledger } = this.#parts;
    keys.committing(ledger.at);
    sessions.committing(ledger.at);
    this.#makeRoom();
  }

  async #sweep(): Promise<void> {
    const { messages, keys, sessions, channels, ledger, store } = this.#parts;
    try {
      await store.watch.look();
      if (this.#ended || store.watch.trouble === "gone") return;
      if (!this.#hasBegun) await this.begin();
      store.commits.clearing(() => {
        const atOnce = this.#some(OTHERS_AT_ONCE);
        messages.emptyGraves(atOnce);
        keys.trim(ledger.at, atOnce);
        sessions.trim(ledger.at, atOnce);
      });
      await this.#lookAtChannels();
      await store.commits.flushed();
      if (this.#ended) return;
      store.commits.clearing(() => channels.trimStubs(this.#some(OTHERS_AT_ONCE)));
      await store.commits.flushed();
      if (store.space.isLow) await this.#seeWhetherThereIsRoom();
      this.#share = Math.min(1, this.#share * 2);
    } catch (error) {
      if (!(error instanceof FanfareError)) store.watch.failed(error);
      // Publishers are told; the next sweep tries again. Removing takes a few pages itself, so it tries with less.
      this.#share = Math.max(LEAST_SHARE, this.#share / 2);
    }
  }

  #some(atOnce: number): number {
    return Math.ceil(atOnce * this.#share);
  }

  /** Pages that were given back can be written only after one more commit, and a disk that refused one has to be tried. */
  async #seeWhetherThereIsRoom(): Promise<void> {
    const { ledger, store } = this.#parts;
    store.commits.clearing(() => ledger.write());
    await store.commits.flushed();
    await store.watch.look();
  }

  async #lookAtChannels(): Promise<void> {
    const { store } = this.#parts;
    let removed = 0;
    for (
      let looked = 0;
      looked < this.#some(CHANNELS_AT_MOST) && removed < this.#some(REMOVED_AT_MOST) && !this.#ended;
    ) {
      let removedAtOnce = 0;
      const atOnce = this.#some(AT_ONCE);
      const some = take(this.#parts.channels.stored(this.#next), atOnce);
      this.#next = "";
      for (const [index, log] of some.entries()) {
        looked++;
        removedAtOnce += store.commits.clearing(() => unlessDamaged(() => this.#lookAt(log)) ?? 0);
        const isLast = index === some.length - 1;
        if (removedAtOnce < this.#some(REMOVED_AT_ONCE) && !isLast) continue;
        if (!isLast || some.length === atOnce) this.#next = `${log.channel}\0`;
        break;
      }
      if (this.#next === "") return;
      removed += removedAtOnce;
      await new Promise<void>((next) => this.#clock.endOfTurn(next));
    }
  }

  /** @returns how many messages were removed */
  #lookAt(log: DiskLog): number {
    const { channels, messages, ledger } = this.#parts;
    const { floor } = log;
    const isTrimmed = messages.trim(log, ledger.at, this.#some(REMOVED_AT_ONCE));
    if (this.#isForgotten(log)) channels.forget(log);
    else if (isTrimmed) channels.changed(channels.use(log));
    return log.floor - floor;
  }

  #isForgotten(log: DiskLog): boolean {
    const { forgetAfterMs, forgetHeldAfterMs } = this.#limits;
    const limit = log.first > log.head ? forgetAfterMs : forgetHeldAfterMs;
    const isIdle = !log.isNeeded && this.#parts.ledger.at - log.usedAt >= limit;
    return isIdle && !this.#parts.states.has(log.channel);
  }

  /** Over the bound, logs of owners who have more than their part lose their oldest messages, then the largest. */
  #makeRoom(): void {
    const { messages, ledger } = this.#parts;
    if (ledger.bytes <= this.#limits.maxBytes) return;
    // Records that no call can ask for any more go first.
    const left = messages.emptyGraves(this.#some(OTHERS_AT_ONCE));
    this.#shrink(messages.largest(), this.#shrink(messages.ofTheRich(), left));
  }

  /** @returns how many more messages may be removed */
  #shrink(logs: ReturnType<DiskMessages["largest"]>, atMost: number): number {
    const { channels, messages, ledger } = this.#parts;
    const isOver = () => ledger.bytes > this.#limits.maxBytes;
    let left = atMost;
    if (!isOver() || left <= 0) return left;
    for (const { channel, isInClass } of logs) {
      const log = unlessDamaged(() => channels.find(channel));
      if (!log || !isInClass(log)) continue;
      channels.changed(channels.use(log));
      while (isOver() && isInClass(log) && left-- > 0) messages.dropOldest(log);
      if (!isOver() || left <= 0) break;
    }
    return left;
  }
}

function take<Value>(values: Iterable<Value>, atMost: number): Value[] {
  const taken: Value[] = [];
  for (const value of values) {
    taken.push(value);
    if (taken.length >= atMost) break;
  }
  return taken;
}
