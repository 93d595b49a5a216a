/** Idempotency keys on the disk: which message a key was used for, and where that message stands. */
import { hash } from "node:crypto";
import { FanfareError, type Position, parseEpoch, quote } from "@fanfare/protocol";
import type { KeyUse } from "../idempotency.js";
import type { ExpiringTable } from "./expiring-table.js";

const DIGEST_BYTES = 32;
const EPOCH_BYTES = 8;
const OFFSET_BYTES = 6;

export class DiskKeys {
  readonly #table: ExpiringTable;
  readonly #ttlMs: number;

  constructor(table: ExpiringTable, ttlMs: number) {
    this.#table = table;
    this.#ttlMs = ttlMs;
  }

  /**
   * Where the same message stands already, and whether that is on the disk yet; `null` when the key is new.
   *
   * @param at the store's time
   * @throws FanfareError `key_reused`
   */
  find({ key, scope, digest }: KeyUse, at: number): { position: Position; isPending: boolean } | null {
    const place = placeOf(scope);
    const first = this.#table.get(place, at);
    if (!first) return null;
    if (first.toString("base64", 0, DIGEST_BYTES) !== digest) {
      throw new FanfareError("key_reused", `the idempotency key ${quote(key)} was used for another message`);
    }
    const epoch = parseEpoch(first.toString("hex", DIGEST_BYTES, DIGEST_BYTES + EPOCH_BYTES));
    const offset = first.readUIntBE(DIGEST_BYTES + EPOCH_BYTES, OFFSET_BYTES);
    return { position: { epoch, offset }, isPending: this.#table.isPending(place) };
  }

  remember({ scope, digest }: KeyUse, { epoch, offset }: Position, at: number): void {
    const value = Buffer.alloc(DIGEST_BYTES + EPOCH_BYTES + OFFSET_BYTES);
    value.write(digest, 0, "base64");
    value.write(epoch, DIGEST_BYTES, "hex");
    value.writeUIntBE(offset, DIGEST_BYTES + EPOCH_BYTES, OFFSET_BYTES);
    this.#table.set(placeOf(scope), value, at + this.#ttlMs);
  }
}

function placeOf(scope: string): string {
  return hash("sha256", scope, "binary");
}
