/** API keys: how other servers say who they are. Only hashes are kept, and they are compared in constant time. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Random } from "../clock.js";
import { checkOptions, membersOf } from "../known-names.js";
import { ALL_GRANTS, type Grant, Grants } from "./grants.js";
import type { KeyHolder } from "./principal.js";

/** Shorter keys can be guessed. */
export const MIN_KEY_LENGTH = 16;
/** The most keys of one server: all are compared with what is given. */
export const MAX_KEYS = 1000;
/** What keys that Fanfare makes begin with, so that people and scanners of code know them. */
export const KEY_PREFIX = "fanfare_";
const SECRET_BYTES = 24;
const ID_BYTES = 6;

/** A key as it is configured: the key itself, which may do everything, or with what it may do. */
export type ApiKey =
  | string
  | {
      readonly key: string;
      /** What it is called in lists and logs. @default config-1 and so on */
      readonly name?: string;
      /** What it may do. @default everything */
      readonly grants?: readonly Grant[];
    };

const API_KEY = membersOf<Exclude<ApiKey, string>>({ key: true, name: true, grants: true });

/** A key as it is kept. */
export interface StoredKey {
  /** No secret. */
  readonly id: string;
  readonly name: string;
  /** SHA-256 of the key, hexadecimal. */
  readonly hash: string;
  readonly grants: readonly Grant[];
  /** Milliseconds since 1970. */
  readonly created: number;
}

/** A new key: what is kept, and the key itself, which is told once. */
export function newKey(
  { name, grants }: { readonly name: string; readonly grants: readonly Grant[] },
  now: number,
  random: Random,
): { readonly key: string; readonly stored: StoredKey } {
  const id = Buffer.from(random.bytes(ID_BYTES)).toString("hex");
  const key = `${KEY_PREFIX}${id}_${Buffer.from(random.bytes(SECRET_BYTES)).toString("base64url")}`;
  const { list } = new Grants(grants, null);
  return { key, stored: { id, name, hash: digest(key).toString("hex"), grants: list, created: now } };
}

interface Held {
  readonly hash: Buffer;
  readonly holder: KeyHolder;
}

/** The keys that are in force. */
export class Keys {
  readonly #held: readonly Held[];

  /** @throws TypeError, FanfareError `invalid_grants` */
  constructor(configured: readonly ApiKey[], stored: readonly StoredKey[]) {
    this.#held = [
      ...configured.map(heldOf),
      ...stored.map(({ id, hash, grants }) => ({
        hash: Buffer.from(hash, "hex"),
        holder: { kind: "key", key: id, grants: new Grants(grants, null) } as const,
      })),
    ];
    if (this.#held.length > MAX_KEYS) {
      throw new TypeError(`there are ${this.#held.length} API keys. Keep at most ${MAX_KEYS}.`);
    }
  }

  get count(): number {
    return this.#held.length;
  }

  /** Whose key it is; `null` when it is nobody's. Takes the same time for every key that is given. */
  find(key: string): KeyHolder | null {
    const given = digest(key);
    let found: KeyHolder | null = null;
    for (const { hash, holder } of this.#held) if (timingSafeEqual(hash, given)) found = holder;
    return found;
  }

  /** The holder of the key with this id, as of now. */
  holder(id: string): KeyHolder | null {
    return this.#held.find(({ holder }) => holder.key === id)?.holder ?? null;
  }
}

function heldOf(given: ApiKey, index: number): Held {
  if (typeof given !== "string") checkOptions(`apiKeys[${index}]`, given, API_KEY);
  const {
    key = "",
    name = `config-${index + 1}`,
    grants,
  } = typeof given === "string" ? { key: given } : given;
  if (key.length < MIN_KEY_LENGTH) {
    // The key itself is a secret, also when it is a bad one.
    throw new TypeError(
      `apiKeys[${index}] has ${key.length} characters. Give at least ${MIN_KEY_LENGTH}, such as: openssl rand -hex 24`,
    );
  }
  return {
    hash: digest(key),
    holder: { kind: "key", key: name, grants: grants ? new Grants(grants, null) : ALL_GRANTS },
  };
}

function digest(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}
