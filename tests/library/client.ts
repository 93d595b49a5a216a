/** A WebSocket client that keeps all frames, and waits for one of a kind. */
import { type ClientOptions, WebSocket } from "ws";
import { within } from "./within.js";

export type Frame = { readonly type: string } & Record<string, unknown>;

export class Client {
  readonly #socket: WebSocket;
  readonly #frames: Frame[] = [];
  /** The close code. */
  readonly closed: Promise<number>;
  #arrived: () => void = () => {};

  private constructor(url: string, options: ClientOptions) {
    this.#socket = new WebSocket(url, "fanfare.v1", options);
    this.#socket.on("message", (data) => {
      this.#frames.push(JSON.parse(String(data)) as Frame);
      this.#arrived();
    });
    this.closed = new Promise((resolve) => this.#socket.on("close", resolve));
    this.#socket.on("error", () => {});
  }

  /** A client that has said `connect` and was answered. */
  static async connect(url: string, options: ClientOptions = {}): Promise<Client> {
    const client = new Client(url.replace(/^http/, "ws"), options);
    await within(
      new Promise((resolve, reject) => {
        client.#socket.once("open", resolve);
        client.#socket.once("error", reject);
      }),
      "a WebSocket",
    );
    client.send({ type: "connect" });
    await client.next("connected");
    return client;
  }

  send(frame: Frame): void {
    this.#socket.send(JSON.stringify(frame));
  }

  /** Takes the earliest frame of this type, waiting for it. */
  async next(type: string): Promise<Frame> {
    for (;;) {
      const index = this.#frames.findIndex((frame) => frame.type === type);
      const [frame] = index < 0 ? [] : this.#frames.splice(index, 1);
      if (frame) return frame;
      await within(
        new Promise<void>((resolve) => {
          this.#arrived = resolve;
        }),
        `a ${type} frame`,
      );
    }
  }

  async subscribe(channel: string, since?: unknown): Promise<Frame> {
    this.send({ type: "subscribe", request: 1, channel, since });
    return this.next("subscribed");
  }

  /** Stops reading, so that even the closing handshake has to wait. */
  hold(): void {
    this.#socket.pause();
  }

  close(): void {
    this.#socket.terminate();
  }
}
