/**
 * Takes back keys, tokens and log-ins: it holds in this process at once, other nodes are told, and it is written down. What cannot be
 * written yet, as on a full disk, holds all the same and is written later.
 */
import type { Clock, Timer } from "../../base/clock.js";
import type { Failures } from "../../base/failures.js";
import type { Log } from "../../base/log.js";
import type { Engine } from "../../engine/engine.js";
import type { User } from "../grants/principal.js";
import type { StoredKey } from "./keys.js";
import { MAX_REVOCATIONS, Revocations, type Revoked, withRevoked } from "./revocations.js";
import type { AccessStore } from "./store.js";
import type { AccessData, RevokedToken } from "./stored.js";
import { type ShownToken, TokenAges } from "./token-ages.js";

const REVOKED_TOPIC = "access.revoked";
/** When something could not be written down, it is tried again after this long. */
const RETRY_MS = 2000;
const REVOKING = "writing down what was revoked";

/** What became of a revocation. It holds in any case. */
export interface RevokedAnswer {
  /** It could not be written down yet, or not be told to other nodes. The server goes on trying, until its process ends. */
  readonly pending: boolean;
}

export interface RevokingParts {
  readonly store: AccessStore;
  readonly engine: Pick<Engine, "signals">;
  readonly failures: Failures;
  readonly clock: Clock;
  readonly log: Log;
  /** Something was taken back: counts it, and answers with how much has changed by now. */
  readonly count: () => number;
  /** Those who are connected have to look again. */
  readonly tell: () => void;
}

export class Revoking {
  readonly #parts: RevokingParts;
  readonly #revocations = new Revocations();
  readonly #ages = new TokenAges();
  readonly #stopListening: () => void;
  /** Keys that are in the store as long as it cannot be written. */
  readonly #gone = new Set<string>();
  #unwritten: Revoked[] = [];
  #untold: Revoked[] = [];
  /** What is in the store was read. */
  #remembers = false;
  #retry: Timer | null = null;
  #closed = false;

  constructor(parts: RevokingParts) {
    this.#parts = parts;
    if (parts.store.isLoaded) this.remember();
    const hear = (json: string) => {
      if (this.#hear(JSON.parse(json) as Revoked)) parts.tell();
    };
    this.#stopListening = parts.engine.signals.on(REVOKED_TOPIC, parts.failures.guarded("hub", hear));
  }

  /** The keys of the store that are in force. */
  get keys(): readonly StoredKey[] {
    const { keys } = this.#parts.store.data;
    return this.#gone.size === 0 ? keys : keys.filter(({ id }) => !this.#gone.has(id));
  }

  /** Was anything taken back of what this user was let in with? */
  covers(user: User): boolean {
    return this.#revocations.covers(user);
  }

  loggedOutSince(user: string, since: number): boolean {
    const logOut = this.#revocations.logOutOf(user);
    return logOut !== undefined && logOut.at >= since;
  }

  /**
   * May somebody come in with this token, as far as nothing was taken back?
   *
   * @param skewMs how far the clocks of those who make tokens may be off
   * @param until when the token need not be remembered any more: milliseconds since 1970
   */
  accepts(token: ShownToken, skewMs: number, until: number): boolean {
    if (this.#revocations.hasToken(token.id)) return false;
    const logOut = this.#revocations.logOutOf(token.user);
    const verdict = this.#ages.judge(token, logOut, this.#parts.clock.now(), skewMs);
    // It must not be accepted when it is shown again, and its time has come.
    if (verdict === "odd") this.#revokeSoon({ tokens: [{ id: token.id, until }], users: [] });
    return verdict === "accepted";
  }

  /** What is in the store was read the first time, or was changed, by this node or another. */
  remember(): void {
    const { revokedTokens: tokens, revokedUsers: users } = this.#parts.store.data;
    if (this.#remembers) this.#hear({ tokens, users });
    // No token was accepted before, and those that were shown to an earlier process are not known here.
    else this.#revocations.add({ tokens, users }, 0);
    this.#remembers = true;
  }

  /** Never rejects: what was taken back is taken back. */
  async revoke(revoked: Revoked): Promise<RevokedAnswer> {
    const shown = this.#shownBefore(revoked.users);
    const all = { ...revoked, tokens: [...revoked.tokens, ...shown] };
    const heard = this.#parts.count();
    this.#revocations.add(all, heard);
    for (const { user } of all.users) this.#revocations.renew(user, heard);
    this.#untold.push(all);
    this.#unwritten.push(all);
    this.#parts.tell();
    return await this.#settle();
  }

  /** The same for a key of the store: it is not among `keys` any more. */
  async revokeKey(id: string): Promise<RevokedAnswer> {
    this.#gone.add(id);
    return await this.#settle();
  }

  close(): void {
    this.#closed = true;
    this.#stopListening();
    this.#retry?.cancel();
    if (this.#unwritten.length > 0 || this.#gone.size > 0) {
      this.#parts.log.error(
        {},
        "what was revoked could not be written down, and is forgotten with this process",
      );
    }
  }

  /** @returns whether anything was new */
  #hear(revoked: Revoked): boolean {
    const { tokens, users } = this.#revocations.add(revoked, this.#parts.count());
    const shown = this.#shownBefore(users);
    // Only this node knows of them.
    if (shown.length > 0) this.#revokeSoon({ tokens: shown, users: [] });
    return tokens.length > 0 || users.length > 0;
  }

  #revokeSoon(revoked: Revoked): void {
    this.#parts.failures.inBackground(REVOKING, () => this.revoke(revoked));
  }

