/**
 * Makes the epochs of one engine's life, and keeps the birth epoch, which every new log takes. As long as no log has been
 * forgotten without a trace, the birth epoch stays: so the position `{birth epoch, 0}` of a channel without a log is true.
 */
import { type Epoch, parseEpoch } from "@fanfare/protocol";
import type { Random } from "../base/clock.js";

/** Enough to go on from. */
export interface SavedEpochs {
  /** The first half of every epoch of this life: 8 hexadecimal digits. */
  readonly life: string;
  /** The second half of the epoch that was made last, as a number of 32 bits. */
  readonly count: number;
  readonly current: Epoch;
}

/**
 * An epoch's first half is random and names the life of the engine; its second half counts on from a random start. So
 * no epoch comes twice within a life, which random bits alone could not promise, and an epoch of an earlier life is
 * told by its first half.
 */
export class BirthEpoch {
  readonly #life: string;
  #count: number;
  #current: Epoch;

  /** @param saved what an earlier process wrote down; without it a new life begins */
  constructor(random: Random, saved?: SavedEpochs) {
    const bits = Buffer.from(random.bytes(8));
    this.#life = saved?.life ?? bits.toString("hex", 0, 4);
    this.#count = saved?.count ?? bits.readUInt32BE(4);
    this.#current = saved?.current ?? this.fresh();
  }

  /** For an engine whose life goes on in another process. */
  get saved(): SavedEpochs {
    return { life: this.#life, count: this.#count, current: this.#current };
  }

  /** The epoch that a log takes when it begins now. */
  get current(): Epoch {
    return this.#current;
  }

  /** To be called whenever a log's head and epoch are forgotten: what is born later must not be taken for that log. */
  renew(): void {
    this.#current = this.fresh();
  }

  /** An epoch that nothing in this life has had. */
  fresh(): Epoch {
    this.#count = (this.#count + 1) % 2 ** 32;
    return parseEpoch(this.#life + this.#count.toString(16).padStart(8, "0"));
  }

  isOfThisLife(epoch: Epoch): boolean {
    return epoch.startsWith(this.#life);
  }
}
