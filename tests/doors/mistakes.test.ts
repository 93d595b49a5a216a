/** Mistakes of the server itself, in what libraries, timers and the hub call: one client is closed and told, and everybody else goes on. */
import { afterEach, describe, expect, test, vi } from "vitest";
import { Failures } from "../../packages/server/src/base/failures.js";
import { ClientSocket } from "../../packages/server/src/doors/rfc6455/client-socket.js";
import { ClientSession } from "../../packages/server/src/doors/session/client-session.js";
import { ClientEvents } from "../../packages/server/src/doors/socketio/client-events.js";
import { Outgoing } from "../../packages/server/src/doors/socketio/outgoing.js";
import { SseStream } from "../../packages/server/src/doors/sse/stream.js";
import { WebSocketTransport } from "../../packages/server/src/doors/websocket/transport.js";
import { Channel } from "../../packages/server/src/hub/delivery/channel.js";
import { FakeClock } from "../../packages/server/src/testing/fake-clock.js";
import { Client } from "./client.js";
import { EventStream } from "./event-stream.js";
import { RecordingLog, type Serving, serve } from "./serving.js";
import { connect } from "./socketio-client.js";
import { soon, until } from "./waiting.js";

const MISTAKE = new Error("a mistake");

/** Makes a method throw: for the first one on which it is called from now on, once or for ever. */
function breaks<Name extends string>(whose: Record<Name, unknown>, method: Name, always = false): void {
  const original = whose[method] as (...args: unknown[]) => unknown;
  let broken: unknown = null;
  vi.spyOn(whose as Record<string, (...args: unknown[]) => unknown>, method).mockImplementation(function (
    this: unknown,
    ...args: unknown[]
  ) {
    const isFirst = broken === null;
    broken ??= this;
    if (isFirst || (always && broken === this)) throw MISTAKE;
    return original.apply(this, args);
  });
}

/** A client of some door that listens to a channel. */
interface Listening {
  /** Resolves when it was closed, with what it was told. */
  readonly closed: Promise<string>;
}

const DOORS = {
  websocket: {
    session: ClientSession.prototype,
    sink: ClientSocket.prototype,
    async listen({ url }: Serving, channel: string): Promise<Listening> {
      const client = await Client.connect(url);
      await client.subscribe(channel);
      return { closed: client.closed.then(({ code, reason }) => `${code} ${reason}`) };
    },
  },
  sse: {
    session: ClientSession.prototype,
    sink: SseStream.prototype,
    async listen({ http }: Serving, channel: string): Promise<Listening> {
      const stream = await EventStream.open(`${http}/sse?channel=${channel}`);
      await stream.next("subscribed");
      const told = () => stream.heard.find(({ name }) => name === "fanfare.closed")?.data ?? "";
      return { closed: stream.ended.then(told) };
    },
  },
  socketio: {
    session: ClientSession.prototype,
    sink: Outgoing.prototype,
    async listen({ port }: Serving, channel: string): Promise<Listening> {
      const { socket, heard } = await connect(`http://localhost:${port}`, { auth: { channels: [channel] } });
      await heard.nextThat(({ event }) => event === "subscribed");
      let told = "";
      socket.on("goodbye", (goodbye: unknown) => {
        told = JSON.stringify(goodbye);
      });
      const gone = new Promise<void>((done) => socket.once("disconnect", () => done()));
      return { closed: gone.then(() => told) };
    },
  },
} as const;

const FAILED = /1011|"internal"/;

afterEach(() => void vi.restoreAllMocks());

const serving = (clock?: FakeClock) => serve({ access: "open", socketio: {}, ...(clock && { clock }) });

async function failures({ http }: Serving): Promise<Record<string, number>> {
  const text = await (await fetch(`${http}/metrics`)).text();
  const lines = text.matchAll(/^fanfare_callback_failures_total\{caller="(\w+)"\} ([1-9]\d*)/gm);
  return Object.fromEntries([...lines].map(([, caller, count]) => [caller, Number(count)]));
}

const errors = ({ log }: Serving) => log.lines.filter(({ level }) => level === "error");

/** Nobody but one client has noticed anything. */
async function othersGoOn(server: Serving, other: Client): Promise<void> {
  vi.restoreAllMocks();
  await server.fanfare.publish("beside", "after");
  expect(await other.deliveries.nextThat(() => true)).toMatchObject({ channel: "beside", data: "after" });
  await until(() => server.fanfare.stats().connections === 1, "the one client is gone");
}

async function beside(server: Serving): Promise<Client> {
  const other = await Client.connect(server.url);
  await other.subscribe("beside");
  return other;
}