  #shownBefore(users: Revoked["users"]): RevokedToken[] {
    const logOuts = new Map(users.map((each) => [each.user, each]));
    return logOuts.size === 0 ? [] : this.#ages.shownBefore(logOuts);
  }

  async #settle(): Promise<RevokedAnswer> {
    const done = await Promise.all([this.#tellNodes(), this.#write()]);
    const pending = done.includes(false);
    if (pending && !this.#closed) this.#retry ??= this.#parts.clock.after(RETRY_MS, () => this.#tryAgain());
    return { pending };
  }

  #tryAgain(): void {
    this.#retry = null;
    this.#parts.failures.inBackground(REVOKING, async () => {
      const { pending } = await this.#settle();
      if (!pending) this.#parts.log.info({}, "what was revoked is written down and told to all nodes");
    });
  }

  async #tellNodes(): Promise<boolean> {
    const untold = this.#untold;
    if (untold.length === 0) return true;
    this.#untold = [];
    try {
      await this.#parts.engine.signals.send(REVOKED_TOPIC, JSON.stringify(joined(untold)));
      return true;
    } catch (error) {
      this.#untold.unshift(joined(untold));
      this.#parts.log.error({ err: error }, "other nodes could not be told what was revoked");
      return false;
    }
  }

  async #write(): Promise<boolean> {
    const unwritten = this.#unwritten;
    const gone = [...this.#gone];
    if (unwritten.length === 0 && gone.length === 0) return true;
    this.#unwritten = [];
    const { store, clock } = this.#parts;
    const edit = (data: AccessData) => ({
      ...withRevoked(data, joined(unwritten), clock.now()),
      keys: data.keys.filter(({ id }) => !gone.includes(id)),
    });
    try {
      await store.change(edit);
    } catch {
      // The store has logged why.
      this.#unwritten.unshift(joined(unwritten));
      return false;
    }
    for (const id of gone) this.#gone.delete(id);
    return true;
  }
}

function joined(list: readonly Revoked[]): Revoked {
  return {
    tokens: list.flatMap(({ tokens }) => tokens).slice(-MAX_REVOCATIONS),
    users: list.flatMap(({ users }) => users).slice(-MAX_REVOCATIONS),
  };
}
