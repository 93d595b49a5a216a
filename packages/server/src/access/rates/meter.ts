/**
 * The rates of one connection: token buckets, each kept as one number (the generic cell rate algorithm, ITU-T I.371), since a look at a
 * library for each frame would cost more than the frame. What was counted goes on to the user and the address by the lump.
 */
import type { FanfareError } from "@fanfare/protocol";
import { extraWrites } from "./call-cost.js";
import { RATE_WINDOW_SECONDS, type RateSettings } from "./rate-options.js";
import type { Party, Rates } from "./rates.js";

const WINDOW_MS = RATE_WINDOW_SECONDS * 1000;
/** Disconnects a client that is still over a rate this long after it was told. */
const TOLERATED_MS = 10_000;
/** This many are counted before users and addresses hear of them; fewer where rates are low. */
const MAX_LUMP = 20;
const LUMPS_PER_RATE = 50;

type Metered = "frames" | "subscriptions" | "publishes" | "reads";

const NAMES = {
  frames: ["framesPerConnection", "framesPerUser", "framesPerAddress"],
  subscriptions: ["subscriptionsPerConnection", "subscriptionsPerUser", "subscriptionsPerAddress"],
  publishes: ["publishesPerConnection", "publishesPerUser", "publishesPerAddress"],
  reads: ["readsPerConnection", "readsPerUser", "readsPerAddress"],
} as const satisfies Record<Metered, readonly (keyof RateSettings)[]>;

class Bucket {
  /** When it would be full again, by the monotonic clock. */
  fullAt = 0;
  /** What users and addresses have not heard of. */
  lump = 0;
}

export class Meter {
  readonly #rates: Rates;
  #party: Party | null;
  readonly #frames = new Bucket();
  // Most connections never publish or read.
  #subscriptions: Bucket | null = null;
  #publishes: Bucket | null = null;
  #reads: Bucket | null = null;
  /** When it was refused something for the first and the last time, of those that are not far apart. */
  #over: { readonly since: number; last: number } | null = null;

  /** @param party whose limits count, beside those of the connection */
  constructor(rates: Rates, party: Party | null) {
    this.#rates = rates;
    this.#party = party;
  }

  /** Somebody else goes on with the connection. What was counted until now counts for those who were there. */
  goOnAs(party: Party | null): void {
    for (const [what, bucket] of [
      ["frames", this.#frames],
      ["subscriptions", this.#subscriptions],
      ["publishes", this.#publishes],
      ["reads", this.#reads],
    ] as const) {
      if (!bucket || bucket.lump === 0) continue;
      if (this.#party) this.#rates.count(what, this.#party, bucket.lump);
      bucket.lump = 0;
    }
    this.#party = party;
  }

  /** Has it gone on for too long? To be asked after a refusal. */
  get tolerated(): boolean {
    return this.#over === null || this.#over.last - this.#over.since < TOLERATED_MS;
  }

  /** Who owns what the connection makes; left out where that is not bounded. */
  get owner(): string | undefined {
    return this.#party?.owner;
  }

  frame(): FanfareError | null {
    return this.#spend("frames", this.#frames);
  }

  subscription(): FanfareError | null {
    this.#subscriptions ??= new Bucket();
    return this.#spend("subscriptions", this.#subscriptions);
  }

  publish(): FanfareError | null {
    this.#publishes ??= new Bucket();
    return this.#spend("publishes", this.#publishes);
  }

  read(): FanfareError | null {
    this.#reads ??= new Bucket();
    return this.#spend("reads", this.#reads);
  }

  /** A call that read has cost this much more than the one that was counted. */
  readMore(count: number): void {
    if (count <= 0) return;
    this.#reads ??= new Bucket();
    this.#more("reads", this.#reads, count);
  }

  /** A message, or a state that was changed, has this many bytes: it costs more than the call that was counted. */
  hasWritten(bytes: number): void {
    const count = extraWrites(bytes);
    if (count === 0) return;
    this.#publishes ??= new Bucket();
    this.#more("publishes", this.#publishes, count);
  }

  /** It is done, so the next one waits. */
  #more(what: "publishes" | "reads", bucket: Bucket, count: number): void {
    const rate = this.#rates.settings[NAMES[what][0]];
    const now = this.#rates.clock.monotonic();
    if (rate > 0) bucket.fullAt = Math.max(bucket.fullAt, now) + (count * WINDOW_MS) / rate;
    if (this.#party) this.#rates.count(what, this.#party, count);
  }

  #spend(what: Metered, bucket: Bucket): FanfareError | null {
    const now = this.#rates.clock.monotonic();
    const refusal = this.#own(what, bucket, now) ?? this.#shared(what, bucket);
    if (refusal) {
      if (!this.#over || now - this.#over.last > TOLERATED_MS) this.#over = { since: now, last: now };
      else this.#over.last = now;
    }
    return refusal;
  }

  #own(what: Metered, bucket: Bucket, now: number): FanfareError | null {
    const [name] = NAMES[what];
    const rate = this.#rates.settings[name];
    if (rate === 0) return null;
    const fullAt = Math.max(bucket.fullAt, now) + WINDOW_MS / rate;
    const overMs = fullAt - now - WINDOW_MS;
    // A thousandth of a millisecond is what adding up may be wrong by.
    if (overMs > 0.001) return this.#rates.refuse(name, rate, overMs / 1000);
    bucket.fullAt = fullAt;
    return null;
  }

  #shared(what: Metered, bucket: Bucket): FanfareError | null {
    if (!this.#party) return null;
    if (bucket.lump + 1 < this.#lumpOf(what)) {
      const refusal = this.#rates.check(what, this.#party);
      if (!refusal) bucket.lump++;
      return refusal;
    }
    const refusal = this.#rates.take(what, this.#party, bucket.lump + 1);
    if (!refusal) bucket.lump = 0;
    return refusal;
  }

  #lumpOf(what: Metered): number {
    const [, user, address] = NAMES[what];
    const { settings } = this.#rates;
    const least = Math.min(
      settings[user] || Number.POSITIVE_INFINITY,
      settings[address] || Number.POSITIVE_INFINITY,
    );
    return Math.min(MAX_LUMP, Math.ceil(least / LUMPS_PER_RATE));
  }
}
