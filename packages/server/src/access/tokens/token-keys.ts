/** The keys that tokens are checked with: which of them fits a token. A secret is never used as a public key, nor the other way. */
import { createPublicKey, type KeyObject } from "node:crypto";
import { FanfareError, shown } from "@fanfare/protocol";
import { type CryptoKey, createRemoteJWKSet, customFetch, errors, type JWSHeaderParameters } from "jose";
import { boundedText } from "./bounded-text.js";
import type { TokenSettings } from "./token-options.js";

export type VerificationKey = Uint8Array | KeyObject | CryptoKey;
type RemoteSet = ReturnType<typeof createRemoteJWKSet>;

const SECRET_ALGORITHMS = ["HS256", "HS384", "HS512"];
/** By algorithm, the type of key and, where it is about a curve, its name. */
const PUBLIC_ALGORITHMS: Readonly<Record<string, { readonly type: string; readonly curve?: string }>> = {
  RS256: { type: "rsa" },
  RS384: { type: "rsa" },
  RS512: { type: "rsa" },
  PS256: { type: "rsa" },
  PS384: { type: "rsa" },
  PS512: { type: "rsa" },
  ES256: { type: "ec", curve: "prime256v1" },
  ES384: { type: "ec", curve: "secp384r1" },
  ES512: { type: "ec", curve: "secp521r1" },
  EdDSA: { type: "ed25519" },
  Ed25519: { type: "ed25519" },
};
const MIN_RSA_BITS = 2048;
/** A set is fetched again after this long, so that a key that was taken out is not accepted for longer. */
const SET_MAX_AGE_MS = 600_000;
/** Tokens that name unknown keys have it fetched once in this long. */
const SET_COOL_DOWN_MS = 10_000;
const SET_TIMEOUT_MS = 5000;
const MAX_SET_BYTES = 1024 * 1024;

export class TokenKeys {
  /** What tokens may be signed with. */
  readonly algorithms: readonly string[];
  readonly #secrets: readonly Uint8Array[];
  readonly #publicKeys: readonly KeyObject[];
  readonly #set: RemoteSet | null;

  /** @throws TypeError */
  constructor({ secrets, publicKeys, jwksUrl }: TokenSettings) {
    this.#secrets = secrets.map((secret) => new TextEncoder().encode(secret));
    this.#publicKeys = publicKeys.map(publicKeyOf);
    this.#set = jwksUrl === "" ? null : remoteSet(jwksUrl);
    const held = this.#publicKeys;
    this.algorithms = [
      ...(secrets.length > 0 ? SECRET_ALGORITHMS : []),
      ...Object.keys(PUBLIC_ALGORITHMS).filter((name) => this.#set || held.some((key) => fits(key, name))),
    ];
  }

  /**
   * The keys that may have signed this token, those at hand first.
   *
   * @throws FanfareError `unavailable` when the key set cannot be fetched
   */
  async *candidates(header: JWSHeaderParameters): AsyncGenerator<VerificationKey> {
    const { alg = "" } = header;
    if (SECRET_ALGORITHMS.includes(alg)) {
      yield* this.#secrets;
      return;
    }
    for (const key of this.#publicKeys) if (fits(key, alg)) yield key;
    if (this.#set && Object.hasOwn(PUBLIC_ALGORITHMS, alg)) yield* this.#fromSet(this.#set, header);
  }

  async *#fromSet(set: RemoteSet, header: JWSHeaderParameters): AsyncGenerator<VerificationKey> {
    yield* matching(set, header);
    // None of them was it. The set may have other keys by now, and a token that names none does not say so.
    if (set.coolingDown) return;
    try {
      await set.reload();
    } catch (error) {
      throw notFetched(error);
    }
    yield* matching(set, header);
  }
}

/** @throws FanfareError `unavailable` */
async function* matching(set: RemoteSet, header: JWSHeaderParameters): AsyncGenerator<VerificationKey> {
  try {
    yield await set(header, { payload: "", signature: "" });
  } catch (error) {
    if (error instanceof errors.JWKSMultipleMatchingKeys) {
      for await (const key of error) yield key;
    } else if (!(error instanceof errors.JWKSNoMatchingKey)) throw notFetched(error);
  }
}

function notFetched(cause: unknown): FanfareError {
  return new FanfareError("unavailable", "the keys that tokens are checked with cannot be fetched", {
    remedy: "Try again; if it stays, see whether the server reaches the address in tokens.jwksUrl.",
    retryAfterSeconds: SET_COOL_DOWN_MS / 1000,
    cause,
  });
}

/** The set is no larger than it may be, or is refused. */
async function fetchSet(url: string, options: RequestInit): Promise<Response> {
  const response = await fetch(url, options);
  const text = await boundedText(response, MAX_SET_BYTES);
  return new Response(text, { status: response.status });
}

function fits({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject, algorithm: string): boolean {
  const wanted = Object.hasOwn(PUBLIC_ALGORITHMS, algorithm) ? PUBLIC_ALGORITHMS[algorithm] : undefined;
  if (wanted?.type !== asymmetricKeyType) return false;
  return wanted?.curve === undefined || wanted.curve === asymmetricKeyDetails?.namedCurve;
}

function publicKeyOf(pem: string, index: number): KeyObject {
  const name = `tokens.publicKeys[${index}]`;
  if (pem.includes("PRIVATE KEY")) {
    throw new TypeError(`${name} is a private key. Give the public one: openssl pkey -in key.pem -pubout`);
  }
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch {
    throw new TypeError(`${name} is no public key as PEM. It begins with -----BEGIN PUBLIC KEY-----.`);
  }
  const bits = key.asymmetricKeyDetails?.modulusLength ?? MIN_RSA_BITS;
  if (bits < MIN_RSA_BITS) {
    throw new TypeError(`${name} has ${bits} bits. Give an RSA key of at least ${MIN_RSA_BITS}.`);
  }
  if (Object.keys(PUBLIC_ALGORITHMS).some((algorithm) => fits(key, algorithm))) return key;
  throw new TypeError(
    `${name} is of the type ${key.asymmetricKeyType}. Give RSA, EC (P-256, P-384, P-521) or Ed25519.`,
  );
}

/** @throws TypeError, which names the key */
export function checkPublicKeys(publicKeys: readonly string[]): void {
  for (const [index, pem] of publicKeys.entries()) publicKeyOf(pem, index);
}

/** @param address none where it is empty @throws TypeError */
export function checkKeySetUrl(address: string): void {
  if (address !== "") keySetUrl(address);
}

function keySetUrl(address: string): URL {
  const url = URL.canParse(address) ? new URL(address) : null;
  const loopback = url !== null && ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
  if (url?.protocol === "https:" || (url?.protocol === "http:" && loopback)) return url;
  // An attacker who can change the set on its way could log in as anybody.
  throw new TypeError(`tokens.jwksUrl is ${shown(address, 200)}. Give an address with https.`);
}

function remoteSet(address: string): RemoteSet {
  return createRemoteJWKSet(keySetUrl(address), {
    cacheMaxAge: SET_MAX_AGE_MS,
    cooldownDuration: SET_COOL_DOWN_MS,
    timeoutDuration: SET_TIMEOUT_MS,
    [customFetch]: fetchSet,
  });
}
