/**
 * The logs and states of all channels on the disk. Each call decides in one synchronous step, as in memory; answers and announcements
 * wait until the change is on the disk. Readers see only what is there already.
 */
import type { ChannelName, Position } from "@fanfare/protocol";
import type { Clock } from "../../base/clock.js";
import { Slices } from "../../base/slices.js";
import { DamagedError } from "../damaged.js";
import { isBase } from "../entries.js";
import { idReused, keyUse, repeated } from "../idempotency.js";
import type {
  AnyDraft,
  Appended,
  Holdings,
  ListedChannel,
  Listened,
  LogEntry,
  LogListener,
  Logs,
  OwnerHoldings,
  Page,
  PresentState,
  ReadLimit,
  Retention,
} from "../logs.js";
import type { Shares } from "../shares.js";
import { StateConflictError } from "../state-conflict.js";
import type { DiskChannels } from "./disk-channels.js";
import type { DiskHoldings } from "./disk-holdings.js";
import type { DiskKeys } from "./disk-keys.js";
import type { DiskLog } from "./disk-log.js";
import type { DiskMessages } from "./disk-messages.js";
import type { DiskReader } from "./disk-reader.js";
import type { DiskStates } from "./disk-states.js";
import type { Ledger } from "./ledger.js";
import type { Store } from "./store/store.js";
import { unlessDamaged } from "./store/table.js";

/** The parts of the logs. */
export interface DiskParts {
  readonly store: Store;
  readonly ledger: Ledger;
  readonly messages: DiskMessages;
  readonly states: DiskStates;
  readonly holdings: DiskHoldings;
  readonly shares: Shares;
  readonly channels: DiskChannels;
  readonly reader: DiskReader;
  readonly keys: DiskKeys;
}

export class DiskLogs implements Logs {
  readonly #clock: Clock;
  readonly #assertOpen: () => void;
  readonly #slices: Slices;
  readonly #store: Store;
  readonly #ledger: Ledger;
  readonly #messages: DiskMessages;
  readonly #states: DiskStates;
  readonly #holdings: DiskHoldings;
  readonly #shares: Shares;
  readonly #channels: DiskChannels;
  readonly #reader: DiskReader;
  readonly #keys: DiskKeys;
  #ended = false;

  constructor(parts: DiskParts, clock: Clock, assertOpen: () => void) {
    this.#clock = clock;
    this.#assertOpen = assertOpen;
    this.#slices = new Slices(clock);
    this.#store = parts.store;
    this.#ledger = parts.ledger;
    this.#messages = parts.messages;
    this.#states = parts.states;
    this.#holdings = parts.holdings;
    this.#shares = parts.shares;
    this.#channels = parts.channels;
    this.#reader = parts.reader;
    this.#keys = parts.keys;
  }

