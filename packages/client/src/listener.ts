/**
 * One handler of a channel: its position, and its snapshot. Drops what it has been given before, and says what it will not
 * get. While a snapshot loads, what arrives waits.
 */

import type { GapReason, JsonObject } from "@fanfare/protocol";
import { asError } from "@fanfare/protocol";
import { Told } from "./presence.js";
import type { Gap, Message, Position, Presence, SubscribeOptions } from "./types.js";

/** A gap as the server says it: with the epoch that holds from then on. */
interface GapDelivery {
  readonly type: "gap";
  readonly epoch: string;
  readonly from: number;
  readonly to: number;
  readonly reason: GapReason;
}
export type Delivery = Message | GapDelivery;

/** What a handler needs of its client. */
export interface ListenerHost {
  /** Calls after a while that grows with the failures; what it answers with calls it off. */
  backOff(failures: number, call: () => void): () => void;
  /** No listener wants to know of this gap. */
  gap(gap: Gap): void;
  error(error: Error): void;
}

/** While a snapshot loads, at most this many messages wait; what is beyond makes the snapshot load again. */
const MAX_WAITING = 10_000;

const NOBODY: Presence = { count: 0, members: [] };

/** A call of the page's code that waits for the snapshot, and the position after it. */
interface Waiting {
  readonly position: Position;
  readonly call: () => unknown;
}

export class Listener {
  readonly channel: string;
  /** What has arrived for it. */
  position: Position | null;
  /** What it has been given; behind `position` while a snapshot loads. */
  given: Position | null;
  /** It knows where its subscription starts. */
  begun = false;
  readonly #handler: (message: Message) => void;
  readonly #options: SubscribeOptions;
  readonly #host: ListenerHost;
  /** It asked for no position: what was there when it came is for others. */
  #newAfter: Position | null = null;
  /** The state that it was given last. */
  #state: JsonObject | null = null;
  /** The members, as they were told last. */
  #presence: Presence | null = null;
  #told: Told | null = null;
  /** What arrived while the snapshot loads; `null` when none does. */
  #waiting: Waiting[] | null = null;
  #loading = false;
  /** A reason to load came up after the load began. */
  #outdated = false;
  #failures = 0;
  #cancelRetry: (() => void) | null = null;
  #ended = false;

  constructor(
    channel: string,
    handler: (message: Message) => void,
    options: SubscribeOptions,
    host: ListenerHost,
  ) {
    this.channel = channel;
    const { since } = options;
    // Its two members only: what else the page's object has, the server would refuse.
    this.position = since ? { epoch: since.epoch, offset: since.offset } : null;
    this.given = this.position;
    this.#handler = handler;
    this.#options = options;
    this.#host = host;
  }

  end(): void {
    this.#ended = true;
    this.#waiting = null;
    this.#cancelRetry?.();
  }

