/** One TCP connection on which HTTP is written by hand: for what a well-behaved client cannot send. */
import { connect, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { within } from "../library/within.js";

export interface RawResponse {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

export class RawConnection {
  readonly #socket: Socket;
  #received = "";
  #changed: () => void = () => {};
  readonly closed: Promise<void>;

  constructor(port: number) {
    this.#socket = connect(port, "127.0.0.1");
    this.#socket.setEncoding("latin1");
    this.#socket.on("data", (text) => {
      this.#received += String(text);
      this.#changed();
    });
    this.#socket.on("error", () => {});
    this.closed = new Promise((done) => this.#socket.on("close", () => done()));
    onTestFinished(() => this.destroy());
  }

  write(text: string | Uint8Array): void {
    this.#socket.write(text);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Sends a request with a `Host`, and waits for its answer. */
  request(line: string, headers: readonly string[] = [], body = ""): Promise<RawResponse> {
    const length = body === "" ? [] : [`Content-Length: ${Buffer.byteLength(body)}`];
    const head = [`${line} HTTP/1.1`, "Host: localhost", ...length, ...headers].join("\r\n");
    this.write(`${head}\r\n\r\n${body}`);
    return this.response({ toHead: line.startsWith("HEAD ") });
  }

  /** The next answer on this connection. */
  async response({ toHead = false } = {}): Promise<RawResponse> {
    for (;;) {
      const taken = take(this.#received, toHead);
      if (taken) {
        this.#received = taken.rest;
        return taken.response;
      }
      await within(
        new Promise<void>((resolve) => {
          this.#changed = resolve;
        }),
        "an HTTP answer",
      );
    }
  }
}

function take(text: string, toHead: boolean): { response: RawResponse; rest: string } | null {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return null;
  const [statusLine = "", ...lines] = text.slice(0, end).split("\r\n");
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const status = Number(statusLine.split(" ")[1]);
  let rest = text.slice(end + 4);
  const length = toHead || status === 204 ? 0 : Number(headers.get("content-length") ?? 0);
  if (rest.length < length) return null;
  const body = rest.slice(0, length);
  rest = rest.slice(length);
  return { response: { status, headers, body }, rest };
}
