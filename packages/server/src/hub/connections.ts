/** The connections that this node has, whatever door they came through. */
import { FanfareError } from "@fanfare/protocol";
import type { Channel } from "./delivery/channel.js";
import { Connection } from "./delivery/connection.js";
import type { ConnectionHost } from "./delivery/connection-host.js";
import type { Lifecycle } from "./lifecycle.js";
import type { Subscriber } from "./terms/subscriber.js";

export interface ConnectionsHost extends ConnectionHost {
  readonly lifecycle: Lifecycle;
}

export class Connections {
  readonly #host: ConnectionsHost;
  readonly #open = new Map<string, Connection>();

  constructor(host: ConnectionsHost) {
    this.#host = host;
  }

  get size(): number {
    return this.#open.size;
  }

  get(id: string): Connection | undefined {
    return this.#open.get(id);
  }

  ids(): Iterable<string> {
    return this.#open.keys();
  }

  values(): Iterable<Connection> {
    return this.#open.values();
  }

  /**
   * A client has come in.
   *
   * @param owner in whose share the connection counts; `null` is an owner without a bound
   * @throws FanfareError `too_many_connections`, `share_used_up`
   */
  open(subscriber: Subscriber, owner: string | null): Connection {
    const { limits, listening, random, counters } = this.#host;
    const { connections } = limits;
    if (this.#open.size >= connections) {
      throw new FanfareError("too_many_connections", `this process has ${connections} connections`);
    }
    listening.assertRoomToConnect(owner);
    const id = Buffer.from(random.bytes(12)).toString("base64url");
    const connection = new Connection(id, subscriber, this.#host, listening.enter(owner));
    this.#open.set(id, connection);
    counters.opened++;
    return connection;
  }

  left(connection: Connection): void {
    this.#open.delete(connection.id);
    this.#host.lifecycle.left(connection);
  }

  /** Which subscribers of the channel were written what is not known: all are closed, and get the rest when they come back. */
  flushFailed({ name }: Channel, error: unknown): void {
    this.#host.failures.caught({ caller: "hub", error });
    for (const connection of this.#open.values()) {
      if (connection.subscriptions.has(name)) connection.subscriber.failedInside(error);
    }
  }
}
