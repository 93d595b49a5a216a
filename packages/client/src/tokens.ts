/**
 * The token that says who the page's user is: fetched before each connect, and again in time before it expires. Several who need
 * one at once share one call of the page. Knows no sockets.
 */
import type { Expiry } from "@fanfare/protocol";
import { jitterMs } from "./machine.js";
import { type ClientClock, ClientError, type ClientOptions } from "./types.js";

/** A new token is fetched so long before the old one expires, or in the last quarter of its life. */
const RENEW_BEFORE_MS = 60_000;
/** Timers cannot wait for longer. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export interface TokensHost {
  readonly clock: ClientClock;
  readonly random: () => number;
  /** A new token for the connection that there is. */
  renewed(token: string): void;
  error(error: Error): void;
}

export class Tokens {
  readonly #options: Pick<ClientOptions, "token" | "getToken">;
  readonly #host: TokensHost;
  /** The call of the page that is on its way. */
  #fetching: Promise<string> | null = null;
  /** When a new one is to be fetched, by the clock of this machine. */
  #renewAt = Number.POSITIVE_INFINITY;
  #cancel: (() => void) | null = null;
  /** How often in a row the page had none. */
  #failures = 0;
  /** Which connection it is: what was fetched for an earlier one is not for this one. */
  #connection = 0;

  constructor(options: Pick<ClientOptions, "token" | "getToken">, host: TokensHost) {
    this.#options = options;
    this.#host = host;
  }

  /** Can there be another one than the last? */
  get renewable(): boolean {
    return this.#options.getToken !== undefined;
  }

  /** The token to connect with; at once where the page gave one for good, or none. */
  get(): Promise<string> | string | undefined {
    return this.renewable ? this.#fetch() : this.#options.token;
  }

  /** The server accepted it, until then. */
  accepted({ expires, time }: Expiry): void {
    if (!this.renewable || expires === undefined) return;
    this.#failures = 0;
    const lifeMs = Math.max(0, expires - (time ?? this.#host.clock.now()));
    this.#renewAfter(lifeMs - Math.min(RENEW_BEFORE_MS, lifeMs / 4));
  }

  /** The connection is over. */
  ended(): void {
    this.#connection++;
    this.#stop();
  }

  /** The page woke up: timers stood still meanwhile. */
  wake(): void {
    if (this.#host.clock.now() >= this.#renewAt) void this.#renew();
  }

  #stop(): void {
    this.#cancel?.();
    this.#cancel = null;
    this.#renewAt = Number.POSITIVE_INFINITY;
  }

  #renewAfter(ms: number): void {
    this.#stop();
    this.#renewAt = this.#host.clock.now() + ms;
    this.#cancel = this.#host.clock.after(Math.min(ms, MAX_TIMER_MS), () => void this.#renew());
  }

  async #renew(): Promise<void> {
    const connection = this.#connection;
    this.#stop();
    try {
      const token = await this.#fetch();
      if (this.#connection === connection) this.#host.renewed(token);
    } catch (error) {
      if (this.#connection !== connection) return;
      // When none comes in time, the server closes the connection, and the next connect asks again.
      this.#renewAfter(jitterMs(++this.#failures, this.#host.random));
      this.#host.error(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** One that takes longer than a connect may last serves the next connect. */
  #fetch(): Promise<string> {
    this.#fetching ??= Promise.resolve()
      .then(this.#options.getToken)
      .then(checked)
      .finally(() => {
        this.#fetching = null;
      });
    return this.#fetching;
  }
}

/** Without one the page would be somebody else: nobody. */
function checked(token: unknown): string {
  if (typeof token === "string" && token !== "") return token;
  throw new ClientError("no_token", "getToken gave no token", "Return a text, or throw.");
}
