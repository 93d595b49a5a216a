/**
 * The locks that this client holds: takes them, renews each in time, and tells when one is lost. Without a connection it goes on when
 * there is one again, as long as the lease lasts.
 */

import type { LockRecord, Numbers } from "@fanfare/protocol";
import { asError, type OkFrame, shown } from "@fanfare/protocol";
import { checkChannel, checkHandler, checkJson } from "./checks.js";
import { ClientError } from "./client-error.js";
import type { ClientClock } from "./client-options.js";
import type { Client } from "./client-types.js";
import { stopwatch } from "./environment.js";
import type { Lock, LockOptions, NextOptions } from "./lock-types.js";
import { RETRY_MIN_MS, waitMs } from "./machine.js";
import { noAnswer } from "./requests.js";
import { Retry } from "./retry.js";
import type { Subscription } from "./types.js";

/** A renewal goes out when this part of the lease is over. */
const RENEWED_AFTER = 1 / 3;
/** But not sooner than this, whatever the server says of the lease. */
const RENEW_AFTER_MS = 200;
const WAITED_FOR = new Set(["locked", "not_connected"]);

/** A lock that is held, as this file sees it. */
interface Held {
  readonly lock: Lock;
  readonly gone: AbortController;
  readonly leaseMs: number;
  /** For how long the server has granted it, since it was asked. */
  grantedMs: number;
  sinceAsked: () => number;
  cancelTimer: () => void;
}

export class Locks {
  readonly #client: Client;
  readonly #clock: ClientClock;
  readonly #send: (frame: object) => Promise<OkFrame>;
  /** By name; `null` while it is being taken. */
  readonly #held = new Map<string, Held | null>();
  /** Locks that were released without a connection: the tokens by name. */
  readonly #owed = new Map<string, number>();
  /** Those of which the server would not hear are told again, all together. */
  readonly #retry: Retry;
  /** Calls that wait for a lock that this client holds, or is about to take. */
  readonly #waiting = new Set<() => void>();
  #watching = false;

  constructor(
    client: Client,
    host: { readonly clock: ClientClock; readonly random: () => number },
    send: (frame: object) => Promise<OkFrame>,
  ) {
    this.#client = client;
    this.#clock = host.clock;
    this.#send = send;
    this.#retry = new Retry(host, () => this.#unlockOwed());
  }

