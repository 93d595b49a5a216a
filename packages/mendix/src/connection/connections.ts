/**
 * The connections of a page: one for each server and way to log in, whatever the number of widgets. It opens with the first widget and
 * closes soon after the last has gone. Knows no channels.
 */
import {
  type Client,
  type ClientOptions,
  createClient,
  type Message,
  type SubscribeOptions,
  type Subscription,
} from "@fanfare/client";

/** A page that follows the last one takes its connection over when it comes within this time. */
const LINGER_MS = 1000;

/** How a server is reached, and by what it knows the user. */
export interface Server {
  /** A path or an address. */
  readonly url: string;
  /** The token; `null` where the session of the app says who it is. */
  readonly token: string | null;
}

/** The part of the client that widgets use. */
export interface WidgetClient extends Pick<Client, "connection" | "on" | "connect" | "close"> {
  subscribe(
    channel: string,
    handler: (message: Message) => void,
    options: SubscribeOptions,
  ): Pick<Subscription, "unsubscribe">;
}

/** The parts of the page that connections need. */
export interface Surroundings {
  csrf(): string | undefined;
  createClient(options: ClientOptions): WidgetClient;
  /** Calls once, after this many milliseconds; what it answers with calls it off. */
  after(ms: number, call: () => void): () => void;
}

/** One widget's part in a connection. */
export interface Lease {
  readonly client: WidgetClient;
  /** The user has a new token. */
  renew(token: string | null): void;
  release(): void;
}

interface Shared {
  readonly client: WidgetClient;
  token: string;
  widgets: number;
  cancelClosing: (() => void) | null;
}

export class Connections {
  readonly #surroundings: Surroundings;
  readonly #shared = new Map<string, Shared>();

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings;
  }

  /** @throws ClientError `invalid_url`, `no_websocket` */
  lease(server: Server): Lease {
    const name = connectionName(server);
    const shared = this.#shared.get(name) ?? this.#open(name, server);
    shared.widgets++;
    shared.cancelClosing?.();
    shared.cancelClosing = null;
    renew(shared, server.token);
    // A client that was sent away may be welcome by now.
    if (shared.client.connection.status === "closed") shared.client.connect();
    let isOver = false;
    return {
      client: shared.client,
      renew: (token) => renew(shared, token),
      release: () => {
        if (isOver) return;
        isOver = true;
        this.#release(name, shared);
      },
    };
  }

  #open(name: string, { url, token }: Server): Shared {
    const { createClient, csrf } = this.#surroundings;
    const client = createClient({ url, ...(token === null ? { csrf } : { getToken: () => shared.token }) });
    client.on("error", (error) => console.warn(`Fanfare: ${error.message}`));
    const shared: Shared = { client, token: token ?? "", widgets: 0, cancelClosing: null };
    this.#shared.set(name, shared);
    return shared;
  }

  #release(name: string, shared: Shared): void {
    shared.widgets--;
    if (shared.widgets > 0) return;
    shared.cancelClosing = this.#surroundings.after(LINGER_MS, () => {
      this.#shared.delete(name);
      shared.client.close();
    });
  }
}

/** Two servers with the same name share a connection. */
export function connectionName({ url, token }: Server): string {
  return `${token === null ? "session" : "token"} ${url}`;
}

/** All widgets of a server are one user's, so the newest token serves them all. */
function renew(shared: Shared, token: string | null): void {
  if (token === null || token === shared.token) return;
  shared.token = token;
  const { status } = shared.client.connection;
  if (status === "closed" || status === "reconnecting") shared.client.connect();
}

/** Where the connections are found. Each widget is bundled with a client of its own, and still one connection serves them all. */
export interface ConnectionsHolder {
  /** The number changes with what is expected of it. */
  fanfareConnections1: Connections | undefined;
}

declare global {
  interface Window {
    fanfareConnections1: Connections | undefined;
  }
}

/** Those of the page, which are made where there are none yet. */
export function connectionsOf(page: ConnectionsHolder, csrf: () => string | undefined): Connections {
  page.fanfareConnections1 ??= new Connections({
    csrf,
    createClient,
    after(ms, call) {
      const timer = setTimeout(call, ms);
      return () => clearTimeout(timer);
    },
  });
  return page.fanfareConnections1;
}
