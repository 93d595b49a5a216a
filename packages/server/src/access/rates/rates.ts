/**
 * The rates of users and addresses, over all their connections and requests, counted in windows that begin with the first that is
 * counted. Asking costs a look into a map that is empty as long as no caller is over a rate. What one connection may do is counted in
 * `meter.ts`.
 */
import { hash } from "node:crypto";
import { FanfareError } from "@fanfare/protocol";
import type { Clock, Random } from "../../base/clock.js";
import type { Caller } from "../grants/addresses.js";
import { ownerOf, type Principal } from "../grants/principal.js";
import { RATE_WINDOW_SECONDS, type RateSettings } from "./rate-options.js";
import type { Refusals } from "./refusals.js";

/** What is counted. */
export type Counted = "connects" | "frames" | "subscriptions" | "publishes" | "reads" | "logIns";

/** Where it is counted; `null` is nowhere. */
export interface Places {
  readonly address: string | null;
  readonly user: string | null;
}

/** Somebody whose limits count. */
export interface Party extends Places {
  /** Who owns what this one makes, and has a share of it: the user or, where there is no user, the address. */
  readonly owner: string;
}

/**
 * Addresses and users are counted in this many places at most; some share one when there are more. Callers cannot find out
 * with whom they share, so that none can use up the place of another.
 */
const PLACE_DIGITS = 4;
const SECRET_BYTES = 16;

export class Rates {
  readonly #clock: Clock;
  readonly #secret: string;
  readonly #refusals: Refusals;
  #settings: RateSettings;
  #shared: Readonly<Record<Counted, Shared>>;

  constructor(settings: RateSettings, clock: Clock, random: Random, refusals: Refusals) {
    this.#clock = clock;
    this.#refusals = refusals;
    this.#secret = Buffer.from(random.bytes(SECRET_BYTES)).toString("base64");
    this.#settings = settings;
    this.#shared = sharedOf(settings, clock);
  }

  get settings(): RateSettings {
    return this.#settings;
  }

  get clock(): Clock {
    return this.#clock;
  }

  /** Goes on with other rates. What was counted is forgotten. */
  reload(settings: RateSettings): void {
    this.#settings = settings;
    this.#shared = sharedOf(settings, this.#clock);
  }

  /** Whose limits count; `null` where there are none, as for a caller with an API key. */
  partyOf({ line }: Caller, principal: Principal): Party | null {
    if (principal.kind === "key") return null;
    const address = this.addressOf(line);
    if (principal.kind === "nobody")
      return line === null ? null : { address, user: null, owner: `address ${line}` };
    const owner = ownerOf(principal);
    return { address, user: this.#place(owner), owner };
  }

  /** The address alone, for as long as it is not known who it is. */
  addressOf(line: Caller["line"]): string | null {
    return line === null ? null : this.#place(`address ${line}`);
  }

  /** Counts, unless there was too much. @returns the refusal, or `null` */
  take(what: Counted, party: Places, count = 1): FanfareError | null {
    const refusal = this.check(what, party);
    if (!refusal) this.count(what, party, count);
    return refusal;
  }

  /** Was there too much? Counts nothing. @returns the refusal, or `null` */
  check(what: Counted, { address, user }: Places): FanfareError | null {
    const over = this.#shared[what].over(address, user);
    return over && this.refuse(over.rate.name, over.rate.limit, over.leftMs / 1000);
  }

  /** Counts what has happened already. */
  count(what: Counted, { address, user }: Places, count = 1): void {
    const shared = this.#shared[what];
    if (address !== null) shared.address?.count(address, count);
    if (user !== null) shared.user?.count(user, count);
  }

  /** The text of a refusal. @param retryAfterSeconds seconds */
  refuse(name: keyof RateSettings, rate: number, retryAfterSeconds: number): FanfareError {
    this.#refusals.rates[name]++;
    const seconds = Math.max(0.1, Math.ceil(retryAfterSeconds * 10) / 10);
    return new FanfareError(
      "rate_limited",
      `more than ${rate} within ${RATE_WINDOW_SECONDS} seconds: ${name}`,
      {
        retryAfterSeconds: seconds,
        remedy: `Wait for ${seconds} seconds, do less at once, or raise rates.${name} on the server.`,
      },
    );
  }

  /** Hexadecimal. */
  #place(text: string): string {
    return hash("sha1", `${this.#secret} ${text}`).slice(0, PLACE_DIGITS);
  }
}

/** Somebody who is over a rate, and for how much longer. */
interface Over {
  readonly rate: Rate;
  readonly leftMs: number;
}

class Shared {
  readonly address: Rate | null;
  readonly user: Rate | null;

  constructor(address: Rate | null, user: Rate | null) {
    this.address = address;
    this.user = user;
  }

  over(address: string | null, user: string | null): Over | null {
    const byAddress = address === null ? null : this.address?.over(address);
    return byAddress ?? (user === null ? null : (this.user?.over(user) ?? null));
  }
}

/** The count of a place since its window began. */
interface Window {
  readonly until: number;
  count: number;
}

/** The windows that are dropped with each new one, at most, when they are over. */
const DROPPED_PER_WINDOW = 2;

/** One rate: counts by the monotonic clock, and remembers who is over it, so that a flood is refused by a look. */
class Rate {
  readonly name: keyof RateSettings;
  readonly limit: number;
  readonly #clock: Clock;
  /** By place; those that began first come first. */
  readonly #windows = new Map<string, Window>();
  /** Until when. */
  readonly #over = new Map<string, number>();

  constructor(name: keyof RateSettings, limit: number, clock: Clock) {
    this.name = name;
    this.limit = limit;
    this.#clock = clock;
  }

  over(place: string): Over | null {
    if (this.#over.size === 0) return null;
    const until = this.#over.get(place);
    if (until === undefined) return null;
    const leftMs = until - this.#clock.monotonic();
    if (leftMs > 0) return { rate: this, leftMs };
    this.#over.delete(place);
    return null;
  }

  /** A caller that used up the rate with this is over it until its window ends. */
  count(place: string, count: number): void {
    const now = this.#clock.monotonic();
    let window = this.#windows.get(place);
    if (!window || window.until <= now) window = this.#begin(place, now);
    window.count += count;
    if (window.count >= this.limit) this.#over.set(place, window.until);
  }

  #begin(place: string, now: number): Window {
    // At the end of the map: it is the last to be over.
    this.#windows.delete(place);
    let dropped = 0;
    for (const [other, { until }] of this.#windows) {
      if (until > now || dropped++ === DROPPED_PER_WINDOW) break;
      this.#windows.delete(other);
      this.#over.delete(other);
    }
    const window = { until: now + RATE_WINDOW_SECONDS * 1000, count: 0 };
    this.#windows.set(place, window);
    return window;
  }
}

function sharedOf(settings: RateSettings, clock: Clock): Readonly<Record<Counted, Shared>> {
  const rate = (name: keyof RateSettings) =>
    settings[name] === 0 ? null : new Rate(name, settings[name], clock);
  return {
    connects: new Shared(rate("connectsPerAddress"), rate("connectsPerUser")),
    frames: new Shared(rate("framesPerAddress"), rate("framesPerUser")),
    subscriptions: new Shared(rate("subscriptionsPerAddress"), rate("subscriptionsPerUser")),
    publishes: new Shared(rate("publishesPerAddress"), rate("publishesPerUser")),
    reads: new Shared(rate("readsPerAddress"), rate("readsPerUser")),
    logIns: new Shared(rate("logInsPerAddress"), null),
  };
}
