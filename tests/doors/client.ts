/** A client of the WebSocket protocol with the `ws` library, for tests: says frames, and hears them one by one. */
import type { IncomingMessage } from "node:http";
import type {
  ConnectedFrame,
  ErrorFrame,
  GapFrame,
  MessageFrame,
  OkFrame,
  Position,
  ServerFrame,
  SubscribedFrame,
} from "@fanfare/protocol";
import { onTestFinished } from "vitest";
import { type ClientOptions, WebSocket } from "ws";
import { Inbox, soon } from "./waiting.js";

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** An answer to a request. */
export type Answer = SubscribedFrame | ErrorFrame | OkFrame;
export type Delivery = MessageFrame | GapFrame;

export interface OpenOptions extends ClientOptions {
  /** Sub-protocols to offer. @default fanfare.v1 */
  readonly protocols?: readonly string[];
}

export class Client {
  readonly ws: WebSocket;
  /** All frames but answers and deliveries. */
  readonly others = new Inbox<ServerFrame>("other frames");
  readonly answers = new Inbox<Answer>("answers");
  readonly deliveries = new Inbox<Delivery>("messages and gaps");
  /** Every frame, in order. */
  readonly heard: ServerFrame[] = [];
  readonly closed: Promise<Closed>;
  #requests = 0;

  private constructor(ws: WebSocket) {
    this.ws = ws;
    ws.on("message", (data: Buffer) => this.#hear(JSON.parse(data.toString()) as ServerFrame));
    ws.on("error", () => {});
    this.closed = new Promise((done) => {
      ws.on("close", (code, reason) => {
        done({ code, reason: reason.toString() });
        for (const inbox of [this.others, this.answers, this.deliveries]) inbox.end(`closed with ${code}`);
      });
    });
  }

  /** Opens a WebSocket, and says nothing yet. */
  static async open(url: string, options: OpenOptions = {}): Promise<Client> {
    const { protocols = ["fanfare.v1"], ...rest } = options;
    const ws = new WebSocket(url, [...protocols], { perMessageDeflate: false, ...rest });
    onTestFinished(() => ws.terminate());
    const client = new Client(ws);
    await soon(
      new Promise<void>((done, fail) => {
        ws.once("open", done);
        ws.once("error", fail);
      }),
      "the WebSocket to open",
    );
    return client;
  }

  /** Opens a WebSocket and connects. */
  static async connect(url: string, options: OpenOptions = {}): Promise<Client> {
    const client = await Client.open(url, options);
    await client.connect();
    return client;
  }

  /** A frame, or any text. */
  say(frame: object | string): void {
    this.ws.send(typeof frame === "string" ? frame : JSON.stringify(frame));
  }

  async connect(fields: object = {}): Promise<ConnectedFrame> {
    this.say({ type: "connect", ...fields });
    const frame = await this.others.nextThat(({ type }) => type === "connected");
    return frame as ConnectedFrame;
  }

  async ask(frame: object): Promise<Answer> {
    const asked = { request: ++this.#requests, ...frame };
    this.say(asked);
    return this.answers.nextThat(({ request }) => request === asked.request);
  }

  /** Subscribes, which must succeed. */
  async subscribe(channel: string, since?: Position): Promise<SubscribedFrame> {
    const answer = await this.ask({ type: "subscribe", channel, ...(since && { since }) });
    if (answer.type !== "subscribed") throw new Error(`subscribe was answered by ${JSON.stringify(answer)}`);
    return answer;
  }

  /** The offsets of the next deliveries of this channel, which must be messages. */
  async offsets(count: number): Promise<number[]> {
    const offsets: number[] = [];
    for (const frame of await this.deliveries.take(count)) {
      if (frame.type !== "message") throw new Error(`a gap came: ${JSON.stringify(frame)}`);
      offsets.push(frame.offset);
    }
    return offsets;
  }

  /** Is it still there? Answers a ping, after all that was said before. */
  async alive(): Promise<void> {
    this.say({ type: "ping" });
    await this.others.nextThat(({ type }) => type === "pong");
  }

  /** Closes as a client does that leaves. */
  async leave(code?: number): Promise<void> {
    this.ws.close(code);
    await this.closed;
  }

  /** Is gone without a word. */
  vanish(): void {
    this.ws.terminate();
  }

  #hear(frame: ServerFrame): void {
    this.heard.push(frame);
    switch (frame.type) {
      case "subscribed":
      case "error":
      case "ok":
        this.answers.put(frame);
        return;
      case "message":
      case "gap":
        this.deliveries.put(frame);
        return;
      default:
        this.others.put(frame);
    }
  }
}

export interface Refusal {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly problem: { readonly code: string; readonly detail: string; readonly remedy: string };
}

/** Opens a WebSocket where it is to be refused, and answers with the HTTP answer. */
export async function refused(url: string, options: OpenOptions = {}): Promise<Refusal> {
  const { protocols = ["fanfare.v1"], ...rest } = options;
  const ws = new WebSocket(url, [...protocols], rest);
  ws.on("error", () => {});
  onTestFinished(() => ws.terminate());
  const response = await soon(
    new Promise<IncomingMessage>((done, fail) => {
      ws.once("unexpected-response", (_request, answer) => done(answer));
      ws.once("open", () => fail(new Error("the WebSocket was opened")));
    }),
    "the refusal of an upgrade",
  );
  let body = "";
  for await (const chunk of response) body += String(chunk);
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    problem: JSON.parse(body) as Refusal["problem"],
  };
}
