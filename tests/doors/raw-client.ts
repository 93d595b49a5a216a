/** A client that writes bytes, not frames, and looks at every byte that comes back: for what no library would send. */
import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { onTestFinished } from "vitest";
import { Inbox, soon } from "./waiting.js";

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface RawFrame {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** A frame as a client sends it. */
export function clientFrame(
  opcode: number,
  payload: Buffer | string = "",
  { mask = true, fin = true } = {},
): Buffer {
  const body = Buffer.from(payload);
  const head = [opcode | (fin ? 0x80 : 0)];
  const masked = mask ? 0x80 : 0;
  if (body.length < 126) head.push(masked | body.length);
  else if (body.length < 65_536) head.push(masked | 126, body.length >> 8, body.length & 255);
  else {
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(body.length));
    head.push(masked | 127, ...length);
  }
  if (!mask) return Buffer.concat([Buffer.from(head), body]);
  const key = randomBytes(4);
  for (let index = 0; index < body.length; index++) {
    body[index] = (body[index] ?? 0) ^ (key[index & 3] ?? 0);
  }
  return Buffer.concat([Buffer.from(head), key, body]);
}

export function textFrame(frame: object | string): Buffer {
  return clientFrame(OPCODE.text, typeof frame === "string" ? frame : JSON.stringify(frame));
}

export function upgradeRequest(port: number, path = "/push", headers: readonly string[] = []): string {
  return [
    `GET ${path} HTTP/1.1`,
    `Host: localhost:${port}`,
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
    ...headers,
    "\r\n",
  ].join("\r\n");
}

export class RawClient {
  readonly socket: Socket;
  readonly frames = new Inbox<RawFrame>("raw frames");
  /** The head of the HTTP answer, once it is there. */
  head: string | null = null;
  /** Bytes that are no whole frame yet. */
  rest: Buffer = Buffer.alloc(0);
  /** Bytes that came after a close frame. */
  afterClose = 0;
  readonly closed: Promise<void>;
  #closeSeen = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("error", () => {});
    socket.on("data", (bytes: Buffer) => this.#hear(bytes));
    this.closed = new Promise((done) => {
      socket.on("close", () => {
        done();
        this.frames.end("the connection has ended");
      });
    });
  }

  /** A TCP or TLS connection, on which nothing has been said. */
  static async dial(port: number, { tls = false } = {}): Promise<RawClient> {
    const socket = tls
      ? connectTls({ port, host: "localhost", rejectUnauthorized: false })
      : connect({ port, host: "localhost" });
    onTestFinished(() => void socket.destroy());
    const client = new RawClient(socket);
    await soon(
      new Promise<void>((done, fail) => {
        socket.once(tls ? "secureConnect" : "connect", () => done());
        socket.once("error", fail);
      }),
      "a TCP connection",
    );
    return client;
  }

  /** A WebSocket, on which nothing has been said. */
  static async open(port: number, options: { tls?: boolean } = {}): Promise<RawClient> {
    const client = await RawClient.dial(port, options);
    client.socket.write(upgradeRequest(port));
    await soon(
      new Promise<void>((done) => {
        const look = () => {
          if (client.head === null) return;
          client.socket.off("data", look);
          done();
        };
        client.socket.on("data", look);
      }),
      "the answer to an upgrade",
    );
    return client;
  }

  /** A WebSocket that is connected. */
  static async connect(port: number, options: { tls?: boolean } = {}): Promise<RawClient> {
    const client = await RawClient.open(port, options);
    client.say({ type: "connect" });
    await client.json("connected");
    return client;
  }

  say(frame: object | string): void {
    this.socket.write(textFrame(frame));
  }

  /** The next text frame of this type. */
  async json(type: string): Promise<Record<string, unknown>> {
    for (;;) {
      const { opcode, payload } = await this.frames.next();
      if (opcode !== OPCODE.text) continue;
      const frame = JSON.parse(payload.toString()) as Record<string, unknown>;
      if (frame.type === type) return frame;
    }
  }

  /** The code and reason of the close frame; other frames before it are dropped. */
  async close(): Promise<{ code: number; reason: string }> {
    const { payload } = await this.frames.nextThat(({ opcode }) => opcode === OPCODE.close);
    return { code: payload.readUInt16BE(0), reason: payload.subarray(2).toString() };
  }

  #hear(bytes: Buffer): void {
    if (this.#closeSeen) this.afterClose += bytes.length;
    this.rest = this.rest.length > 0 ? Buffer.concat([this.rest, bytes]) : bytes;
    if (this.head === null) {
      const end = this.rest.indexOf("\r\n\r\n");
      if (end < 0) return;
      this.head = this.rest.subarray(0, end).toString();
      this.rest = this.rest.subarray(end + 4);
    }
    if (!this.head.startsWith("HTTP/1.1 101")) return;
    for (;;) {
      const frame = this.#frame();
      if (!frame) return;
      this.frames.put(frame);
      if (frame.opcode !== OPCODE.close) continue;
      this.#closeSeen = true;
      this.afterClose += this.rest.length;
    }
  }

  /** Takes one whole frame from what came. @throws when it is none that a server sends */
  #frame(): RawFrame | null {
    const { rest } = this;
    if (rest.length < 2) return null;
    const first = rest.readUInt8(0);
    const second = rest.readUInt8(1);
    const opcode = first & 15;
    if ((first & 0xf0) !== 0x80) throw new Error(`a torn or compressed frame: ${first.toString(16)}`);
    if (!([OPCODE.text, OPCODE.close, OPCODE.ping, OPCODE.pong] as number[]).includes(opcode)) {
      throw new Error(`the opcode ${opcode} came, which a server does not send`);
    }
    let start = 2;
    let length = second;
    if (second === 126) {
      if (rest.length < 4) return null;
      start = 4;
      length = rest.readUInt16BE(2);
    } else if (second === 127) {
      if (rest.length < 10) return null;
      start = 10;
      length = Number(rest.readBigUInt64BE(2));
    } else if (second > 127) throw new Error("a masked frame came from the server");
    if (rest.length < start + length) return null;
    this.rest = rest.subarray(start + length);
    return { opcode, payload: rest.subarray(start, start + length) };
  }
}