  /** The channel's subscription stands: it goes on after `start`. `recovered` is what the server said. */
  subscribed(start: Position, head: number, recovered: boolean, reason: GapReason | null): void {
    const before = this.position;
    const seen = this.#seen(start.epoch);
    // Another handler may have asked for more than this one needs. But a log that has become shorter is another log.
    const goesOn = start.offset <= seen && (recovered || seen <= head);
    const missed = before !== null && !goesOn;
    let from = start;
    if (!before) this.#newAfter = from = { epoch: start.epoch, offset: Math.max(start.offset, head) };
    if (!before || missed) this.given = from;
    if (!before || missed || before.offset < start.offset) this.position = start;
    this.begun = true;
    const why = missed ? (reason ?? "restarted") : null;
    this.#call(() =>
      this.#options.onSubscribed?.({
        channel: this.channel,
        position: from,
        recovered: goesOn,
        reason: why,
      }),
    );
    if (why) {
      const known = seen >= 0 && seen < start.offset;
      this.#missed(why, known ? seen + 1 : null, known ? start.offset : null);
    }
    if (!goesOn) this.#load();
  }

  deliver(delivery: Delivery, epoch: string): void {
    const to = delivery.type === "gap" ? delivery.to : delivery.offset;
    const sameLog = this.position?.epoch === epoch;
    if (sameLog && to <= (this.position?.offset ?? -1)) return;
    const seen = this.#seen(epoch);
    this.position = { epoch, offset: to };
    if (to <= seen) return;
    if (delivery.type === "message") {
      this.#hand(() => this.#handler(delivery));
      return;
    }
    const missed = () =>
      this.#missed(
        delivery.reason,
        sameLog ? Math.max(delivery.from, seen + 1) : null,
        sameLog ? delivery.to : null,
      );
    // Overtaken messages are not missing: the newest follows.
    if (delivery.reason === "conflated") {
      this.#hand(missed);
      return;
    }
    this.given = this.position;
    missed();
    this.#load();
  }

  /** The state is this now; `patch` is what changed since `before`. */
  state(state: JsonObject | null, patch: JsonObject | null = null, before: JsonObject | null = null): void {
    if (state === this.#state) return;
    const change = { channel: this.channel, state, patch: before === this.#state ? patch : null };
    this.#state = state;
    this.#call(() => this.#options.onState?.(change));
  }

  /** A change of the state has taken this place; it is no message. */
  reached(position: Position): void {
    const { epoch, offset } = position;
    if (this.position?.epoch === epoch && this.position.offset >= offset) return;
    this.position = position;
    if (!this.#waiting) this.given = position;
  }

  /** This is who is on the channel; `null` when that is not to be had. */
  presence(presence: Presence | null): void {
    if (presence === this.#presence) return;
    this.#presence = presence;
    const { onPresence } = this.#options;
    if (!onPresence) return;
    const { count, members } = presence ?? NOBODY;
    this.#told ??= new Told();
    const change = { channel: this.channel, count, members, ...this.#told.changes(members) };
    this.#call(() => onPresence(change));
  }

  /** @param quiet the client's own listeners have been told already */
  failed(error: Error, quiet = false): void {
    const { onError } = this.#options;
    if (onError) this.#call(() => onError(error));
    else if (!quiet) this.#call(() => this.#host.error(error));
  }

  /** The offset up to which it has seen this log, or does not want to; -1 when it knows nothing of it. */
  #seen(epoch: string): number {
    let seen = -1;
    for (const position of [this.position, this.#newAfter]) {
      if (position?.epoch === epoch) seen = Math.max(seen, position.offset);
    }
    return seen;
  }

  #missed(reason: GapReason, from: number | null, to: number | null): void {
    const gap: Gap = { type: "gap", channel: this.channel, reason, from, to };
    const { onGap } = this.#options;
    this.#call(() => (onGap ? onGap(gap) : this.#host.gap(gap)));
  }

  /** Calls the page's code with what has just arrived: now, or after the snapshot. */
  #hand(call: () => unknown): void {
    if (this.#waiting && this.position) {
      if (this.#waiting.length < MAX_WAITING) this.#waiting.push({ position: this.position, call });
      else this.#load();
      return;
    }
    this.given = this.position;
    this.#call(call);
  }

  /** Loads the snapshot, unless there is none; then hands out what has arrived since this call. */
  #load(): void {
    const { snapshot } = this.#options;
    if (!snapshot || this.#ended) return;
    this.#waiting = [];
    this.#cancelRetry?.();
    // One after the other: of two at once the older might be shown last.
    this.#outdated = this.#loading;
    if (this.#loading) return;
    this.#loading = true;
    // Called from a promise, so that one that throws is the same as one that rejects.
    Promise.resolve()
      .then(snapshot)
      .then(
        () => this.#loaded(),
        (error: unknown) => this.#notLoaded(error),
      );
  }

  #loaded(): void {
    this.#loading = false;
    this.#failures = 0;
    if (this.#outdated) {
      this.#load();
      return;
    }
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    for (const { position, call } of waiting) {
      this.given = position;
      this.#call(call);
    }
    this.given = this.position;
  }

  #notLoaded(error: unknown): void {
    this.#loading = false;
    this.failed(asError(error));
    if (!this.#ended) this.#cancelRetry = this.#host.backOff(++this.#failures, () => this.#load());
  }

  /** An error of the page's code is reported, and stops nothing else. */
  #call(handler: () => unknown): void {
    if (!this.#ended) callPage(handler);
  }
}

/** Calls the page's code. What it throws is reported, and so is what a promise of it rejects with, later. */
export function callPage(handler: () => unknown): void {
  try {
    const result = handler() as Promise<unknown> | undefined;
    // Not `instanceof`: libraries put other promises in the place of the platform's, and async functions keep that.
    if (result?.[Symbol.toStringTag] === "Promise") result.catch(reportError);
  } catch (error) {
    reportError(error);
  }
}

/** Shows an error of somebody's handler the way uncaught ones are shown. */
export function reportError(error: unknown): void {
  if (typeof globalThis.reportError === "function") globalThis.reportError(error);
  else console.error(error);
}
