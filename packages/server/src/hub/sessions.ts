/**
 * Sessions: what survives a reconnect. The engine keeps them under a hash of their secret, so any node can take one over, and
 * only one can. While a connection lives its session is renewed now and then; after an unclean end it stays for a while.
 */
import { hash } from "node:crypto";
import type { Connection } from "./connection.js";
import type { Hub } from "./hub.js";

/** How much longer than a session's own time it is kept between two renewals. */
const RENEWAL_MS = 90_000;
const END_TOPIC = "connection.resumed";

/** What goes on in the next connection. */
export interface ResumedSession {
  /** Whose it is, in the words of whoever lets clients in. */
  readonly owner: string;
  /** Who publishes: idempotency keys stay its own. */
  readonly publisher: string;
  /** How often it has been connected, at first and anew. */
  readonly times: number;
}

/** What the engine keeps. */
interface StoredSession extends Omit<ResumedSession, "publisher" | "times"> {
  /** The connection that holds the session, or held it last. */
  readonly connection: string;
  /** Left out where it is that connection. */
  readonly publisher?: string;
  /** Left out for the first time. */
  readonly times?: number;
}

export class Sessions {
  readonly #hub: Hub;
  readonly #ttlMs: number;
  readonly #stopListening: () => void;

  constructor(hub: Hub) {
    this.#hub = hub;
    this.#ttlMs = hub.limits.sessionSeconds * 1000;
    this.#stopListening = hub.engine.onSignal(END_TOPIC, (json) => {
      const id: unknown = JSON.parse(json);
      const connection = typeof id === "string" ? hub.connections.get(id) : undefined;
      connection?.subscriber.end("resumed_elsewhere");
    });
  }

  /**
   * A new session for a connection, going on from an earlier one or not; answers with the secret, 128 bits.
   *
   * @param owner whose it is
   */
  begin(connection: Connection, resumed: ResumedSession | null, owner: string): string {
    connection.owner = owner;
    const secret = Buffer.from(this.#hub.random.bytes(16)).toString("base64url");
    connection.session = hash("sha256", secret, "base64url");
    connection.publisher = resumed?.publisher ?? connection.id;
    const { id, publisher } = connection;
    const times = (resumed?.times ?? 0) + 1;
    const stored: StoredSession = {
      connection: id,
      owner,
      ...(publisher !== id && { publisher }),
      ...(times > 1 && { times }),
    };
    this.#hub.lifecycle.connected(connection, times);
    const ttlMs = this.#ttlMs + RENEWAL_MS;
    // A session that could not be kept cannot be resumed, which the client is told then; nothing else is lost.
    this.#hub.engine.putSession(connection.session, JSON.stringify(stored), ttlMs).catch(ignore);
    return secret;
  }

  /** The connection lives: its session stays, unless another connection has taken it. */
  renew({ session }: Connection): void {
    if (session) this.#hub.engine.renewSession(session, this.#ttlMs + RENEWAL_MS).catch(ignore);
  }

  /** The connection is over. After a clean end the session is over too. */
  end(connection: Connection, clean: boolean): void {
    const { session } = connection;
    connection.session = null;
    if (!session) return;
    if (clean) {
      this.#hub.locks.sessionEnded(connection.publisher);
      this.#hub.engine.takeSession(session).catch(ignore);
    } else this.#hub.engine.renewSession(session, this.#ttlMs).catch(ignore);
  }

  /**
   * Takes over the session with this secret; a connection that still holds it is ended. `null` when there is none, or when it is
   * somebody else's: then it stays as it was.
   *
   * @throws FanfareError `unavailable`
   */
  async resume(secret: string, owner: string): Promise<ResumedSession | null> {
    const key = hash("sha256", secret, "base64url");
    const json = await this.#hub.engine.takeSession(key);
    if (json === null) return null;
    const session = JSON.parse(json) as StoredSession;
    if (session.owner !== owner) {
      await this.#hub.engine.putSession(key, json, this.#ttlMs);
      return null;
    }
    const here = this.#hub.connections.get(session.connection);
    if (here) here.subscriber.end("resumed_elsewhere");
    else await this.#hub.engine.signal(END_TOPIC, JSON.stringify(session.connection));
    const { publisher = session.connection, times = 1 } = session;
    return { owner, publisher, times };
  }

  close(): void {
    this.#stopListening();
  }
}

function ignore(): void {}
