/**
 * Keeps, in order and not for long, what is published without a connection, or was not answered before it was lost. Sends it when there is a connection again. Each frame has its idempotency key, so that sending it again is safe as long as the session goes on.
 */
import { type OkFrame, shown } from "@fanfare/protocol";
import { ClientError } from "./client-error.js";
import type { ClientClock } from "./client-options.js";
import { stopwatch } from "./environment.js";
import type { QueueOptions } from "./types.js";

const DEFAULT_ITEMS = 100;
const DEFAULT_AGE_SECONDS = 30;
/** The server remembers keys for this long. */
const MAX_AGE_SECONDS = 300;

export interface OutboxHost {
  readonly clock: ClientClock;
  /** Rejects with `not_connected` when the connection is lost before the answer came. */
  ask(frame: string): Promise<OkFrame>;
  /** This many wait now. */
  queueChanged(waiting: number): void;
}

interface Item {
  readonly frame: string;
  /** Milliseconds since it was published. */
  age(): number;
  resolve(answer: OkFrame): void;
  reject(error: ClientError): void;
  /** It is on its way, or was: a server may have it. */
  sent: boolean;
  inFlight: boolean;
}

export class Outbox {
  readonly #host: OutboxHost;
  readonly #maxItems: number;
  readonly #maxAgeMs: number;
  /** Those without an answer, in the order of the calls. */
  #items: Item[] = [];
  #connected = false;
  #told = 0;
  #cancelTimer: (() => void) | null = null;

  /** @throws ClientError `invalid_options` */
  constructor(host: OutboxHost, { items = DEFAULT_ITEMS, ageSeconds = DEFAULT_AGE_SECONDS }: QueueOptions) {
    this.#host = host;
    this.#maxItems = checked("items", items, 10_000);
    this.#maxAgeMs = checked("ageSeconds", ageSeconds, MAX_AGE_SECONDS) * 1000;
  }

  get waiting(): number {
    return this.#items.filter(({ inFlight }) => !inFlight).length;
  }

  /** Sends it now, or as soon as there is a connection. */
  add(frame: string): Promise<OkFrame> {
    return new Promise((resolve, reject) => {
      if (!this.#connected && this.waiting >= this.#maxItems) {
        throw new ClientError(
          "queue_full",
          `${this.#maxItems} messages wait for a connection`,
          "Publish again when there is a connection, or raise `queue.items`.",
        );
      }
      const age = stopwatch(this.#host.clock);
      const item: Item = { frame, age, resolve, reject, sent: false, inFlight: false };
      this.#items.push(item);
      if (this.#connected) this.#send(item);
      else this.#changed();
    });
  }

  /** @param resumed the server knows the ids of what was sent before */
  connected(resumed: boolean): void {
    this.#connected = true;
    this.#expire();
    if (!resumed) this.#drop(({ sent }) => sent, lost);
    for (const item of this.#items) this.#send(item);
    this.#changed();
  }

  disconnected(): void {
    this.#connected = false;
    for (const item of this.#items) item.inFlight = false;
    this.#changed();
  }

  /** There will be no connection by itself. */
  closed(reason: string, remedy: string): void {
    this.#drop(
      () => true,
      () => new ClientError("not_connected", reason, remedy),
    );
    this.#changed();
  }

  #send(item: Item): void {
    item.sent = true;
    item.inFlight = true;
    this.#host.ask(item.frame).then(
      (answer) => {
        this.#items = this.#items.filter((each) => each !== item);
        item.resolve(answer);
      },
      (error: ClientError) => {
        if (error.code !== "not_connected")
          this.#drop(
            (each) => each === item,
            () => error,
          );
      },
    );
  }

  #expire(): void {
    this.#drop(({ age }) => age() >= this.#maxAgeMs, expired);
  }

  #drop(which: (item: Item) => boolean, errorOf: (item: Item) => ClientError): void {
    const dropped = this.#items.filter(which);
    this.#items = this.#items.filter((item) => !dropped.includes(item));
    for (const item of dropped) item.reject(errorOf(item));
  }

  /** Tells how many wait, and sets the timer for the oldest. */
  #changed(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    const oldest = this.#items.find(({ inFlight }) => !inFlight);
    if (oldest) {
      this.#cancelTimer = this.#host.clock.after(Math.max(1, this.#maxAgeMs - oldest.age()), () => {
        this.#expire();
        this.#changed();
      });
    }
    const { waiting } = this;
    if (waiting === this.#told) return;
    this.#told = waiting;
    this.#host.queueChanged(waiting);
  }
}

function expired({ sent }: Item): ClientError {
  return new ClientError(
    "expired",
    sent
      ? "no answer came in time: it may have been published, or not"
      : "there was no connection in time: it was not published",
    "Publish it again if it still matters.",
  );
}

function lost(): ClientError {
  return new ClientError(
    "not_connected",
    "the connection was lost before the answer came, and the server has forgotten the session: it may have been published, or not",
    "Look whether it is there, and publish it again if not.",
  );
}

/** @throws ClientError `invalid_options` */
function checked(name: string, value: number, most: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw new ClientError(
    "invalid_options",
    `queue.${name} is ${shown(value)}`,
    `Give a whole number from 1 to ${most}.`,
  );
}
