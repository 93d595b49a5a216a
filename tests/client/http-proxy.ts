/** An HTTP proxy that lets no WebSocket through, until it relents; and passes on everything else as it comes. */
import { once } from "node:events";
import { createServer, request, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";

export class HttpProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** What is asked of it, such as `POST /push/sse`. */
  readonly asked: string[] = [];
  /** WebSockets that it refused, and that it let through. */
  refused = 0;
  upgraded = 0;
  #relents = false;

  /** Stands in front of a port of this machine. */
  static async to(port: number): Promise<HttpProxy> {
    const proxy = new HttpProxy(port);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  private constructor(target: number) {
    this.#server = createServer((incoming, outgoing) => {
      const { method, url = "", headers } = incoming;
      this.asked.push(`${method} ${url.split("?", 1)[0]}`);
      const onward = request(
        { port: target, host: "127.0.0.1", method, path: url, headers, agent: false },
        (answer) => {
          outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
          answer.pipe(outgoing);
          answer.once("error", () => outgoing.destroy());
        },
      );
      onward.once("error", () => outgoing.destroy());
      outgoing.once("close", () => onward.destroy());
      incoming.pipe(onward);
    });
    this.#server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    this.#server.on("upgrade", (incoming, socket: Socket, head: Buffer) => {
      socket.on("error", () => socket.destroy());
      if (!this.#relents) {
        this.refused++;
        socket.end("HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        return;
      }
      this.upgraded++;
      const onward = connect({ port: target, host: "127.0.0.1" });
      const lines = [`${incoming.method} ${incoming.url} HTTP/1.1`];
      for (let index = 0; index + 1 < incoming.rawHeaders.length; index += 2) {
        lines.push(`${incoming.rawHeaders[index]}: ${incoming.rawHeaders[index + 1]}`);
      }
      onward.write(`${lines.join("\r\n")}\r\n\r\n`);
      onward.write(head);
      onward.on("error", () => socket.destroy());
      onward.once("close", () => socket.destroy());
      socket.once("close", () => onward.destroy());
      socket.pipe(onward).pipe(socket);
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** From now on WebSockets pass. */
  relent(): void {
    this.#relents = true;
  }

  /** From now on they do not, and those that there are are cut, as is everything else. */
  block(): void {
    this.#relents = false;
    this.cut();
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.cut();
    await closed;
  }
}
