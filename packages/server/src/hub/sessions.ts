/**
 * Sessions: what survives a reconnect. The engine keeps them under a hash of their secret, so any node can take one over, and
 * only one can. While a connection lives its session is renewed now and then; after an unclean end it stays for a while.
 */
import { hash } from "node:crypto";
import type { Engine } from "../engine/engine.js";
import type { Connection } from "./delivery/connection.js";
import type { Hub } from "./hub.js";

/** How much longer than a session's own time it is kept between two renewals. */
const RENEWAL_MS = 90_000;
const RESUMED_TOPIC = "connection.resumed";
const OVER_TOPIC = "session.over";

/** The parts that go on in the next connection. */
export interface ResumedSession {
  /** Whose it is, in the words of access. */
  readonly owner: string;
  /** The publisher's name: idempotency keys stay its own. */
  readonly publisher: string;
  /** How often it has been connected, at first and anew. */
  readonly times: number;
}

/** The record that the engine keeps. */
interface StoredSession extends Omit<ResumedSession, "publisher" | "times"> {
  /** The connection that holds the session, or held it last. */
  readonly connection: string;
  /** Left out where it is that connection. */
  readonly publisher?: string;
  /** Left out for the first time. */
  readonly times?: number;
  /** In whose share the session counts, `null` for an owner without a bound; left out where that is `owner`. */
  readonly share?: string | null;
}

export class Sessions {
  readonly #hub: Hub;
  readonly #over: (publisher: string) => void;
  readonly #ttlMs: number;
  readonly #stopListening: readonly (() => void)[];

  /** @param over hears that a session has ended cleanly, on any node, by the name of its first connection; twice on the node where it ended */
  constructor(hub: Hub, over: (publisher: string) => void = () => {}) {
    this.#hub = hub;
    this.#over = over;
    this.#ttlMs = hub.limits.sessionSeconds * 1000;
    const resumed = (id: string) => hub.connections.get(id)?.subscriber.end("resumed_elsewhere");
    this.#stopListening = [this.#hear(RESUMED_TOPIC, resumed), this.#hear(OVER_TOPIC, over)];
  }

  /**
   * A new session for a connection, going on from an earlier one or not; answers with the secret, 128 bits.
   *
   * @param owner whose it is
   */
  begin(connection: Connection, resumed: ResumedSession | null, owner: string): string {
    const secret = Buffer.from(this.#hub.random.bytes(16)).toString("base64url");
    connection.session = hash("sha256", secret, "base64url");
    connection.publisher = resumed?.publisher ?? connection.id;
    const { id, publisher, shareOwner: share } = connection;
    const times = (resumed?.times ?? 0) + 1;
    const stored: StoredSession = {
      connection: id,
      owner,
      ...(publisher !== id && { publisher }),
      ...(times > 1 && { times }),
      ...(share !== owner && { share }),
    };
    this.#hub.lifecycle.connected(connection, owner, times);
    const ttlMs = this.#ttlMs + RENEWAL_MS;
    // A session that could not be kept cannot be resumed, which the client is told then; nothing else is lost.
    const key = connection.session;
    this.#keep((engine) => engine.sessions.put(key, JSON.stringify(stored), ttlMs, share ?? undefined));
    return secret;
  }

  /** The connection lives: its session stays, unless another connection has taken it. */
  renew({ session }: Connection): void {
    if (session) this.#keep((engine) => engine.sessions.renew(session, this.#ttlMs + RENEWAL_MS));
  }

  /**
   * The connection is over. After a clean end the session is over too, unless another connection has taken it over meanwhile: then what
   * it holds is that one's. All nodes are told, since locks may have been taken on a node where the session was before.
   */
  end(connection: Connection, clean: boolean): void {
    const { session, publisher } = connection;
    connection.session = null;
    if (!session) return;
    if (!clean) {
      this.#keep((engine) => engine.sessions.renew(session, this.#ttlMs));
      return;
    }
    this.#keep(async (engine) => {
      if ((await engine.sessions.take(session)) === null) return;
      // Here also where the signal is lost.
      this.#over(publisher);
      await engine.signals.send(OVER_TOPIC, JSON.stringify(publisher));
    });
  }

  /**
   * Takes over the session with this secret; a connection that still holds it is ended. `null` when there is none, or when it is
   * somebody else's: then it stays as it was.
   *
   * @throws FanfareError `unavailable`
   */
  async resume(secret: string, owner: string): Promise<ResumedSession | null> {
    const key = hash("sha256", secret, "base64url");
    const json = await this.#hub.engine.sessions.take(key);
    if (json === null) return null;
    const session = JSON.parse(json) as StoredSession;
    if (session.owner !== owner) {
      const { share = session.owner } = session;
      await this.#hub.engine.sessions.put(key, json, this.#ttlMs, share ?? undefined);
      return null;
    }
    const here = this.#hub.connections.get(session.connection);
    if (here) here.subscriber.end("resumed_elsewhere");
    else await this.#hub.engine.signals.send(RESUMED_TOPIC, JSON.stringify(session.connection));
    const { publisher = session.connection, times = 1 } = session;
    return { owner, publisher, times };
  }

  close(): void {
    for (const stop of this.#stopListening) stop();
  }

  /** Hears signals whose text is a name. */
  #hear(topic: string, listener: (name: string) => void): () => void {
    const hear = (json: string) => {
      const name: unknown = JSON.parse(json);
      if (typeof name === "string") listener(name);
    };
    return this.#hub.engine.signals.on(topic, this.#hub.failures.guarded("hub", hear));
  }

  #keep(work: (engine: Engine) => Promise<unknown>): void {
    this.#hub.failures.inBackground("keeping a session", () => work(this.#hub.engine));
  }
}
