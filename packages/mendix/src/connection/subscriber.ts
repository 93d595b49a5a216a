/**
 * A widget's subscription: goes along when server or channel change, and says what happens in the words of the widgets. Knows no props
 * and no attributes.
 */

import {
  ClientError,
  type Connection,
  type Gap,
  type Message,
  type PresenceChange,
  type StateChange,
} from "@fanfare/client";
import { asError } from "@fanfare/protocol";
import { type Connections, connectionName, type Lease, type Server } from "./connections.js";

/** The status that the widget shows. */
export type Status = "idle" | "connecting" | "live" | "lost" | "refused";

/** Callbacks to the widget. */
export interface SubscriberHost {
  message(message: Message): void;
  state(change: StateChange): void;
  /** Is it wanted to know who is on the channel? Asked when the channel is subscribed. */
  readonly followsPresence: boolean;
  presence(change: PresenceChange): void;
  /** The channel is heard: for the first time, or nothing says what was missed before. */
  subscribed(): void;
  missed(gap: Gap): void;
  /** The connection is gone, or cannot be made; it is tried again. Told once until the channel is heard. */
  lost(reason: string): void;
  /** It ends here, unless something changes. */
  refused(code: string, reason: string): void;
  status(status: Status): void;
}

export class Subscriber {
  readonly #connections: Connections;
  readonly #host: SubscriberHost;
  #server: Server | null = null;
  #lease: Lease | null = null;
  #stopWatching: (() => void) | null = null;
  #channel: string | null = null;
  #subscription: { unsubscribe(): void } | null = null;
  #status: Status = "idle";
  #isLost = false;

  constructor(connections: Connections, host: SubscriberHost) {
    this.#connections = connections;
    this.#host = host;
  }

  /** Sets the channel to listen to from now on; `null` for none. */
  update(server: Server | null, channel: string | null): void {
    const isSameServer = server && this.#server && connectionName(server) === connectionName(this.#server);
    if (!isSameServer || channel !== this.#channel) this.#unsubscribe();
    if (!isSameServer) this.#leave();
    if (isSameServer) this.#lease?.renew(server.token);
    else if (server) this.#connect(server);
    this.#server = server;
    if (channel === this.#channel) return;
    this.#channel = channel;
    if (channel !== null) this.#subscribe(channel);
  }

  stop(): void {
    this.#unsubscribe();
    this.#leave();
    this.#server = null;
  }

  #connect(server: Server): void {
    try {
      this.#lease = this.#connections.lease(server);
    } catch (error) {
      this.#refused(error);
      return;
    }
    const { client } = this.#lease;
    this.#stopWatching = client.on("connection", (connection) => this.#connectionIs(connection));
    this.#connectionIs(client.connection);
  }

  #leave(): void {
    this.#stopWatching?.();
    this.#stopWatching = null;
    this.#lease?.release();
    this.#lease = null;
    this.#isLost = false;
  }

  #subscribe(channel: string): void {
    if (!this.#lease) return;
    const { client } = this.#lease;
    if (!this.#isLost) this.#show("connecting");
    try {
      this.#subscription = client.subscribe(channel, (message) => this.#host.message(message), {
        onState: (change) => this.#host.state(change),
        ...(this.#host.followsPresence && { onPresence: (change) => this.#host.presence(change) }),
        onSubscribed: ({ recovered }) => {
          this.#isLost = false;
          this.#show("live");
          if (!recovered) this.#host.subscribed();
        },
        // A newer value has replaced conflated messages, so none is missing.
        onGap: (gap) => gap.reason !== "conflated" && this.#host.missed(gap),
        onError: (error) => this.#refused(error),
      });
    } catch (error) {
      this.#refused(error);
    }
  }

  #unsubscribe(): void {
    this.#subscription?.unsubscribe();
    this.#subscription = null;
    this.#channel = null;
    this.#show("idle");
  }

  #connectionIs(connection: Connection): void {
    if (connection.status === "reconnecting") this.#lose(connection.reason);
    // Without a code it was closed by this page.
    else if (connection.status === "closed" && connection.code !== null) {
      this.#lose(connection.reason);
      this.#show("refused");
      this.#host.refused(String(connection.code), `${connection.reason} ${connection.remedy}`);
    }
  }

  #lose(reason: string): void {
    if (this.#isLost) return;
    this.#isLost = true;
    this.#show("lost");
    this.#host.lost(reason);
  }

  #refused(error: unknown): void {
    this.#show("refused");
    if (error instanceof ClientError) this.#host.refused(error.code, `${error.message}. ${error.remedy}`);
    else this.#host.refused("internal", asError(error).message);
  }

  #show(status: Status): void {
    if (status === this.#status) return;
    this.#status = status;
    this.#host.status(status);
  }
}
