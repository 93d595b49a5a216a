/**
 * One handler of a channel: its position, and its snapshot. Drops what it has been given before, and says what it will not
 * get. While a snapshot loads, what arrives waits.
 */
import type { Gap, GapReason, Message, Position, SubscribeOptions } from "./types.js";

/** A gap as the server says it: with the epoch that holds from then on. */
export interface GapDelivery {
  readonly type: "gap";
  readonly epoch: string;
  readonly from: number;
  readonly to: number;
  readonly reason: GapReason;
}
export type Delivery = Message | GapDelivery;

/** What a handler needs of its client. */
export interface ListenerHost {
  after(ms: number, call: () => void): () => void;
  /** Nobody else wants to know of this gap. */
  gap(gap: Gap): void;
  error(error: Error): void;
}

/** While a snapshot loads, at most so many messages wait; what is beyond makes the snapshot load again. */
const MAX_WAITING = 10_000;
const SNAPSHOT_RETRY_MS = 2000;

export class Listener {
  readonly channel: string;
  position: Position | null;
  readonly #handler: (message: Message) => void;
  readonly #options: SubscribeOptions;
  readonly #host: ListenerHost;
  /** What arrived while the snapshot loads; `null` when none does. */
  #waiting: Message[] | null = null;
  /** A newer reason to load has come up; the result of an earlier load is not enough. */
  #loads = 0;
  #ended = false;

  constructor(
    channel: string,
    handler: (message: Message) => void,
    options: SubscribeOptions,
    host: ListenerHost,
  ) {
    this.channel = channel;
    this.position = options.since ?? null;
    this.#handler = handler;
    this.#options = options;
    this.#host = host;
  }

  end(): void {
    this.#ended = true;
    this.#waiting = null;
  }

  /** The channel's subscription stands: it goes on after this position. */
  subscribed(start: Position, recovered: boolean, reason: GapReason | null): void {
    const before = this.position;
    // Another handler may have asked for more than this one needs.
    const goesOn = before !== null && start.epoch === before.epoch && start.offset <= before.offset;
    if (!goesOn) this.position = start;
    const missed = before !== null && !goesOn;
    const nothingMissed = before === null ? false : recovered || goesOn;
    const why = missed ? (reason ?? "restarted") : null;
    this.#call(() =>
      this.#options.onSubscribed?.({
        channel: this.channel,
        position: start,
        recovered: nothingMissed,
        reason: why,
      }),
    );
    if (missed) {
      const sameLog = before.epoch === start.epoch;
      this.#missed(why ?? "restarted", sameLog ? before.offset + 1 : null, sameLog ? start.offset : null);
    }
    if (before === null || missed) this.#load();
  }

  deliver(delivery: Delivery, epoch: string): void {
    const { position } = this;
    if (delivery.type === "gap") {
      const sameLog = position?.epoch === epoch;
      if (sameLog && delivery.to <= position.offset) return;
      this.position = { epoch, offset: delivery.to };
      const from = sameLog ? Math.max(delivery.from, position.offset + 1) : null;
      this.#missed(delivery.reason, from, sameLog ? delivery.to : null);
      // What was overtaken is not missing: the newest follows.
      if (delivery.reason !== "conflated") this.#load();
      return;
    }
    if (position?.epoch === epoch && delivery.offset <= position.offset) return;
    this.position = { epoch, offset: delivery.offset };
    if (!this.#waiting) this.#call(() => this.#handler(delivery));
    else if (this.#waiting.length < MAX_WAITING) this.#waiting.push(delivery);
    else this.#load();
  }

  failed(error: Error): void {
    const { onError } = this.#options;
    if (onError) this.#call(() => onError(error));
    else this.#host.error(error);
  }

  #missed(reason: GapReason, from: number | null, to: number | null): void {
    const gap: Gap = { type: "gap", channel: this.channel, reason, from, to };
    const { onGap } = this.#options;
    if (onGap) this.#call(() => onGap(gap));
    else this.#host.gap(gap);
  }

  /** Loads the snapshot, unless there is none; then hands out what has arrived since this call. */
  #load(): void {
    const { snapshot } = this.#options;
    if (!snapshot || this.#ended) return;
    this.#waiting = [];
    const load = ++this.#loads;
    // Called from a promise, so that one that throws is the same as one that rejects.
    Promise.resolve()
      .then(snapshot)
      .then(
        () => this.#loaded(load),
        (error: unknown) => {
          if (load !== this.#loads || this.#ended) return;
          this.failed(error instanceof Error ? error : new Error(String(error)));
          this.#host.after(SNAPSHOT_RETRY_MS, () => load === this.#loads && this.#load());
        },
      );
  }

  #loaded(load: number): void {
    if (load !== this.#loads || this.#ended) return;
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    for (const message of waiting) this.#call(() => this.#handler(message));
  }

  /** An error of the page's code is reported, and stops nothing else. */
  #call(handler: () => void): void {
    if (this.#ended) return;
    try {
      handler();
    } catch (error) {
      reportError(error);
    }
  }
}

/** Shows an error of somebody's handler the way uncaught ones are shown. */
export function reportError(error: unknown): void {
  if (typeof globalThis.reportError === "function") globalThis.reportError(error);
  else console.error(error);
}
