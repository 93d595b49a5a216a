/**
 * What a disk engine does by itself, a little at a time: removes what has grown old, forgets channels, keeps the logs below their
 * bound. Never looks at everything at once, however much there is.
 */
import type { Clock } from "../../clock.js";
import type { DiskChannels } from "./disk-channels.js";
import type { DiskLog } from "./disk-log.js";
import type { DiskMessages } from "./disk-messages.js";
import type { DiskEngineLimits } from "./disk-options.js";
import type { ExpiringTable } from "./expiring-table.js";
import type { Ledger } from "./ledger.js";
import type { Store } from "./store.js";

/** In one sweep so many channels are looked at, and so many messages and other entries removed. */
const CHANNELS_AT_MOST = 2000;
const REMOVED_AT_MOST = 5000;
/** So many channels are looked at before the event loop turns: about 1 ms. */
const AT_ONCE = 200;
/** Messages that one log loses before another is looked at. */
const REMOVED_PER_LOG = 500;

export interface Parts {
  readonly channels: DiskChannels;
  readonly messages: DiskMessages;
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
    await store.space.ask().catch(() => {});
    if (this.#ended) return;
    const left = messages.emptyGraves(REMOVED_AT_MOST);
    keys.trim(ledger.at, REMOVED_AT_MOST);
    sessions.trim(ledger.at, REMOVED_AT_MOST);
    await this.#lookAtChannels(left);
    try {
      await store.commits.flushed();
      if (this.#ended) return;
      channels.trimStubs(REMOVED_AT_MOST);
      await store.commits.flushed();
    } catch {
      // Whoever publishes is told; the next sweep tries again.
    }
  }

  async #lookAtChannels(removable: number): Promise<void> {
    let removed = 0;
    for (
      let looked = 0;
      looked < CHANNELS_AT_MOST && removed < removable && !this.#ended;
      looked += AT_ONCE
    ) {
      const some = take(this.#parts.channels.stored(this.#next), AT_ONCE);
      for (const log of some) removed += this.#lookAt(log);
      const last = some.at(-1);
      this.#next = last === undefined || some.length < AT_ONCE ? "" : `${last.channel}\0`;
      if (this.#next === "") return;
      await new Promise<void>((next) => this.#clock.endOfTurn(next));
    }
  }

  /** @returns how many messages were removed */
  #lookAt(log: DiskLog): number {
    const { channels, messages, ledger } = this.#parts;
    const { floor } = log;
    if (log.isChanged || log.underWay > 0) return 0;
    const isTrimmed = messages.trim(log, ledger.at, REMOVED_PER_LOG);
    if (this.#isForgotten(log)) channels.forget(log);
    else if (isTrimmed) channels.changed(channels.use(log));
    return log.floor - floor;
  }

  #isForgotten({ listeners, first, head, usedAt }: DiskLog): boolean {
    const { forgetAfterMs, forgetHeldAfterMs } = this.#limits;
    const limit = first > head ? forgetAfterMs : forgetHeldAfterMs;
    return listeners.length === 0 && this.#parts.ledger.at - usedAt >= limit;
  }

  /** Over the bound, the largest logs lose their oldest messages. */
  #makeRoom(): void {
    const { channels, messages, ledger } = this.#parts;
    if (ledger.bytes <= this.#limits.maxBytes) return;
    // What nobody can ask for any more goes first.
    let left = messages.emptyGraves(REMOVED_AT_MOST);
    if (ledger.bytes <= this.#limits.maxBytes) return;
    for (const { channel, isInClass } of messages.largest()) {
      const log = channels.find(channel);
      if (!log || !isInClass(log)) continue;
      channels.changed(channels.use(log));
      while (ledger.bytes > this.#limits.maxBytes && isInClass(log) && left-- > 0) messages.dropOldest(log);
      if (ledger.bytes <= this.#limits.maxBytes || left <= 0) return;
    }
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
