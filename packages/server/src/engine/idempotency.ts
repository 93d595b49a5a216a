/**
 * Remembers for a while which message an idempotency key was used for, and where that message came to stand. Keeps a
 * digest of the message, never the message itself.
 */
import { hash } from "node:crypto";
import { type ChannelName, FanfareError, type Position, quote } from "@fanfare/protocol";
import type { AnyDraft, Appended, IdempotencyKey } from "./engine.js";
import { ExpiringMap } from "./expiring-map.js";

/** One use of a key. */
export interface KeyUse {
  readonly key: string;
  /** Caller, channel and key, as one text. */
  readonly scope: string;
  /** A digest that stands for the message. */
  readonly digest: string;
  /** The state after the request, to answer with when it is repeated; `null` where the key stands for no request. */
  readonly made: string | null;
}

/** The lengths keep apart what could otherwise be cut in two ways. A channel name has no space in it. */
export function keyUse(
  channel: ChannelName,
  { key, principal, request }: IdempotencyKey,
  draft: AnyDraft,
): KeyUse {
  // A length begins with a digit, so no message is taken for a change of the state, and neither for a request.
  const kind = draft.change ?? `${draft.event.length} ${draft.event}`;
  const text = request === undefined ? `${kind}${draft.json}` : `request ${request}`;
  const made = request !== undefined && draft.change ? draft.state : null;
  return {
    key,
    made,
    scope: `${channel} ${principal.length} ${principal}${key}`,
    digest: hash("sha256", text, "base64"),
  };
}

/** The answer to a message that came before. @param made what the request made of the state then */
export function repeated({ epoch, offset }: Position, made: string | null, time: number): Appended {
  return { epoch, offset, repeated: true, time, ...(made !== null && { made }) };
}

export function idReused(key: string): FanfareError {
  return new FanfareError("id_reused", `the id ${quote(key)} (idempotency key) was used for another message`);
}

interface FirstUse {
  readonly digest: string;
  readonly position: Position;
  readonly made: string | null;
}

export class IdempotencyKeys {
  readonly #ttlMs: number;
  readonly #uses: ExpiringMap<FirstUse>;

  /** @param maxKeys beyond this many, the oldest go before their time */
  constructor(maxKeys: number, ttlMs: number) {
    this.#ttlMs = ttlMs;
    this.#uses = new ExpiringMap(maxKeys);
  }

  get size(): number {
    return this.#uses.size;
  }
  get owners(): number {
    return this.#uses.owners;
  }

  /**
   * What the same message was answered with already; `null` when the key is new.
   *
   * @param at milliseconds of the monotonic clock
   * @param time the engine's time
   * @throws FanfareError `id_reused`
   */
  find({ key, scope, digest }: KeyUse, at: number, time: number): Appended | null {
    const first = this.#uses.get(scope, at);
    if (!first) return null;
    if (first.digest === digest) return repeated(first.position, first.made, time);
    throw idReused(key);
  }

  /** @param owner whose key it is; left out where no owner is bounded */
  remember({ scope, digest, made }: KeyUse, { epoch, offset }: Position, at: number, owner?: string): void {
    this.#uses.set(scope, { digest, position: { epoch, offset }, made }, at + this.#ttlMs, owner);
  }

  expire(at: number, atMost: number): void {
    this.#uses.expire(at, atMost);
  }

  clear(): void {
    this.#uses.clear();
  }
}
