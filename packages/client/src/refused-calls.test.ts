/** A call that the server refuses rejects by itself, on each transport: the connection goes on, with its channels and other calls. */
import { ERRORS } from "@fanfare/protocol";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { ClientError } from "./client-error.js";
import type { ClientOptions, Fetch } from "./client-options.js";
import type { Client } from "./client-types.js";
import { live, setUp } from "./testing/a-client.js";
import { EPOCH, settled } from "./testing/scripted-server.js";

/** Those that may be answered otherwise later; the client's own list, told by PROTOCOL.md's "what to do". */
const PASSING = [
  "rate_limited",
  "share_used_up",
  "internal",
  "too_many_channels",
  "unavailable",
  "insufficient_storage",
];
const CODES = Object.entries(ERRORS).map(([code, { status, remedy }]) => ({ code, status, remedy }));

type Call = (client: Client) => Promise<unknown>;
const CALLS: readonly [string, Call, ClientOptions, needsWebSocket: boolean][] = [
  ["publish", (client) => client.publish("a", 1), {}, false],
  ["publish with a queue", (client) => client.publish("a", 1), { queue: true }, false],
  ["patch", (client) => client.patch("a", { b: 1 }), {}, false],
  ["patch with a queue", (client) => client.patch("a", { b: 1 }), { queue: true }, false],
  ["lock", (client) => client.lock("a"), {}, true],
  ["next", (client) => client.next("a"), {}, true],
];

interface Refusal {
  readonly code: string;
  readonly status: number;
  readonly remedy: string;
  readonly retryAfterSeconds?: number;
}

/** A client on one of the transports, and a server that refuses the calls on `a`, and does those on `b`. */
interface Played {
  readonly client: Client;
  readonly heard: number[];
  refuse(refusal: Refusal): Promise<void>;
  /** Does the next call. */
  accept(): Promise<void>;
  /** A message on the channel that the client listens to. */
  message(offset: number): Promise<void>;
}

async function byWebSocket(options: ClientOptions): Promise<Played> {
  const { client, server, heard } = await live(options);
  const answer = async (fields: { type: string; [field: string]: unknown }) => {
    await settled();
    server.socket.say({ request: server.socket.sent.at(-1)?.request, ...fields });
    await settled();
  };
  return {
    client,
    heard,
    refuse: ({ code, remedy, retryAfterSeconds }) =>
      answer({ type: "error", code, message: "no", remedy, retryAfterSeconds }),
    accept: () => answer({ type: "ok", epoch: EPOCH, offset: 1 }),
    async message(offset) {
      server.message("news", offset);
    },
  };
}

async function byStream(options: ClientOptions): Promise<Played> {
  let stream: ReadableStreamDefaultController<Uint8Array> | undefined;
  const write = (block: string) => stream?.enqueue(new TextEncoder().encode(`${block}\n\n`));
  const event = (name: string, data: object) =>
    write(`event: fanfare.${name}\ndata: ${JSON.stringify(data)}`);
  const asked: ((answer: Response) => void)[] = [];
  const fetch: Fetch = async (url, init) => {
    if (!url.pathname.endsWith("/sse")) return new Promise((answer) => asked.push(answer));
    const { channels } = JSON.parse(String(init.body));
    const body = new ReadableStream<Uint8Array>({
      start(made) {
        stream = made;
      },
    });
    event("connected", { connection: "c1" });
    for (const { channel } of channels) {
      event("subscribed", { channel, epoch: EPOCH, offset: 5, head: 5, recovered: true });
    }
    return new Response(body);
  };
  const { client, server, nextTry } = setUp({ ...options, sse: true, fetch });
  const heard: number[] = [];
  const subscribed = new Promise<void>((onSubscribed) => {
    client.subscribe("news", ({ offset }) => heard.push(offset), { onSubscribed: () => onSubscribed() });
  });
  for (let miss = 0; miss < 2; miss++) {
    server.socket.lose();
    nextTry();
  }
  await subscribed;
  const answer = async (status: number, body: object) => {
    await until(() => asked.length === 1);
    asked.shift()?.(new Response(JSON.stringify(body), { status }));
  };
  return {
    client,
    heard,
    refuse: ({ code, status, remedy, retryAfterSeconds }) =>
      answer(status, { code, detail: "no", status, remedy, retryAfterSeconds }),
    accept: () => answer(200, { results: [{ epoch: EPOCH, offset: 1 }] }),
    async message(offset) {
      write(`data: ${JSON.stringify({ channel: "news", offset, time: 1, event: "message", data: 1 })}`);
      await until(() => heard.includes(offset));
    },
  };
}

/** Streams of the platform take a few turns. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((done) => setImmediate(done));
}

describe.each([
  ["a WebSocket", byWebSocket],
  ["a stream of events", byStream],
] as const)("over %s", (way, played) => {
  const isStream = played === byStream;

  test.each(CALLS)(
    "%s rejects alone, whatever it is refused with",
    async (_name, call, options, needsWebSocket) => {
      const { client, heard, refuse, accept, message } = await played(options);
      onTestFinished(() => client.close());
      const states = vi.fn();
      const errors = vi.fn();
      client.on("connection", states);
      client.on("error", errors);
      let offset = 5;
      for (const refusal of CODES.flatMap((each) => [each, { ...each, retryAfterSeconds: 1 }])) {
        const called = call(client).catch((error: ClientError) => error);
        const isOwn = isStream && needsWebSocket;
        if (!isOwn) await refuse(refusal);
        const error = await called;
        const expected = isOwn
          ? { code: "needs_websocket", passes: false }
          : {
              // HTTP has another word for what an anonymous client may not do.
              code: isStream && refusal.code === "not_logged_in" ? "forbidden" : refusal.code,
              remedy: refusal.remedy,
              passes: "retryAfterSeconds" in refusal || PASSING.includes(refusal.code),
            };
        expect(error, refusal.code).toMatchObject(expected);
        const other = client.publish("b", 1);
        await accept();
        expect(await other).toEqual({ epoch: EPOCH, offset: 1 });
        await message(++offset);
      }
      expect(heard).toHaveLength(offset - 5);
      expect([states.mock.calls, errors.mock.calls, client.queued], way).toEqual([[], [], 0]);
    },
  );
});
