/** API keys: how other servers say who they are. Only hashes are kept, and they are compared in constant time. */
import { createHash, timingSafeEqual } from "node:crypto";
import { FanfareError } from "@fanfare/protocol";
import { z } from "zod";
import type { Random } from "../../base/clock.js";
import { described, type Given } from "../../base/option.js";
import { visibleText } from "../../base/option-kinds.js";
import type { Permit } from "../../hub/terms/permit.js";
import { grantsOption } from "../grants/grant-options.js";
import { ALL_GRANTS, type Grant, Grants } from "../grants/grants.js";
import type { KeyHolder } from "../grants/principal.js";
import type { AccessStore } from "./store.js";

/** Shorter keys can be guessed. */
const MIN_KEY_LENGTH = 16;
/** The most keys of one server: all are compared with what is given. */
export const MAX_KEYS = 1000;
/** The beginning of keys that Fanfare makes, so that people and scanners of code know them. */
const KEY_PREFIX = "fanfare_";
const SECRET_BYTES = 24;
const ID_BYTES = 6;

const ALLOWED_KEY = `at least ${MIN_KEY_LENGTH} visible ASCII characters without commas, such as what openssl rand -hex 24 prints`;

const API_KEY = {
  /** The key. */
  key: described(visibleText(MIN_KEY_LENGTH), { text: "The key.", allowed: ALLOWED_KEY, secret: true }),
  /** Its name in lists and logs. @default config-1 and so on */
  name: described(z.string().optional(), {
    text: "Its name in lists and logs. Default: config-1 and so on.",
    allowed: "a text",
  }),
  /** Its grants. @default everything */
  grants: described(grantsOption(null).optional(), {
    text: "Its grants. Default: everything.",
    allowed: "a list of grants",
    code: "invalid_grants",
  }),
};

export const API_KEYS = described(
  z.array(z.union([visibleText(MIN_KEY_LENGTH), z.strictObject(API_KEY)])).default([]),
  {
    text: "Keys with which your servers publish: `Authorization: Bearer <key>`. A key alone may do everything; an object with `key`, `name` and `grants` may do less. `fanfare key add` makes keys while the server runs. Several allow to replace one without a pause.",
    allowed: ALLOWED_KEY,
    secret: true,
    variable: "FANFARE_API_KEY",
  },
);

/** A key as it is configured: the key itself, which may do everything, or with what it may do. */
export type ApiKey = string | Given<typeof API_KEY>;

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

/** A key that was made: what is kept, and the key itself, which is told once. */
export interface NewKey {
  readonly key: string;
  readonly stored: StoredKey;
}

/** @param permit is asked before it is kept @throws FanfareError `not_configured`, `invalid_request`, `unavailable` */
export async function keepNewKey(store: AccessStore, made: NewKey, permit?: Permit): Promise<NewKey> {
  if (!store.durable) {
    throw new FanfareError("not_configured", "there is no place to keep keys in", {
      remedy: "Set dataDir to a folder, or that of the engine where you give one; or give keys as apiKeys.",
    });
  }
  await store.change((data) => {
    permit?.check();
    if (data.keys.length >= MAX_KEYS) {
      throw new FanfareError("invalid_request", `there are ${MAX_KEYS} API keys`, {
        remedy: "Revoke keys that are no longer needed.",
      });
    }
    return { ...data, keys: [...data.keys, made.stored] };
  });
  return made;
}

/** @throws FanfareError `invalid_grants` */
export function newKey(
  { name, grants }: { readonly name: string; readonly grants: readonly Grant[] },
  now: number,
  random: Random,
): NewKey {
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
        holder: { kind: "key", key: id, hash, grants: new Grants(grants, null) } as const,
      })),
    ];
    if (this.#held.length > MAX_KEYS) {
      throw new TypeError(`there are ${this.#held.length} API keys. Keep at most ${MAX_KEYS}.`);
    }
  }

  get count(): number {
    return this.#held.length;
  }

  /** Whose key it is; `null` when there is no such key. Takes the same time for every key that is given. */
  find(key: string): KeyHolder | null {
    const given = digest(key);
    let found: KeyHolder | null = null;
    for (const { hash, holder } of this.#held) if (timingSafeEqual(hash, given)) found = holder;
    return found;
  }

  /** The holder of the same key as of now, whatever it is called; `null` when the key is gone. */
  current({ hash }: KeyHolder): KeyHolder | null {
    return this.#held.findLast(({ holder }) => holder.hash === hash)?.holder ?? null;
  }
}

/** @param given as {@link API_KEYS} has it */
function heldOf(given: ApiKey, index: number): Held {
  const { key, name = `config-${index + 1}`, grants } = typeof given === "string" ? { key: given } : given;
  const hash = digest(key);
  return {
    hash,
    holder: {
      kind: "key",
      key: name,
      hash: hash.toString("hex"),
      grants: grants ? new Grants(grants, null) : ALL_GRANTS,
    },
  };
}

function digest(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}
