/**
 * Every request passes it before access looks who the caller is. It checks the address, the host name and the page that it comes from, and whether there was too much from there. The same for HTTP and for every door.
 */
import type { IncomingHttpHeaders } from "node:http";
import { FanfareError } from "@fanfare/protocol";
import { z } from "zod";
import type { Clock, Random } from "../base/clock.js";
import { type Log, silentLog } from "../base/log.js";
import { described, type Given } from "../base/option.js";
import { checkedOptions, explain } from "../base/option-checks.js";
import { inCode } from "../base/option-kinds.js";
import { Addresses, type Caller } from "./grants/addresses.js";
import { type CheckOrigin, loopbackOnly, type OriginOptions, originOptions, sameOrigin } from "./origins.js";
import { RATES } from "./rates/rate-options.js";
import { Rates } from "./rates/rates.js";
import { Refusals } from "./rates/refusals.js";

/** The comments are what editors show: `config/options.test.ts` holds them to the texts and defaults. */
const ownOptions = {
  /** Answers only to requests that name this machine (localhost), against DNS rebinding. @default false */
  loopbackOnly: inCode<boolean>({
    text: "Answers only to requests that name this machine (localhost), against DNS rebinding.",
    allowed: "true or false",
    isRight: (given) => typeof given === "boolean",
  }),
  /** Proxies in front of this server: what they say in `X-Forwarded-For` and `X-Forwarded-Host` is believed. Each of them has to set these headers itself. @default none */
  trustedProxies: described(
    z
      .array(z.string())
      .superRefine((proxies, context) => explain(context, () => new Addresses(proxies, silentLog)))
      .default([]),
    {
      text: "Proxies in front of this server: what they say in `X-Forwarded-For` and `X-Forwarded-Host` is believed. Each of them has to set these headers itself.",
      allowed: "an address or a range, such as 10.0.0.7 or 10.0.0.0/8",
    },
  ),
  /** How much the server takes from a connection, a user and an address; rates that are left out have their defaults. */
  rates: RATES.prefault({}),
};

export const entranceOptions = { ...originOptions, ...ownOptions };
const ENTRANCE = z.strictObject(entranceOptions);

// Joined as types: editors show no comments of members that are spread.
export type EntranceOptions = OriginOptions & Given<typeof ownOptions>;
export type EntranceSettings = z.output<typeof ENTRANCE>;

/** @param given nothing else than these options @throws TypeError */
export function entranceSettings(given: EntranceOptions = {}): EntranceSettings {
  return checkedOptions("the entrance", ENTRANCE, given, "");
}

export interface EntranceParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export class Entrance {
  readonly rates: Rates;
  /** All that is refused, here and by what comes after. */
  readonly refusals = new Refusals();
  readonly #log: Log;
  #addresses: Addresses;
  #checkOrigin: CheckOrigin;

  constructor(options: EntranceSettings, { clock, random, log }: EntranceParts) {
    this.#log = log;
    this.#addresses = new Addresses(options.trustedProxies, log);
    this.#checkOrigin = originsOf(options);
    this.rates = new Rates(options.rates, clock, random, this.refusals);
  }

  /** Goes on with other options. */
  reload(options: EntranceSettings): void {
    this.#addresses = new Addresses(options.trustedProxies, this.#log);
    this.#checkOrigin = originsOf(options);
    this.rates.reload(options.rates);
  }

  /** The host name that the client called, where there is one. @param host the `Host` header, where it is not that of the headers */
  hostOf(
    remoteAddress: string | undefined,
    headers: IncomingHttpHeaders,
    host = headers.host,
  ): string | undefined {
    return this.#addresses.hostOf(remoteAddress, headers) ?? host;
  }

  /** The caller, as far as the address tells, after the check that it may call. */
  callerOf(remoteAddress: string | undefined, headers: IncomingHttpHeaders): Caller {
    return this.#addresses.callerOf(remoteAddress, headers);
  }

  /**
   * The same, of one who wants to come in.
   *
   * @param remoteAddress the address at the other end of the socket
   * @param host the `Host` header, or all of several: the headers hold the first
   * @throws FanfareError `host_not_allowed`, `origin_not_allowed`
   */
  admit(remoteAddress: string | undefined, headers: IncomingHttpHeaders, host = headers.host): Caller {
    const { origin, cookie } = headers;
    try {
      this.#checkOrigin({
        host: this.hostOf(remoteAddress, headers, host),
        origin,
        cookies: cookie !== undefined,
      });
    } catch (error) {
      if (error instanceof FanfareError) this.refusals.count(error.code);
      throw error;
    }
    return this.callerOf(remoteAddress, headers);
  }
}

function originsOf(options: EntranceSettings): CheckOrigin {
  return options.loopbackOnly ? loopbackOnly : sameOrigin(options);
}
