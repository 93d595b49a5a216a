/** A client of event streams on bare HTTP, which reads as the HTML Standard says (section 9.2.6) and keeps what it read. */
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { onTestFinished } from "vitest";
import { Inbox, soon, until } from "./waiting.js";

export interface StreamEvent {
  readonly name: string;
  readonly data: string;
  /** The last id that came, with this event or before. */
  readonly lastEventId: string;
}

export interface StreamRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** The server refused; the message begins with the code of its problem. */
export class StreamRefused extends Error {
  readonly status: number;
  readonly problem: Readonly<Record<string, unknown>>;
  readonly headers: IncomingMessage["headers"];

  constructor({ statusCode = 0, headers }: IncomingMessage, body: string) {
    const problem = body === "" ? {} : (JSON.parse(body) as Record<string, unknown>);
    super(`${String(problem.code)}: ${String(problem.detail)}`);
    this.status = statusCode;
    this.problem = problem;
    this.headers = headers;
  }
}

export class EventStream {
  readonly response: IncomingMessage;
  /** Events of the server's own, without those that tell a cursor. */
  readonly own = new Inbox<StreamEvent>("events of the server");
  /** Messages, gaps and changes of the state. */
  readonly deliveries = new Inbox<StreamEvent>("messages and gaps");
  /** All events, in order. */
  readonly heard: StreamEvent[] = [];
  readonly comments: string[] = [];
  readonly ended: Promise<void>;
  lastEventId = "";
  /** Milliseconds after which it is to come back. */
  retry: number | null = null;
  /** Everything as it came. */
  text = "";
  #line = "";
  #name = "";
  #data: string[] = [];

  private constructor(response: IncomingMessage) {
    this.response = response;
    response.setEncoding("utf8");
    response.on("data", (text: string) => this.#take(text));
    response.on("error", () => {});
    this.ended = new Promise((done) => {
      response.once("close", () => {
        done();
        for (const inbox of [this.own, this.deliveries]) inbox.end("the stream has ended");
      });
    });
  }

  /** @throws StreamRefused */
  static async open(
    url: string,
    { method = "GET", headers = {}, body }: StreamRequest = {},
  ): Promise<EventStream> {
    const response = await soon(
      new Promise<IncomingMessage>((done, fail) => {
        const asked: ClientRequest = request(
          url,
          {
            method,
            agent: false,
            headers: { ...headers, ...(body !== undefined && { "Content-Type": "application/json" }) },
          },
          done,
        );
        asked.once("error", fail);
        asked.end(body === undefined ? undefined : JSON.stringify(body));
        onTestFinished(() => void asked.destroy());
      }),
      `an answer of ${url}`,
    );
    if (response.statusCode === 200) return new EventStream(response);
    let text = "";
    for await (const chunk of response) text += String(chunk);
    throw new StreamRefused(response, text);
  }

  /** The data of the next event of the server's own with this name. */
  async next(name: string): Promise<Record<string, unknown>> {
    const { data } = await this.own.nextThat((event) => event.name === `fanfare.${name}`);
    return JSON.parse(data);
  }

  /** The data of the next deliveries, read as JSON. */
  async take(count: number): Promise<Record<string, unknown>[]> {
    return (await this.deliveries.take(count)).map(({ data }) => JSON.parse(data));
  }

  vanish(): void {
    this.response.destroy();
  }

  #take(text: string): void {
    this.text += text;
    const lines = (this.#line + text).split("\n");
    this.#line = lines.pop() ?? "";
    for (const line of lines) this.#read(line);
  }

  #read(line: string): void {
    if (line === "") {
      this.#dispatch();
      return;
    }
    const [, field = "", value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (field === "") this.comments.push(value);
    else if (field === "event") this.#name = value;
    else if (field === "data") this.#data.push(value);
    else if (field === "id") this.lastEventId = value;
    else if (field === "retry") this.retry = Number(value);
    else throw new Error(`a line that is none of an event stream: ${line}`);
  }

  #dispatch(): void {
    const event = {
      name: this.#name || "message",
      data: this.#data.join("\n"),
      lastEventId: this.lastEventId,
    };
    const empty = this.#data.length === 0;
    this.#name = "";
    this.#data = [];
    if (empty) return;
    this.heard.push(event);
    const delivered = !/^fanfare\.(?!gap$|state$)/.test(event.name);
    if (delivered) this.deliveries.put(event);
    else if (event.name !== "fanfare.cursor") this.own.put(event);
  }
}

/** Opens a stream, and waits until all of its subscriptions stand and the cursor is told. */
export async function listening(
  http: string,
  query: string,
  headers: Record<string, string> = {},
): Promise<EventStream> {
  const stream = await EventStream.open(`${http}/sse?${query}`, { headers });
  const { length } = query.match(/\bchannel=/g) ?? [];
  for (let left = length ?? 0; left > 0; left--) await stream.next("subscribed");
  await until(() => stream.lastEventId !== "", "the cursor is told");
  return stream;
}

/** Where the next messages stand, each as its channel and its offset. */
export const offsets = async (stream: EventStream, count: number) =>
  (await stream.take(count)).map(({ channel, offset }) => `${channel}${offset}`);
