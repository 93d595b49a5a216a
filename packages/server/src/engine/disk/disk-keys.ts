/** Idempotency keys on the disk: which message a key was used for, and where that message stands. */
import { hash } from "node:crypto";
import type { Position } from "@fanfare/protocol";
import type { KeyUse } from "../idempotency.js";
import { EPOCH_BYTES, readEpoch, writeEpoch } from "./codec.js";
import type { ExpiringTable } from "./expiring-table.js";

const DIGEST_BYTES = 32;
const OFFSET_BYTES = 6;
const FIXED_BYTES = DIGEST_BYTES + EPOCH_BYTES + OFFSET_BYTES;

interface FirstUse {
  readonly position: Position;
  /** What the request made of the state; `null` where the key stands for no request. */
  readonly made: string | null;
  /** Was it for the same message? */
  readonly isSame: boolean;
  /** Is it still on its way to the disk? */
  readonly isPending: boolean;
}

export class DiskKeys {
  readonly #table: ExpiringTable;
  readonly #life: string;
  readonly #ttlMs: number;

  /** @param life the first half of every epoch of the store */
  constructor(table: ExpiringTable, life: string, ttlMs: number) {
    this.#table = table;
    this.#life = life;
    this.#ttlMs = ttlMs;
  }

  /**
   * How the key was used; `null` when it is new.
   *
   * @param at the store's time
   */
  find({ scope, digest }: KeyUse, at: number): FirstUse | null {
    const place = placeOf(scope);
    const first = this.#table.get(place, at);
    if (!first) return null;
    const epoch = readEpoch(first, this.#life, DIGEST_BYTES);
    const offset = first.readUIntBE(DIGEST_BYTES + EPOCH_BYTES, OFFSET_BYTES);
    const isSame = first.toString("base64", 0, DIGEST_BYTES) === digest;
    const made = first.length > FIXED_BYTES ? first.toString("utf8", FIXED_BYTES) : null;
    return { position: { epoch, offset }, made, isSame, isPending: this.#table.isPending(place) };
  }

  /** @param owner whose key it is; left out where no owner is bounded */
  remember({ scope, digest, made }: KeyUse, { epoch, offset }: Position, at: number, owner?: string): void {
    const value = Buffer.alloc(FIXED_BYTES + Buffer.byteLength(made ?? ""));
    value.write(digest, 0, "base64");
    writeEpoch(value, epoch, DIGEST_BYTES);
    value.writeUIntBE(offset, DIGEST_BYTES + EPOCH_BYTES, OFFSET_BYTES);
    if (made !== null) value.write(made, FIXED_BYTES);
    this.#table.set(placeOf(scope), value, at + this.#ttlMs, owner);
  }
}

function placeOf(scope: string): string {
  return hash("sha256", scope, "binary");
}
