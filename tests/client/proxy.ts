/**
 * A TCP proxy that does to connections what networks do: cuts them, closes one half, holds bytes back, and lets them go
 * on. Knows nothing of what it carries.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

export class TcpProxy {
  readonly #server: Server;
  readonly #links = new Set<Link>();
  #stalled = false;
  #refusing = false;
  #lagTurns = 0;

  /** Stands in front of a port of this machine. */
  static async to(port: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(port);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  private constructor(target: number) {
    this.#server = createServer({ allowHalfOpen: true }, (client) => {
      if (this.#refusing) {
        client.resetAndDestroy();
        return;
      }
      const server = connect({ port: target, host: "127.0.0.1", allowHalfOpen: true });
      const link = new Link(client, server, () => this.#lagTurns);
      this.#links.add(link);
      client.once("close", () => this.#links.delete(link));
      if (this.#stalled) link.stall();
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** How many connections go through it. */
  get links(): number {
    return this.#links.size;
  }

  /** Destroys both sides of every connection. */
  cut(): void {
    for (const link of this.#links) link.cut();
  }

  /** Tells one side of every connection that the other has no more to say; the other knows nothing of it. */
  halfClose(side: "client" | "server"): void {
    for (const link of this.#links) link.halfClose(side);
  }

  /** Carries nothing any more, and does not say so: neither on the connections there are nor on new ones. */
  stall(): void {
    this.#stalled = true;
    for (const link of this.#links) link.stall();
  }

  /** Resets new connections. */
  refuse(): void {
    this.#refusing = true;
  }

  /** What passes takes so many turns of the event loop; the order stays. */
  lag(turns: number): void {
    this.#lagTurns = turns;
  }

  /** Works again; what was held back goes on its way. */
  heal(): void {
    this.#stalled = false;
    this.#refusing = false;
    this.#lagTurns = 0;
    for (const link of this.#links) link.goOn();
  }

  async close(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.cut();
    await closed;
  }
}

/** A connection: two sockets, and two ways between them. */
class Link {
  readonly #client: Socket;
  readonly #server: Socket;

  constructor(client: Socket, server: Socket, lagTurns: () => number) {
    this.#client = client;
    this.#server = server;
    carry(client, server, lagTurns);
    carry(server, client, lagTurns);
  }

  cut(): void {
    this.#client.destroy();
    this.#server.destroy();
  }

  halfClose(side: "client" | "server"): void {
    (side === "client" ? this.#client : this.#server).end();
  }

  stall(): void {
    this.#client.pause();
    this.#server.pause();
  }

  goOn(): void {
    this.#client.resume();
    this.#server.resume();
  }
}

/** Carries bytes and ends one way, in order. */
function carry(from: Socket, to: Socket, lagTurns: () => number): void {
  let last: Promise<void> = Promise.resolve();
  const then = (act: () => void) => {
    const turns = lagTurns();
    last = last.then(async () => {
      for (let turn = 0; turn < turns; turn++) await new Promise<void>((done) => setImmediate(done));
      act();
    });
  };
  from.on("data", (bytes) => then(() => void (to.writable && to.write(bytes))));
  from.on("end", () => then(() => to.end()));
  from.on("close", () => then(() => to.destroy()));
  // A reset is an end like any other; `close` follows.
  from.on("error", () => {});
}