  async append(channel: ChannelName, draft: AnyDraft, retention: Retention): Promise<Appended> {
    this.#assertOpen();
    const { commits, space, place } = this.#store;
    const { at } = this.#ledger;
    const use = draft.idempotency ? keyUse(channel, draft.idempotency, draft) : null;
    const earlier = use && this.#keys.find(use, at);
    if (earlier) {
      // The first use may have been a moment ago, and may still fail.
      if (earlier.isPending) await commits.flushed();
      if (!earlier.isSame) throw idReused(use.key);
      return repeated(earlier.position, earlier.made, this.#clock.now());
    }
    place.assertThere();
    space.assertRoom();
    commits.assertKeepsUp();

    const found = this.#channels.find(channel);
    const present = found && draft.change ? this.#states.latest(found) : null;
    if (draft.change && !isBase(present, draft.base)) {
      // The state that stands in its way may not be on the disk yet, and may still be taken back.
      await commits.flushed();
      throw new StateConflictError(channel, this.#present(channel), draft.base);
    }
    this.#shares.assertRoom(channel, found, draft, present);
    const log = this.#channels.open(channel, found);
    if (log.id === 0) log.id = this.#ledger.nextLog();
    this.#shares.take(log, draft, present);
    const entry = log.append(draft, retention, this.#clock.now());
    log.usedAt = at;
    this.#messages.put(log, entry, at);
    if (draft.change) this.#states.set(channel, entry.offset, draft.state);
    this.#channels.changed(log);
    if (use) this.#keys.remember(use, entry, at, draft.owner);

    return await new Promise((answer, failed) => {
      const done = () => {
        this.#announce(channel, entry);
        const { epoch, offset } = entry;
        answer({ epoch, offset, repeated: false, time: this.#clock.now() });
      };
      commits.wait({ done, failed });
    });
  }

  async state(channel: ChannelName): Promise<PresentState> {
    this.#assertOpen();
    return this.#present(channel);
  }

  async listen(channel: ChannelName, listener: LogListener): Promise<Listened> {
    this.#assertOpen();
    const log = this.#channels.open(channel);
    if (!log.listeners.includes(listener)) log.listeners = [...log.listeners, listener];
    const state = this.#states.onDisk(channel, log.onDisk);
    return { epoch: log.onDisk.epoch, offset: log.onDisk.head, ...(state && { state }) };
  }

  unlisten(channel: ChannelName, listener: LogListener): void {
    const log = this.#ended ? null : this.#channels.find(channel);
    if (!log?.listeners.includes(listener)) return;
    log.listeners = log.listeners.filter((other) => other !== listener);
    if (log.listeners.length > 0) return;
    this.#reader.touch(log);
    this.#channels.dropIfUnused(log);
  }

  async read(channel: ChannelName, after: Position | null, limit: ReadLimit): Promise<Page> {
    this.#assertOpen();
    return this.#reader.read(channel, after, limit);
  }

  async heads(channels: readonly ChannelName[]): Promise<Position[]> {
    this.#assertOpen();
    return this.#reader.heads(channels);
  }

  async list(after: ChannelName | null, limit: number): Promise<ListedChannel[]> {
    this.#assertOpen();
    return await this.#reader.list(after, limit, this.#slices, () => this.#assertOpen());
  }

  async owners(by: keyof Holdings, limit: number): Promise<OwnerHoldings[]> {
    this.#assertOpen();
    const greatest = await this.#holdings.greatest(by, limit, this.#slices, () => !this.#ended);
    this.#assertOpen();
    return greatest;
  }

  async holdings(owner: string): Promise<Holdings> {
    this.#assertOpen();
    return this.#shares.of(owner);
  }

  async remove(channel: ChannelName): Promise<boolean> {
    this.#assertOpen();
    const log = this.#removable(channel);
    if (!log) return false;
    this.#store.commits.clearing(() => this.#channels.remove(this.#channels.use(log)));
    await this.#toldReset(log);
    return true;
  }

  /** As {@link DiskEngine.startOver}. */
  async startOver(channel: ChannelName): Promise<Position> {
    this.#assertOpen();
    const log = this.#channels.open(
      channel,
      unlessDamaged(() => this.#channels.find(channel)),
    );
    // It makes room, so it is possible on a full disk.
    this.#store.commits.clearing(() => this.#channels.startOver(log));
    return await this.#toldReset(log);
  }

  #present(channel: ChannelName): PresentState {
    const stand = this.#channels.find(channel)?.onDisk ?? this.#channels.standing(channel);
    const state = this.#states.onDisk(channel, stand) ?? { epoch: stand.epoch, offset: 0, json: null };
    return { ...state, time: this.#clock.now() };
  }

  /** The channel's log; an empty one where what is stored of it is damaged, so that it can be removed. */
  #removable(channel: ChannelName): DiskLog | null {
    try {
      const log = this.#channels.find(channel);
      return log?.owner === undefined ? null : log;
    } catch (error) {
      if (!(error instanceof DamagedError)) throw error;
      return this.#channels.open(channel, null);
    }
  }

  /** Tells those who listen where the log begins anew, once that is on the disk. */
  async #toldReset(log: DiskLog): Promise<Position> {
    const position = { epoch: log.epoch, offset: 0 };
    return await new Promise((answer, failed) => {
      const done = () => {
        for (const listener of log.listeners) listener.reset(position, "epoch_changed");
        answer(position);
      };
      this.#store.commits.wait({ done, failed });
    });
  }

  /** Looks at nothing any more. */
  end(): void {
    this.#ended = true;
  }

  /** The listeners of now: somebody may have begun or ended while the message went to the disk. */
  #announce(channel: ChannelName, entry: LogEntry): void {
    for (const listener of this.#channels.find(channel)?.listeners ?? []) listener.message(entry);
  }
}
