/** The clients of `memory.slow.test.ts`: they come, listen to some channels, call all kinds of things, and go. */
import { WebSocket } from "ws";
import { seeded } from "../../packages/server/src/testing/seeded.js";

export interface LoadOptions {
  readonly url: string;
  readonly key: string;
  readonly seed: number;
  readonly clients: number;
  readonly channels: number;
  readonly callsPerSecond: number;
  /** Channels that a client listens to. */
  readonly each: number;
  /** Clients that leave in a second, and come anew. */
  readonly comings: number;
}

/** What became of it. */
class Tally {
  connected = 0;
  answered = 0;
  messages = 0;
  /** By code: what was refused, and told. */
  readonly refused: Record<string, number> = {};

  refuse(code: string): void {
    this.refused[code] = (this.refused[code] ?? 0) + 1;
  }
}

const TICK_MS = 50;
/** The part of an ordinary data. */
const DATA = "x".repeat(300);

export class Load {
  readonly tally = new Tally();
  readonly #options: LoadOptions;
  readonly #random: () => number;
  readonly #sockets: (WebSocket | null)[];
  readonly #timer: NodeJS.Timeout;
  #requests = 0;
  #next = 0;
  #due = 0;
  #comingsDue = 0;
  #at = performance.now();
  #over = false;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#random = seeded(options.seed);
    this.#sockets = Array.from({ length: options.clients }, () => null);
    for (let index = 0; index < options.clients; index++) this.#come(index);
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  stop(): void {
    this.#over = true;
    clearInterval(this.#timer);
    for (const socket of this.#sockets) socket?.terminate();
  }

  #below(count: number): number {
    return Math.floor(this.#random() * count);
  }

  #channel(): string {
    return `room:${this.#below(this.#options.channels)}`;
  }

  #tick(): void {
    const now = performance.now();
    const seconds = (now - this.#at) / 1000;
    this.#at = now;
    this.#due = Math.min(this.#due + seconds * this.#options.callsPerSecond, this.#options.callsPerSecond);
    for (; this.#due >= 1; this.#due--) this.#call();
    this.#comingsDue += seconds * this.#options.comings;
    for (; this.#comingsDue >= 1; this.#comingsDue--) {
      const index = this.#below(this.#options.clients);
      this.#sockets[index]?.terminate();
      this.#come(index);
    }
  }

  #come(index: number): void {
    const { url, key, each } = this.#options;
    const socket = new WebSocket(url, "fanfare.v1");
    this.#sockets[index] = socket;
    socket.on("error", () => {});
    socket.on("unexpected-response", (_request, response) => {
      this.tally.refuse(`http ${response.statusCode}`);
      response.resume();
      socket.terminate();
    });
    socket.on("open", () => {
      socket.send(JSON.stringify({ type: "connect", token: key }));
      const channels = [...new Set(Array.from({ length: each }, () => this.#channel()))];
      this.#send(socket, { type: "subscribe", channels: channels.map((channel) => ({ channel })) });
    });
    socket.on("message", (data: Buffer) => this.#heard(data.toString()));
    socket.on("close", (code) => {
      if (this.#over || this.#sockets[index] !== socket) return;
      if (code !== 1006) this.tally.refuse(`closed ${code}`);
      this.#sockets[index] = null;
    });
  }

  /** Frames in one packet follow each other line by line. */
  #heard(text: string): void {
    if (text.includes('"type":"message"')) this.tally.messages++;
    else if (text.includes('"type":"connected"')) this.tally.connected++;
    if (!text.includes('"type":"error"')) {
      this.tally.answered++;
      return;
    }
    for (const [, code = ""] of text.matchAll(/"code":"([a-z_]+)"/g)) this.tally.refuse(code);
  }

  #call(): void {
    const { clients, channels } = this.#options;
    this.#next = (this.#next + 1) % clients;
    const socket = this.#sockets[this.#next];
    if (!socket || socket.readyState !== WebSocket.OPEN) {
      if (!socket) this.#come(this.#next);
      return;
    }
    const number = this.#below(channels);
    const kind = this.#below(10);
    if (kind < 5)
      this.#send(socket, {
        type: "publish",
        channel: `room:${number}`,
        data: { number, DATA },
        id: this.#key(),
      });
    else if (kind < 7)
      this.#send(socket, {
        type: "patch",
        channel: `room:${number}`,
        patch: { [`field${number % 5}`]: DATA },
      });
    else if (kind < 9) this.#send(socket, { type: "lock", name: `lock:${number}`, leaseSeconds: 5 });
    else this.#send(socket, { type: "next", name: `number:${number}` });
  }

  #key(): string {
    return `key-${this.#requests}-${this.#random()}`;
  }

  #send(socket: WebSocket, frame: object): void {
    socket.send(JSON.stringify({ ...frame, request: ++this.#requests }));
  }
}
