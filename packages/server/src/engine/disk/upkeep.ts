/**
 * What a disk engine does by itself, a little at a time: removes what has grown old, forgets channels, keeps the logs below their
 * bound. Never looks at everything at once, however much there is.
 */
import type { Clock } from "../../clock.js";
import type { DiskChannels } from "./disk-channels.js";
import type { DiskLog } from "./disk-log.js";
import type { DiskMessages } from "./disk-messages.js";
import type { DiskEngineLimits } from "./disk-options.js";
import type { DiskStates } from "./disk-states.js";
import type { ExpiringTable } from "./expiring-table.js";
import type { Ledger } from "./ledger.js";
import type { Store } from "./store.js";

/** In one sweep so many channels are looked at, and so many messages removed from them. */
const CHANNELS_AT_MOST = 2000;
const REMOVED_AT_MOST = 5000;
/** So many channels are looked at, and about so many messages removed, before the event loop turns: a few milliseconds. */
const AT_ONCE = 200;
const REMOVED_AT_ONCE = 500;
/** So many entries of other kinds are removed in one step. */
const OTHERS_AT_ONCE = 2000;

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
    messages.emptyGraves(OTHERS_AT_ONCE);
    keys.trim(ledger.at, OTHERS_AT_ONCE);
    sessions.trim(ledger.at, OTHERS_AT_ONCE);
    await this.#lookAtChannels();
    try {
      await store.commits.flushed();
      if (this.#ended) return;
      channels.trimStubs(OTHERS_AT_ONCE);
      await store.commits.flushed();
    } catch {
      // Whoever publishes is told; the next sweep tries again.
    }
  }

  async #lookAtChannels(): Promise<void> {
    let removed = 0;
    for (let looked = 0; looked < CHANNELS_AT_MOST && removed < REMOVED_AT_MOST && !this.#ended; ) {
      let removedAtOnce = 0;
      const some = take(this.#parts.channels.stored(this.#next), AT_ONCE);
      this.#next = "";
      for (const [index, log] of some.entries()) {
        looked++;
        removedAtOnce += this.#lookAt(log);
        const isLast = index === some.length - 1;
        if (removedAtOnce < REMOVED_AT_ONCE && !isLast) continue;
        if (!isLast || some.length === AT_ONCE) this.#next = `${log.channel}\0`;
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
    const isTrimmed = messages.trim(log, ledger.at, REMOVED_AT_ONCE);
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

  /** Over the bound, the largest logs lose their oldest messages. */
  #makeRoom(): void {
    const { channels, messages, ledger } = this.#parts;
    if (ledger.bytes <= this.#limits.maxBytes) return;
    // What nobody can ask for any more goes first.
    let left = messages.emptyGraves(OTHERS_AT_ONCE);
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