describe.each(["websocket", "sse", "socketio"] as const)("at the %s door", (door) => {
  const { session, sink, listen } = DOORS[door];

  test.each([false, true])(
    "a client that cannot be written to is closed (also the goodbye: %s)",
    async (always) => {
      const server = await serving();
      const other = await beside(server);
      const { closed } = await listen(server, "news");
      breaks(sink as { write: unknown }, "write", always);
      await server.fanfare.publish("news", 1);
      const told = await soon(closed, "the end");
      if (!always) expect(told).toMatch(FAILED);
      await othersGoOn(server, other);
      expect(errors(server)[0]).toMatchObject({
        fields: { err: MISTAKE, caller: door, remote: expect.any(String) },
      });
      expect(await failures(server)).toEqual({ [door]: 1 });
    },
  );

  test("what goes wrong when access has changed closes one client, and the others hear of the change", async () => {
    const server = await serving();
    const { closed } = await listen(server, "news");
    const other = await beside(server);
    breaks(session as { accessChanged: unknown }, "accessChanged");
    server.fanfare.reload({ anonymous: [{ channels: "beside", actions: ["subscribe"] }] });
    expect(await soon(closed, "the end")).toMatch(FAILED);
    await othersGoOn(server, other);
    expect(errors(server)).toMatchObject([{ fields: { err: MISTAKE, caller: door } }]);
  });
});

test("a flush that goes wrong closes those who listen to the channel; the others are flushed", async () => {
  const server = await serving();
  const other = await beside(server);
  const { closed } = await DOORS.websocket.listen(server, "news");
  breaks(Channel.prototype as { flush: unknown }, "flush");
  await Promise.all([server.fanfare.publish("news", 1), server.fanfare.publish("beside", "after")]);
  expect(await soon(closed, "the end")).toMatch(FAILED);
  expect(await other.offsets(1)).toEqual([1]);
  expect(await failures(server)).toEqual({ hub: 1, websocket: 1 });
});

test("what goes wrong when a client's time has come closes it, and the others are looked after", async () => {
  const clock = new FakeClock();
  const server = await serving(clock);
  const open = (channel: string) => EventStream.open(`${server.http}/sse?channel=${channel}`);
  const streams = await Promise.all(["a", "b"].map(open));
  for (const stream of streams) await stream.next("subscribed");
  breaks(SseStream.prototype as { check: unknown }, "check");
  await clock.forward(30_000, 1000);
  const told = () => streams.filter(({ heard }) => heard.some(({ data }) => FAILED.test(data)));
  await until(() => told().length > 0, "one is closed");
  await until(() => streams.some(({ comments }) => comments.length > 0), "the other is looked after");
  expect(told()).toHaveLength(1);
});

test.each([
  ["a socket is read", "alive", "websocket", WebSocketTransport.prototype],
  ["an event comes", "handle", "socketio", ClientEvents.prototype],
] as const)("what goes wrong while %s closes the client", async (_when, method, door, whose) => {
  const server = await serving();
  const other = await beside(server);
  const { closed } = await DOORS[door].listen(server, "news");
  const another = await Client.connect(server.url);
  const socket = door === "socketio" ? await connect(`http://localhost:${server.port}`) : null;
  breaks(whose as unknown as Record<typeof method, unknown>, method);
  if (socket) {
    socket.socket.emit("subscribe", "a");
    expect((await socket.heard.nextThat(({ event }) => event === "goodbye")).args).toMatchObject([
      { error: { data: { code: "internal" } } },
    ]);
    another.vanish();
  } else {
    another.say({ type: "ping" });
    expect((await another.closed).code).toBe(1011);
  }
  vi.restoreAllMocks();
  await server.fanfare.publish("beside", 1);
  expect(await other.offsets(1)).toEqual([1]);
  expect(await Promise.race([closed, "it stays"])).toBe("it stays");
  expect(await failures(server)).toEqual({ [door]: 1 });
});

test("a client that cannot be ended gently is ended at once, and a clock goes on", async () => {
  const clock = new FakeClock();
  const log = new RecordingLog();
  const known = new Failures(log);
  const ended: string[] = [];
  const mistaken = () => {
    throw MISTAKE;
  };
  known.guarded(
    "timer",
    mistaken,
    () => {
      ended.push("gently");
      mistaken();
    },
    () => void ended.push("at once"),
    () => void ended.push("never"),
  )();
  expect(ended).toEqual(["gently", "at once"]);
  expect(known.counts.timer).toBe(1);
  expect(log.lines.map(({ level }) => level)).toEqual(["error", "error"]);
  const server = await serving(clock);
  const { closed } = await DOORS.websocket.listen(server, "news");
  expect(await Promise.race([closed, "it stays"])).toBe("it stays");
});
