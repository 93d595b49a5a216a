/**
 * The clients of all doors together: lets them in, counts them, and sends them away when the server stops. Their doors decide which words
 * they are told.
 */
import type { IncomingMessage } from "node:http";
import { FanfareError } from "@fanfare/protocol";
import type { Access } from "../access/access.js";
import type { Entrance } from "../access/entrance.js";
import { allHosts, type Caller } from "../access/grants/addresses.js";
import type { Failing } from "../base/failures.js";
import type { Log } from "../base/log.js";
import type { Hub } from "../hub/hub.js";

/** How many clients come back in a second after a restart, and the longest that one is asked to wait. */
const RETURNS_PER_SECOND = 500;
const MAX_RETRY_SECONDS = 30;
/** How many clients are sent away in a second. */
const GOODBYES_PER_SECOND = 5000;

/** A client whom a door has let in. */
export interface Client extends Failing {
  /** The server stops: it has to go, and may come back after this many seconds. */
  goodbye(retryAfterSeconds: number): void;
  /** Keys, tokens or grants have changed: it may have to go, or to hear less. */
  accessChanged(): void;
  destroy(): void;
}

export interface ClientsParts {
  readonly hub: Hub;
  readonly access: Access;
  readonly entrance: Entrance;
  readonly log: Log;
}

export class Clients {
  readonly #hub: Hub;
  readonly #entrance: Entrance;
  readonly #log: Log;
  readonly #clients = new Set<Client>();
  #closing = false;
  #emptied: (() => void) | null = null;

  constructor({ hub, access, entrance, log }: ClientsParts) {
    this.#hub = hub;
    this.#entrance = entrance;
    this.#log = log;
    access.onChange(() => {
      for (const client of this.#clients) this.#tell(client, () => client.accessChanged());
    });
  }

  /**
   * Who calls, if he may come in: by the right host name, from a page that may, not too often, and while there is room.
   *
   * @throws FanfareError `host_not_allowed`, `origin_not_allowed`, `rate_limited`, `too_many_connections`, `unavailable`
   */
  admit(request: IncomingMessage): Caller {
    this.#checkOpen();
    const caller = this.#entrance.admit(request.socket.remoteAddress, request.headers, allHosts(request));
    this.checkRoom(caller);
    return caller;
  }

  /** The same for a caller who has passed the entrance. @throws FanfareError */
  checkRoom({ line }: Caller): void {
    this.#checkOpen();
    const { rates } = this.#entrance;
    const address = rates.addressOf(line);
    const refusal = address === null ? null : rates.take("connects", { address, user: null });
    if (refusal) throw refusal;
    this.checkPlace(this.#clients.size);
  }

  /** Is there a place for one more? @param taken how many there are @throws FanfareError `too_many_connections` */
  checkPlace(taken: number): void {
    const { connections } = this.#hub.limits;
    if (taken < connections && !this.#hub.memory.full) return;
    this.#entrance.refusals.count("too_many_connections");
    this.#hub.memory.assertRoomToConnect();
    throw new FanfareError("too_many_connections", `this process has ${connections} connections`, {
      retryAfterSeconds: 10,
    });
  }

  add(client: Client): void {
    this.#clients.add(client);
    // It was let in before, and only now it is known who it is.
    if (this.#closing) this.#hub.clock.endOfTurn(() => this.#dismiss(client, 1));
  }

  gone(client: Client): void {
    this.#clients.delete(client);
    if (this.#clients.size === 0) this.#emptied?.();
  }

  /**
   * Says goodbye to everybody, a few at a time, each with another time to come back, and resolves when all are gone.
   *
   * @param withinMs after this time the rest is cut off
   */
  async close(withinMs: number): Promise<void> {
    this.#closing = true;
    const clients = [...this.#clients];
    if (clients.length === 0) return;
    const { clock, random } = this.#hub;
    const windowMs = Math.min(withinMs / 2, (clients.length * 1000) / GOODBYES_PER_SECOND);
    const spreadSeconds = Math.min(MAX_RETRY_SECONDS, Math.max(1, clients.length / RETURNS_PER_SECOND));
    const emptied = new Promise<void>((done) => {
      this.#emptied = done;
    });
    for (const [index, client] of clients.entries()) {
      const retryAfterSeconds = Math.round((0.2 + random.fraction() * spreadSeconds) * 100) / 100;
      const afterMs = (index / clients.length) * windowMs;
      // The first batch goes at once; the others are spread, so that the way back is too.
      if (afterMs < 1) this.#dismiss(client, retryAfterSeconds);
      else clock.after(afterMs, () => this.#dismiss(client, retryAfterSeconds));
    }
    const cutOff = withinMs > 0 ? clock.after(withinMs, () => this.#cutOff()) : null;
    if (!cutOff) this.#cutOff();
    if (this.#clients.size > 0) await emptied;
    cutOff?.cancel();
  }

  #dismiss(client: Client, retryAfterSeconds: number): void {
    if (this.#clients.has(client)) this.#tell(client, () => client.goodbye(retryAfterSeconds));
  }

  #cutOff(): void {
    if (this.#clients.size === 0) return;
    this.#log.warn({ connections: this.#clients.size }, "connections that did not close in time are cut off");
    for (const client of this.#clients) {
      this.#tell(client, () => client.destroy());
      // Events of its socket are of no interest any more.
      this.gone(client);
    }
  }

  /** One that fails keeps the others from nothing. */
  #tell(client: Client, what: () => void): void {
    try {
      what();
    } catch (error) {
      client.failedInside(error);
    }
  }

  #checkOpen(): void {
    if (this.#closing) throw new FanfareError("unavailable", "the server stops", { retryAfterSeconds: 1 });
  }
}
