/**
 * The memory of the store as a whole: the epochs, the numbers of its logs, what all messages take, and how late it is. One
 * small record, written with every commit.
 */
import { type FanfareError, parseEpoch } from "@fanfare/protocol";
import type { Clock, Random } from "../../base/clock.js";
import { BirthEpoch, type SavedEpochs } from "../birth-epoch.js";
import { NUMBER_MAX } from "./codec.js";
import { BACKUP, dataDirError } from "./store/errors.js";
import type { Store } from "./store/store.js";
import type { Table } from "./store/table.js";

const KEY = "ledger";
/**
 * This many epochs may have been made, and told, after the last one that went to the disk. They are skipped, so that none
 * is made again.
 */
const SKIPPED_EPOCHS = 65_536;

interface Entries {
  readonly life: string;
  readonly count: number;
  readonly birth: string;
  readonly lastLog: number;
  readonly bytes: number;
  readonly at: number;
}

export class Ledger {
  readonly #table: Table;
  readonly #clock: Clock;
  /** The store's time when this process opened it, and the monotonic clock then. */
  readonly #openedAt: number;
  readonly #opened: number;
  readonly epochs: BirthEpoch;
  #lastLog: number;
  /** Bytes that all messages take on the disk, roughly. */
  bytes: number;

  /** @throws FanfareError `damaged` */
  constructor(store: Store, clock: Clock, random: Random) {
    this.#table = store.tables.ledger;
    this.#clock = clock;
    const saved = this.#read();
    if (!saved && !store.isNew) throw damaged(`the store in ${store.folder} has no ledger`);
    this.#opened = clock.monotonic();
    this.#openedAt = Math.max(clock.now(), saved?.at ?? 0);
    this.#lastLog = saved?.lastLog ?? 0;
    this.bytes = saved?.bytes ?? 0;
    this.epochs = new BirthEpoch(random, saved ? goOn(saved, store.isRestored, random) : undefined);
  }

  /** The first half of every epoch of this store. */
  get life(): string {
    return this.epochs.saved.life;
  }

  /**
   * Milliseconds that only grow, also from one process to the next: while a process lives they follow the monotonic clock,
   * so that nothing grows old because somebody sets the time of day.
   */
  get at(): number {
    return Math.floor(this.#openedAt + this.#clock.monotonic() - this.#opened);
  }

  /** A number that no log has had. */
  nextLog(): number {
    if (this.#lastLog >= NUMBER_MAX) throw new RangeError("no numbers are left for logs");
    return ++this.#lastLog;
  }

  /** To be called when a commit begins. */
  write(): void {
    const { life, count, current } = this.epochs.saved;
    const { bytes, at } = this;
    const entries: Entries = { life, count, birth: current, lastLog: this.#lastLog, bytes, at };
    this.#table.put(KEY, Buffer.from(JSON.stringify(entries)));
  }

  /** A commit failed. Numbers are not given again; what all messages take has to be as on the disk. */
  lost(): void {
    try {
      this.bytes = this.#read()?.bytes ?? 0;
    } catch {
      // It is damaged, which the log says. What was counted is as good as anything.
    }
  }

  #read(): Entries | null {
    try {
      const bytes = this.#table.stored(KEY);
      if (!bytes) return null;
      return JSON.parse(bytes.toString()) as Entries;
    } catch (cause) {
      throw damaged("the store's ledger cannot be read", cause);
    }
  }
}

function goOn(saved: Entries, isRestored: boolean, random: Random): SavedEpochs {
  // What was told of positions since a backup was taken is not true of it, so all that stands there begins another life.
  const life = isRestored ? Buffer.from(random.bytes(4)).toString("hex") : saved.life;
  const count = (saved.count + SKIPPED_EPOCHS) % 2 ** 32;
  return { life, count, current: parseEpoch(life + saved.birth.slice(saved.life.length)) };
}

function damaged(message: string, cause?: unknown): FanfareError {
  return dataDirError("damaged", message, BACKUP, cause);
}
