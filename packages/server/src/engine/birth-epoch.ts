/**
 * Makes the epochs of one engine's life, and keeps the birth epoch, which every new log takes. As long as no log has been
 * forgotten without a trace, the birth epoch stays: so the position `{birth epoch, 0}` of a channel without a log is true.
 */
import { type Epoch, parseEpoch } from "@fanfare/protocol";
import type { Random } from "../clock.js";

/**
 * An epoch's first half is random and names the life of the engine; its second half counts on from a random start. So
 * no epoch comes twice within a life, which random bits alone could not promise, and an epoch of an earlier life is
 * told by its first half.
 */
export class BirthEpoch {
  readonly #life: string;
  #count: number;
  #current: Epoch;

  constructor(random: Random) {
    const bits = Buffer.from(random.bytes(8));
    this.#life = bits.toString("hex", 0, 4);
    this.#count = bits.readUInt32BE(4);
    this.#current = this.fresh();
  }

  /** What a log that begins now takes. */
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
