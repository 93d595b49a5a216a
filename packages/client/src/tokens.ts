/**
 * The token that says who the page's user is: fetched before each connect, and again in time before it expires. Several who need
 * one at once share one call of the page. Knows no sockets.
 */
import { asError, type Expiry, shown } from "@fanfare/protocol";
import { ClientError } from "./client-error.js";
import type { ClientClock, ClientOptions } from "./client-options.js";
import { jitterMs } from "./machine.js";

/** A new token is fetched this long before the old one expires, or in the last quarter of its life. */
const RENEW_BEFORE_MS = 60_000;
/** A new one is not fetched sooner than this, whatever the server says of the old one, and however often the page has none. */
const RENEW_AFTER_MS = 1000;
/** The page is given this long. */
const GIVE_UP_AFTER_MS = 15_000;

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
  #abandon: (error: Error) => void = () => {};
  /** The one that the connection goes by. */
  #last: string | undefined;
  /** When a new one is to be fetched, by the time of day: timers stand still while a machine sleeps. */
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

  /** Is the page still to answer? */
  get pending(): boolean {
    return this.#fetching !== null;
  }

  /** The token to connect with; at once where the page gave one for good, or none. */
  get(): Promise<string> | string | undefined {
    if (!this.renewable) return this.#options.token;
    return this.#fetch().then((token) => {
      this.#last = token;
      return token;
    });
  }

  /** The server accepted it, until then. */
  accepted({ expires, time }: Expiry): void {
    if (!this.renewable || expires === undefined) return;
    const lifeMs = Number(expires) - Number(time ?? this.#host.clock.now());
    if (lifeMs >= RENEW_AFTER_MS) {
      this.#failures = 0;
      this.#renewAfter(Math.max(RENEW_AFTER_MS, lifeMs - Math.min(RENEW_BEFORE_MS, lifeMs / 4)));
    } else if (lifeMs < RENEW_AFTER_MS) this.#backOff();
  }

  /** The page wants no connection any more. */
  abandon(): void {
    this.#abandon(new ClientError("not_connected", "the connection was closed", "Call connect()."));
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
    this.#cancel = this.#host.clock.after(ms, () => void this.#renew());
  }

  /** When none comes in time, the server closes the connection, and the next connect asks again. */
  #backOff(): void {
    this.#renewAfter(Math.max(RENEW_AFTER_MS, jitterMs(++this.#failures, this.#host.random)));
  }

  async #renew(): Promise<void> {
    const connection = this.#connection;
    this.#stop();
    try {
      const token = await this.#fetch();
      if (this.#connection !== connection) return;
      if (token === this.#last) {
        // Pages keep a token until it has expired, so this is not told.
        this.#backOff();
        return;
      }
      this.#last = token;
      this.#host.renewed(token);
    } catch (error) {
      if (this.#connection !== connection) return;
      this.#backOff();
      this.#host.error(asError(error));
    }
  }

  /** One that takes longer than a connect may last serves the next connect. */
  #fetch(): Promise<string> {
    this.#fetching ??= new Promise<string>((resolve, reject) => {
      const call = new AbortController();
      this.#abandon = (error) => {
        // Not before the promise, since what the page does then may ask anew.
        this.#fetching = null;
        cancel();
        reject(error);
        call.abort(error);
      };
      const cancel = this.#host.clock.after(GIVE_UP_AFTER_MS, () => this.#abandon(late()));
      const { signal } = call;
      Promise.resolve()
        .then(() => this.#options.getToken?.({ signal }))
        .then(checked)
        .then(resolve, reject)
        .finally(() => {
          if (signal.aborted) return;
          this.#fetching = null;
          cancel();
        });
    });
    return this.#fetching;
  }
}

function late(): ClientError {
  return new ClientError(
    "no_token",
    "getToken gave no token within 15 seconds",
    "Heed the `signal` that getToken is called with, and throw when there is no token.",
  );
}

/** Without one the page would be anonymous. */
function checked(token: unknown): string {
  if (typeof token === "string" && token !== "") return token;
  throw new ClientError("no_token", `getToken gave ${shown(token)}`, "Return a text, or throw.");
}
