/**
 * Every request passes it before access looks who the caller is. It checks the address, the host name and the page that it comes from, and whether there was too much from there. The same for HTTP and for every door.
 */
import type { IncomingHttpHeaders } from "node:http";
import { FanfareError } from "@fanfare/protocol";
import type { Clock, Random } from "../base/clock.js";
import type { Log } from "../base/log.js";
import { Addresses, type Caller } from "./grants/addresses.js";
import { type CheckOrigin, loopbackOnly, type OriginOptions, sameOrigin } from "./origins.js";
import { type RateOptions, rateSettings } from "./rates/rate-options.js";
import { Rates } from "./rates/rates.js";
import { Refusals } from "./rates/refusals.js";

export interface EntranceOptions extends OriginOptions {
  /** Answers only to requests that name this machine (localhost), against DNS rebinding. @default false */
  readonly loopbackOnly?: boolean;
  /**
   * Proxies in front of this server, as addresses or ranges such as `10.0.0.0/8`: what they say in `X-Forwarded-For` and
   * `X-Forwarded-Host` is believed. @default none
   */
  readonly trustedProxies?: readonly string[];
  /** How much is taken at once from a connection, a user and an address; those left out have their defaults. */
  readonly rates?: RateOptions;
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

  /** @throws TypeError */
  constructor(options: EntranceOptions, { clock, random, log }: EntranceParts) {
    this.#log = log;
    this.#addresses = new Addresses(options.trustedProxies ?? [], log);
    this.#checkOrigin = originsOf(options);
    this.rates = new Rates(rateSettings(options.rates), clock, random, this.refusals);
  }

  /** Checks other options. @returns goes on with them @throws TypeError */
  prepare(options: EntranceOptions): () => void {
    const addresses = new Addresses(options.trustedProxies ?? [], this.#log);
    const checkOrigin = originsOf(options);
    const rates = rateSettings(options.rates);
    return () => {
      this.#addresses = addresses;
      this.#checkOrigin = checkOrigin;
      this.rates.reload(rates);
    };
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

function originsOf(options: EntranceOptions): CheckOrigin {
  return options.loopbackOnly ? loopbackOnly : sameOrigin(options);
}
