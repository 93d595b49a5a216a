/** A real server and clients of it, for tests that look at both. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocket } from "ws";
import { type Client, type ClientOptions, createClient } from "../../packages/client/src/index.js";
import { createFanfare, type Fanfare, type FanfareOptions } from "../../packages/server/src/index.js";
import { lettingAllIn } from "../../packages/server/src/testing/let-in.js";

const DEADLINE_MS = 20_000;

export interface RunningServer {
  readonly port: number;
  readonly url: string;
  readonly fanfare: Fanfare;
  /** Says goodbye, and frees the port. */
  close(): Promise<void>;
}

/** Serves a Fanfare on a port; on a free one unless it is given. */
export async function serve(options: FanfareOptions = {}, port = 0): Promise<RunningServer> {
  const server = createServer();
  const fanfare = createFanfare(lettingAllIn(options));
  fanfare.attach(server);
  await listen(server, port);
  const address = server.address() as AddressInfo;
  return {
    port: address.port,
    url: urlOf(address.port),
    fanfare,
    async close() {
      await fanfare.close({ withinSeconds: 0.5 });
      await shut(server);
    },
  };
}

export const urlOf = (port: number) => `http://127.0.0.1:${port}/push`;

export async function listen(server: Server, port = 0): Promise<void> {
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
}

export async function shut(server: Server): Promise<void> {
  const closed = once(server, "close");
  server.close();
  server.closeAllConnections();
  await closed;
}

export function clientOf(url: string, options: ClientOptions = {}): Client {
  return createClient({ url, WebSocket, ...options });
}

/** Resolves when the client is in a state. */
export function inState<Status extends Client["connection"]["status"]>(client: Client, status: Status) {
  type Wanted = Extract<Client["connection"], { status: Status }>;
  return withDeadline(
    new Promise<Wanted>((done) => {
      const look = (connection: Client["connection"]) => {
        if (connection.status !== status) return;
        off();
        done(connection as Wanted);
      };
      const off = client.on("connection", look);
      look(client.connection);
    }),
    `the client is to be ${status}`,
  );
}

/** Looks once per turn of the event loop until it is so, for what tells no event. */
export async function eventually(isSo: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  while (!isSo()) {
    if (Date.now() > deadline) throw new Error(`${what}, and it was not within ${DEADLINE_MS} ms`);
    await new Promise<void>((done) => setImmediate(done));
  }
}

/** Collects what happens, and lets a test wait for it. */
export class Recorder<Item> {
  readonly items: Item[] = [];
  #look: () => void = () => {};

  readonly add = (item: Item): void => {
    this.items.push(item);
    this.#look();
  };

  /** Resolves when so many are there. */
  async atLeast(count: number): Promise<readonly Item[]> {
    const arrived = new Promise<void>((done) => {
      this.#look = () => this.items.length >= count && done();
      this.#look();
    });
    await withDeadline(arrived, `${count} of something`, () => JSON.stringify(this.items));
    return this.items;
  }
}

export async function withDeadline<Value>(
  wanted: Promise<Value>,
  what: string,
  instead: () => string = () => "nothing",
): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come; instead ${instead()}`)), DEADLINE_MS);
  });
  try {
    return await Promise.race([wanted, late]);
  } finally {
    clearTimeout(timer);
  }
}
