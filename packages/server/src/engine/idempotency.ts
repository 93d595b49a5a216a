/**
 * Remembers for a while which message an idempotency key was used for, and where that message came to stand. Keeps a
 * digest of the message, never the message itself.
 */
import { hash } from "node:crypto";
import { type ChannelName, FanfareError, type Position, quote } from "@fanfare/protocol";
import type { AnyDraft, IdempotencyKey } from "./engine.js";
import { ExpiringMap } from "./expiring-map.js";

/** One use of a key. */
export interface KeyUse {
  readonly key: string;
  /** Who, where and which key, as one text. */
  readonly scope: string;
  /** What stands for the message. */
  readonly digest: string;
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
  return {
    key,
    scope: `${channel} ${principal.length} ${principal}${key}`,
    digest: hash("sha256", text, "base64"),
  };
}

export function keyReused(key: string): FanfareError {
  return new FanfareError("key_reused", `the idempotency key ${quote(key)} was used for another message`);
}

interface FirstUse {
  readonly digest: string;
  readonly position: Position;
}

export class IdempotencyKeys {
  readonly #ttlMs: number;
  readonly #uses: ExpiringMap<FirstUse>;

  /** @param maxKeys beyond so many, the oldest go before their time */
  constructor(maxKeys: number, ttlMs: number) {
    this.#ttlMs = ttlMs;
    this.#uses = new ExpiringMap(maxKeys);
  }

  get size(): number {
    return this.#uses.size;
  }

  /**
   * Where the same message stands already; `null` when the key is new.
   *
   * @param at milliseconds of the monotonic clock
   * @throws FanfareError `key_reused`
   */
  find({ key, scope, digest }: KeyUse, at: number): Position | null {
    const first = this.#uses.get(scope, at);
    if (!first) return null;
    if (first.digest === digest) return first.position;
    throw keyReused(key);
  }

  remember({ scope, digest }: KeyUse, { epoch, offset }: Position, at: number): void {
    this.#uses.set(scope, { digest, position: { epoch, offset } }, at + this.#ttlMs);
  }

  expire(at: number, atMost: number): void {
    this.#uses.expire(at, atMost);
  }

  clear(): void {
    this.#uses.clear();
  }
}