  async lock(name: string, { waitSeconds = 0, ...options }: LockOptions = {}): Promise<Lock> {
    checkChannel(name);
    // Else a value without an end, such as NaN, would ask the server without a pause.
    if (typeof waitSeconds !== "number" || !(waitSeconds >= 0)) {
      throw new ClientError(
        "invalid_request",
        `waitSeconds is ${shown(waitSeconds)}`,
        "Give seconds, from 0 up.",
      );
    }
    if (options.info !== undefined) checkJson("info", options.info);
    const until = this.#clock.monotonic() + waitSeconds * 1000;
    for (;;) {
      try {
        return await this.#take(name, options);
      } catch (error) {
        const leftMs = until - this.#clock.monotonic();
        if (!(error instanceof ClientError) || !WAITED_FOR.has(error.code) || leftMs <= 0) throw error;
        // No connection comes by itself.
        if (this.#client.connection.status === "closed") throw error;
        await this.#chance(name, error, leftMs);
      }
    }
  }

  watch(name: string, handler: (lock: LockRecord | null) => void, quiet = false): Subscription {
    checkChannel(name);
    checkHandler(handler);
    // Only the server writes this state, and a gap in it is closed by the next one.
    return this.#client.subscribe(`$lock:${name}`, ignore, {
      onState: ({ state }) => handler(state as LockRecord | null),
      onGap: ignore,
      ...(quiet && { onError: ignore }),
    });
  }

  async next(name: string, options: NextOptions = {}): Promise<Numbers> {
    checkChannel(name);
    await this.#ready();
    const { first, last, durable = false } = await this.#send({ type: "next", name, ...options });
    if (first === undefined || last === undefined) throw noAnswer();
    return { first, last, durable };
  }

  watchSequence(name: string, handler: (last: number | null) => void): Subscription {
    checkChannel(name);
    checkHandler(handler);
    return this.#client.subscribe(`$sequence:${name}`, ignore, {
      onState: ({ state }) => handler(typeof state?.last === "number" ? state.last : null),
      onGap: ignore,
    });
  }

  // ---- taking

  async #take(name: string, options: LockOptions): Promise<Lock> {
    if (this.#held.has(name)) {
      throw new ClientError(
        "locked",
        `this client holds ${name}`,
        "Use the lock that there is, or release it.",
      );
    }
    this.#held.set(name, null);
    try {
      await this.#ready();
      const sinceAsked = stopwatch(this.#clock);
      return this.#keep(name, sinceAsked, await this.#send({ type: "lock", name, ...options }));
    } finally {
      if (!this.#held.get(name)) this.#free(name);
    }
  }

  #keep(name: string, sinceAsked: () => number, { token, expires, time, durable = false }: OkFrame): Lock {
    if (token === undefined || expires === undefined || time === undefined) throw noAnswer();
    const gone = new AbortController();
    const release = () => this.#release(name, held);
    const { signal } = gone;
    const lock: Lock = { name, token, durable, signal, release, [Symbol.asyncDispose]: release };
    const leaseMs = expires - time;
    if (!(leaseMs > 0)) throw noAnswer();
    const held: Held = { lock, gone, leaseMs, grantedMs: leaseMs, sinceAsked, cancelTimer: ignore };
    this.#held.set(name, held);
    this.#plan(held);
    return lock;
  }

  /** Waits for this long at most until the lock may be had. */
  #chance(name: string, { lock, retryAfterSeconds }: ClientError, leftMs: number): Promise<void> {
    return new Promise((done) => {
      const ends = [
        this.#clock.after(
          retryAfterSeconds === undefined
            ? leftMs
            : Math.min(leftMs, waitMs(retryAfterSeconds, RETRY_MIN_MS)),
          settle,
        ),
        this.#client.on("connection", ({ status }) => {
          // While the page is away, asking would connect.
          if (status === "connected" || status === "closed") settle();
        }),
      ];
      // What the server says of a lock that this client holds may be about what was before.
      const isOurs = this.#held.has(name);
      if (isOurs) this.#waiting.add(settle);
      else {
        const isFree = (now: LockRecord | null) => now && !now.holder && now.token >= (lock?.token ?? 0);
        const watching = this.watch(name, (now) => isFree(now) && settle(), true);
        ends.push(watching.unsubscribe);
      }
      const waiting = this.#waiting;
      function settle(): void {
        waiting.delete(settle);
        for (const end of ends.splice(0)) end();
        done();
      }
    });
  }

  async #ready(): Promise<void> {
    this.#watchConnection();
    await whenConnected(this.#client);
  }

  // ---- keeping

  /** The page woke up: timers stood still meanwhile, and the server's clock did not. */
  wake(): void {
    for (const held of this.#held.values()) if (held && this.#leftMs(held) <= 0) void this.#renew(held);
  }

  /** The next renewal, or the end of the lease when that is before. */
  #plan(held: Held): void {
    const ms = Math.min(Math.max(RENEW_AFTER_MS, held.leaseMs * RENEWED_AFTER), this.#leftMs(held));
    held.cancelTimer = this.#clock.after(ms, () => void this.#renew(held));
  }

  async #renew(held: Held): Promise<void> {
    held.cancelTimer();
    const { name, token } = held.lock;
    if (this.#leftMs(held) <= 0) {
      this.#lose(held, `the lease of ${name} ended before it could be renewed`);
      return;
    }
    held.cancelTimer = this.#clock.after(this.#leftMs(held), () => void this.#renew(held));
    const sinceAsked = stopwatch(this.#clock);
    try {
      const { expires = 0, time = 0 } = await this.#send({ type: "lock", name, token });
      // A value that is not a time ends it.
      held.grantedMs = Math.max(0, expires - time || 0);
      held.sinceAsked = sinceAsked;
    } catch (error) {
      // Where WebSockets are blocked for a while, one may be back before the lease ends.
      if (!(error instanceof ClientError) || !(error.passes || error.code === "needs_websocket")) {
        this.#lose(held, asError(error).message);
        return;
      }
    }
    if (this.#held.get(name) !== held) return;
    held.cancelTimer();
    this.#plan(held);
  }

  #leftMs({ grantedMs, sinceAsked }: Held): number {
    return grantedMs - sinceAsked();
  }

  #lose(held: Held, reason: string): void {
    if (!this.#forget(held)) return;
    held.gone.abort(
      new ClientError("lock_lost", reason, "Stop what was done under the lock, and take it anew."),
    );
  }

  async #release(name: string, held: Held): Promise<void> {
    if (!this.#forget(held)) return;
    await this.#unlock(name, held.lock.token);
  }

  async #unlock(name: string, token: number): Promise<void> {
    this.#owed.set(name, token);
    try {
      await this.#send({ type: "unlock", name, token });
    } catch (error) {
      const { code = "", passes = false } = error instanceof ClientError ? error : {};
      // Told again with the next connection.
      if (code === "not_connected" || code === "needs_websocket") return;
      if (passes) {
        this.#retry.after(error as ClientError);
        return;
      }
      if (code !== "lock_lost") throw error;
    }
    if (this.#owed.get(name) === token) this.#owed.delete(name);
  }

  #unlockOwed(): void {
    for (const [name, token] of this.#owed) this.#unlock(name, token).catch(ignore);
  }

  #forget(held: Held): boolean {
    if (this.#held.get(held.lock.name) !== held) return false;
    held.cancelTimer();
    this.#free(held.lock.name);
    return true;
  }

  #free(name: string): void {
    this.#held.delete(name);
    for (const wake of [...this.#waiting]) wake();
  }

  #watchConnection(): void {
    if (this.#watching) return;
    this.#watching = true;
    this.#client.on("connection", ({ status }) => {
      if (status === "connected") {
        this.#unlockOwed();
        for (const held of this.#held.values()) if (held) void this.#renew(held);
      } else if (status === "idle" || status === "closed") {
        // The session is over, and the server has let go of its locks, or no code is left to renew them.
        this.#owed.clear();
        this.#retry.cancel();
        for (const held of this.#held.values()) {
          if (held) this.#lose(held, `the connection was closed, and ${held.lock.name} was let go of`);
        }
      }
    });
  }
}

/** Resolves when the first try to connect is over, connecting unless the client does already. */
export async function whenConnected(client: Client): Promise<void> {
  const { status } = client.connection;
  if (status !== "idle" && status !== "connecting") return;
  await new Promise<void>((done) => {
    const off = client.on("connection", ({ status }) => {
      if (status === "connecting") return;
      off();
      done();
    });
    if (status === "idle") client.connect();
  });
}

function ignore(): void {}
